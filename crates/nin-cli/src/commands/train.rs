//! `train`: from the recipe to the book's two closing lines.

use std::path::Path;
use std::process::ExitCode;

use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::train::Interrupter;
use clap::ValueEnum;
use nin_train::{DataFile, Ending, Environment, Observer, Summary, TrainingPlan, train};

use crate::arguments::TrainArguments;
use crate::backend::{BackendChoice, Selected, Task, cpu_features};
use crate::failure::INTERRUPTED;
use crate::output::{note, print_text};
use crate::settings::{TrainSettings, open_training_data};
use crate::tensorboard::TensorBoard;
use crate::{interrupt, progress};

use super::report;

pub fn run(arguments: &TrainArguments) -> anyhow::Result<ExitCode> {
    let TrainSettings { recipe, folder } = TrainSettings::resolve(arguments)?;
    let data = open_training_data(&recipe.data, arguments.data.as_deref())?;
    // Whatever is wrong with the recipe on this data is said before a device is opened.
    nin_train::model_metadata(&recipe, &data)?;
    let selected = Selected::choose(arguments.device.backend, arguments.device.thread_count())?;
    selected.note_precision(recipe.training.precision);
    let mut observer = progress::observer(arguments.progress, &selected);
    if arguments.tensorboard {
        observer = Box::new(TensorBoard::beside(observer));
    }

    let environment = Environment {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        commit: option_env!("NIN_COMMIT").map(str::to_owned),
        backend: selected.backend.name().to_owned(),
        device: selected.device.clone(),
        cpu_features: cpu_features(),
        threads: arguments.device.thread_count(),
        seed: recipe.training.seed,
        data: data.checksums.iter().map(DataFile::from).collect(),
    };
    let plan = TrainingPlan {
        recipe,
        folder: folder.clone(),
        resume: arguments.resume,
        data,
        workers: usize::from(arguments.workers),
        environment,
    };
    let interrupter = Interrupter::new();
    interrupt::stop_on_signal(&interrupter)?;
    let summary = selected.run(Train { plan, interrupter, observer })?;
    if let Some(last) = &summary.last_epoch
        && summary.ending != Ending::Interrupted
        && !arguments.no_report
    {
        let step = arguments.tensorboard.then_some(last.total_steps);
        report::conclude(&folder, arguments.data.as_deref(), &selected, step);
    }
    finish(&summary, &selected, arguments, &folder)
}

/// The command that goes on with the run: with what the run's folder does not say.
fn resume_command(arguments: &TrainArguments, folder: &Path) -> String {
    let mut words = vec![format!("nin-cli train --run {} --resume", quoted(folder))];
    if let Some(data) = &arguments.data {
        words.push(format!("--data {}", quoted(data)));
    }
    if let Some(backend) = arguments.device.backend.to_possible_value()
        && arguments.device.backend != BackendChoice::Auto
    {
        words.push(format!("--backend {}", backend.get_name()));
    }
    if let Some(threads) = arguments.device.threads {
        words.push(format!("--threads {threads}"));
    }
    words.join(" ")
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |text: &str| {
        text.chars().all(|letter| letter.is_alphanumeric() || "/._-+:,@%=".contains(letter))
    };
    if is_plain(&text) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

fn finish(
    summary: &Summary,
    selected: &Selected,
    arguments: &TrainArguments,
    folder: &Path,
) -> anyhow::Result<ExitCode> {
    match summary.ending {
        Ending::Interrupted => {
            let command = resume_command(arguments, folder);
            note(format!("interrupted, state saved; go on with: {command}"));
            return Ok(ExitCode::from(INTERRUPTED));
        }
        Ending::StoppedEarly => note("stopped early: the test accuracy got no better"),
        Ending::Finished => {}
    }
    if let Some(lines) = summary.closing_lines(&selected.device) {
        print_text(&lines)?;
    } else {
        let (folder, epochs) = (folder.display(), summary.epochs);
        note(format!("{folder} is finished: {epochs} epochs; train on with --epochs N"));
    }
    Ok(ExitCode::SUCCESS)
}

struct Train {
    plan: TrainingPlan,
    interrupter: Interrupter,
    observer: Box<dyn Observer>,
}

impl Task for Train {
    type Output = Summary;

    fn run<B: AutodiffBackend>(self, device: B::Device) -> anyhow::Result<Summary>
    where
        B::InnerBackend: Backend<Device = B::Device>,
    {
        Ok(train::<B>(self.plan, &device, self.interrupter, self.observer)?)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::arguments::{Arguments, Command};

    #[test]
    fn the_line_that_resumes_says_where_the_data_is() {
        let line = ["nin-cli", "train", "--data", "it's here", "--backend", "flex"];
        let Command::Train(arguments) = Arguments::parse_from(line).command else {
            panic!("not `train`");
        };
        assert_eq!(
            resume_command(&arguments, Path::new("runs/a b")),
            r"nin-cli train --run 'runs/a b' --resume --data 'it'\''s here' --backend flex"
        );
    }
}
