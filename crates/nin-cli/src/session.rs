//! Trains the runs of one command, which share data, device and signals.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::train::Interrupter;
use clap::ValueEnum;
use nin_data::{DataSet, ImageDataset};
use nin_model::Precision;
use nin_train::recipe::Recipe;
use nin_train::{
    DataFile, Ending, Environment, Fingerprint, Observer, StartingWeights, Summary, Trainer,
};

use crate::arguments::TrainArguments;
use crate::backend::{BackendChoice, Selected, Task, cpu_features};
use crate::curves_file::CurvesFile;
use crate::dataset::{Reading, for_selection, open_training_data};
use crate::exit::INTERRUPTED;
use crate::output::note;
use crate::progress::{self, PreparationProgress};
use crate::quote::quoted_path;
use crate::ranks::{Group, is_root};
use crate::settings::Sources;
use crate::tensorboard::TensorBoard;
use crate::{interrupt, report};

/// The data, device and signals that the runs of one command share.
pub struct Session<'a> {
    arguments: &'a TrainArguments,
    data: DataSet,
    /// The data folder as named.
    folder: Option<PathBuf>,
    /// The starting weights of a new run.
    start: Option<StartingWeights>,
    selected: Selected,
    interrupter: Interrupter,
}

impl<'a> Session<'a> {
    /// Opens everything that a recipe needs. If `selection_is_free`, the selection is stratified on the user's own
    /// data.
    pub fn open(
        arguments: &'a TrainArguments,
        recipe: &mut Recipe,
        Sources { data: folder, selection_is_free, start, device }: Sources,
    ) -> anyhow::Result<Self> {
        let interrupter = Interrupter::new();
        interrupt::stop_on_signal(&interrupter)?;
        let reading = Reading {
            threads: arguments.device.thread_count(),
            is_cached: !arguments.no_cache,
            progress: &PreparationProgress::new(arguments.progress),
            is_stopped: &|| interrupter.should_stop(),
        };
        let data = open_training_data(recipe, folder.as_deref(), reading, selection_is_free)?;
        // Reports a recipe that does not fit the data before a device is opened.
        nin_train::model_metadata(recipe, &data)?;
        let request = arguments.device.request();
        let selected = match device.filter(|_| request.is_free()) {
            Some(device) => Selected::again(&device, request)?,
            None => Selected::choose(request)?,
        };
        if recipe.training.precision != Precision::F16 {
            // A training in f16 that is not available is refused instead.
            selected.note_precision(recipe.training.precision);
        }
        if recipe.preprocessing.whitening.is_some() {
            note("a new run first fits its whitening, which takes a few minutes at 3x32x32");
        }
        Ok(Self { arguments, data, folder, start, selected, interrupter })
    }

    /// Keeps the test images out of the runs: they are evaluated on the validation images, or else on training images
    /// held out. Returns the number of images evaluated on.
    pub fn keep_test_images_out(&mut self, recipe: &Recipe) -> anyhow::Result<usize> {
        self.data = for_selection(recipe, self.data.clone())?;
        Ok(self.data.validation.as_ref().map_or(0, ImageDataset::len))
    }

    /// Describes the program, the device and the data of a run.
    fn environment(&self, recipe: &Recipe) -> Environment {
        let Self { arguments, data, selected, .. } = self;
        Environment {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            commit: option_env!("NIN_COMMIT").map(str::to_owned),
            backend: selected.backend.name().to_owned(),
            device: selected.device.clone(),
            cpu_features: cpu_features(),
            kernels: selected.kernels_in(recipe.training.precision).map(str::to_owned),
            threads: arguments.device.thread_count(),
            seed: recipe.training.seed,
            data: data.checksums.iter().map(DataFile::from).collect(),
            data_folder: self.folder.clone(),
        }
    }

    /// Returns what the weights of a run depend on, for a comparison with other processes.
    pub fn fingerprint(&self, recipe: &Recipe) -> anyhow::Result<Fingerprint> {
        Ok(Fingerprint::of(recipe, &self.data, &self.environment(recipe))?)
    }

    /// Starts or resumes a run, alone or with the other processes of a group.
    pub fn train(
        &self,
        recipe: Recipe,
        folder: &Path,
        resume: bool,
        group: Option<&Group>,
    ) -> anyhow::Result<Summary> {
        let Self { arguments, data, start, selected, interrupter, .. } = self;
        let environment = self.environment(&recipe);
        let observer = progress::observer(arguments, selected);
        // Of several processes with a run in common, one does so.
        let writes = group.is_none() || is_root();
        let mut observer: Box<dyn Observer> =
            if writes { Box::new(CurvesFile::new(observer)) } else { observer };
        if arguments.tensorboard && writes {
            observer = Box::new(TensorBoard::new(observer));
        }
        let mut trainer = Trainer::new(recipe, data.clone())
            .folder(folder)
            .resume(resume)
            .workers(usize::from(arguments.workers))
            .starting_weights(start.clone().filter(|_| !resume))
            .environment(environment)
            .interrupter(interrupter.clone())
            .observer(observer);
        if let Some(group) = group {
            trainer = trainer.communicator(group.communicator());
        }
        let summary = selected.run_steps(Train(trainer))?;
        if let Some(last) = &summary.last_epoch
            && summary.ending != Ending::Interrupted
            && !arguments.no_report
            && writes
        {
            let step = arguments.tensorboard.then_some(last.total_steps);
            report::conclude(folder, data, selected, step);
        }
        Ok(summary)
    }

    /// Returns the device's name, as in the book's last line.
    pub fn device(&self) -> &str {
        &self.selected.device
    }

    /// Reports that the state is saved, and how to resume it with a command such as `train`.
    pub fn interrupted(&self, command: &str, folder: &Path) -> ExitCode {
        let command = resume_command(command, self.arguments, folder);
        note(format!("interrupted, state saved; resume with: {command}"));
        ExitCode::from(INTERRUPTED)
    }
}

/// Returns the command line that resumes a run, with the flags that the run folder does not store.
fn resume_command(command: &str, arguments: &TrainArguments, folder: &Path) -> String {
    let mut words = vec![format!("nin-cli {command} --run {} --resume", quoted_path(folder))];
    if let Some(data) = &arguments.data {
        words.push(format!("--data {}", quoted_path(data)));
    }
    if let Some(backend) = arguments.device.backend.to_possible_value()
        && arguments.device.backend != BackendChoice::Auto
    {
        words.push(format!("--backend {}", backend.get_name()));
    }
    if let Some(adapter) = &arguments.device.adapter {
        words.push(format!("--adapter {}", quoted_path(Path::new(adapter))));
    }
    if let Some(threads) = arguments.device.threads {
        words.push(format!("--threads {threads}"));
    }
    words.join(" ")
}

struct Train(Trainer);

impl Task for Train {
    type Output = Summary;

    fn precision(&self) -> Precision {
        self.0.precision()
    }

    fn run<B: AutodiffBackend>(self, device: B::Device) -> anyhow::Result<Summary>
    where
        B::InnerBackend: Backend<Device = B::Device>,
    {
        Ok(self.0.run::<B>(&device)?)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::arguments::{Arguments, Command};

    #[test]
    fn the_resume_command_names_the_data_folder() {
        let line = ["nin-cli", "train", "--data", "it's here", "--backend", "flex"];
        let Command::Train(arguments) = Arguments::parse_from(line).command else {
            panic!("not `train`");
        };
        assert_eq!(
            resume_command("train", &arguments, Path::new("runs/a b")),
            r"nin-cli train --run 'runs/a b' --resume --data 'it'\''s here' --backend flex"
        );
    }
}
