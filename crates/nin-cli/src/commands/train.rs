//! `train`: from the recipe to the book's two closing lines.

use std::process::ExitCode;

use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::train::Interrupter;
use nin_train::{DataFile, Ending, Environment, Observer, Summary, TrainingPlan, train};

use crate::arguments::TrainArguments;
use crate::backend::{Selected, Task, cpu_features};
use crate::failure::INTERRUPTED;
use crate::output::{note, print_text};
use crate::settings::{TrainSettings, open_data};
use crate::{interrupt, progress};

pub fn run(arguments: &TrainArguments) -> anyhow::Result<ExitCode> {
    let TrainSettings { recipe, folder } = TrainSettings::resolve(arguments)?;
    let data = open_data(&recipe.data.dataset, arguments.data.as_deref(), recipe.data.limit)?;
    // Whatever is wrong with the recipe on this data is said before a device is opened.
    nin_train::model_metadata(&recipe, &data)?;
    let selected = Selected::choose(arguments.device.backend, arguments.device.thread_count())?;
    let observer = progress::observer(arguments.progress, &selected);

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
    finish(&summary, &selected, &folder)
}

fn finish(
    summary: &Summary,
    selected: &Selected,
    folder: &std::path::Path,
) -> anyhow::Result<ExitCode> {
    let folder = folder.display();
    match summary.ending {
        Ending::Interrupted => {
            note(format!(
                "interrupted, state saved; go on with: nin-cli train --run {folder} --resume"
            ));
            return Ok(ExitCode::from(INTERRUPTED));
        }
        Ending::StoppedEarly => note("stopped early: the test accuracy got no better"),
        Ending::Finished => {}
    }
    if let Some(lines) = summary.closing_lines(&selected.device) {
        print_text(&lines)?;
    } else {
        let epochs = summary.epochs;
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
