//! Resolves parsed arguments into settings: recipe, data, folders.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::slice;

use nin_data::{DataSet, FASHION_MNIST};
use nin_model::{Architecture, Builtin};
use nin_train::recipe::{
    BuiltinRecipe, OnCollapse, OnNonFinite, Recipe, RecipeBuilder, RecipeError,
};
use nin_train::{RunFolder, StartingWeights};
use serde_json::Value;

use crate::arguments::{OnCollapseChoice, OnNonFiniteChoice, TrainArguments};
use crate::backend::RememberedDevice;
use crate::dataset::{name_of_data, remembered_environment, remembered_folder};
use crate::error::{CommandError, check_is_local};
use crate::fine_tuning::{self, starting_weights};

/// The default folder of runs.
const RUNS: &str = "runs";

/// A training's recipe and folder.
pub struct TrainSettings {
    /// The resolved recipe.
    pub recipe: Recipe,
    /// The run's folder.
    pub folder: PathBuf,
    /// The recipe's name, if the run takes the first free folder of this name.
    pub claims: Option<String>,
    /// The data and the starting weights.
    pub sources: Sources,
}

/// The inputs of a training besides its recipe.
pub struct Sources {
    /// The data folder, if named now or when the run started.
    pub data: Option<PathBuf>,
    /// Whether `data.selection` is unset, so that it may follow the data.
    pub selection_is_free: bool,
    /// The starting weights of a new run, if the recipe names them.
    pub start: Option<StartingWeights>,
    /// The backend and the device that a resumed run computed on.
    pub device: Option<RememberedDevice>,
}

impl Sources {
    /// Returns what resumed runs share besides their recipe, from the ones that exist. `data` is the folder named now.
    pub fn of_runs(
        runs: &[PathBuf],
        data: Option<&Path>,
        start: Option<StartingWeights>,
        selection_is_free: bool,
    ) -> Self {
        let environments: Vec<Value> =
            runs.iter().filter_map(|run| remembered_environment(run)).collect();
        let begun = || environments.iter().find_map(remembered_folder);
        let data = data.map(Path::to_owned).or_else(begun);
        let device = environments.iter().find_map(RememberedDevice::of);
        Self { data, selection_is_free, start, device }
    }
}

/// Returns the copy of the common starting weights that one of these runs has.
pub fn copy_of_start(runs: &[PathBuf]) -> Option<PathBuf> {
    let runs = runs.iter().filter_map(|run| RunFolder::open(run).ok());
    runs.map(|run| run.start_path()).find(|copy| copy.is_file())
}

impl TrainSettings {
    /// Resolves defaults < file < flags. The file of a resumed run is its own recipe.
    pub fn resolve(arguments: &TrainArguments) -> anyhow::Result<Self> {
        let named = named_recipe(arguments)?;
        let folder = match &arguments.run {
            Some(folder) => folder.clone(),
            None if arguments.resume => latest_run(named.name(), RunFolder::is_run)?,
            None => free_run(named.name()),
        };
        let takes_free_run = arguments.run.is_none() && !arguments.resume;
        let claims = takes_free_run.then(|| named.name().to_owned());
        let resumed = arguments.resume && arguments.config.is_none() && RunFolder::is_run(&folder);
        let builder = if resumed {
            let run = RunFolder::open(&folder)?;
            run.recipe()?;
            RecipeBuilder::from_file(&run.recipe_path())?
        } else {
            named
        };
        let run = RunFolder::open(&folder).ok().filter(|_| arguments.resume);
        let copy = run.map(|run| run.start_path());
        let (mut recipe, is_named) = with_flags(builder, arguments, copy.as_deref())?;
        if arguments.resume
            && !is_named
            && let Ok(stored) = RunFolder::open(&folder).and_then(|run| run.recipe())
        {
            // The run chose it when it started.
            recipe.data.selection = stored.data.selection;
        }
        let start = if arguments.resume { None } else { starting_weights(&recipe, None)? };
        let selection_is_free = !is_named && !arguments.resume;
        let runs = if arguments.resume { slice::from_ref(&folder) } else { &[] };
        let sources = Sources::of_runs(runs, arguments.data.as_deref(), start, selection_is_free);
        Ok(Self { recipe, folder, claims, sources })
    }
}

/// Returns the requested recipe with the requested data. The default is the recipe `pictures` for a folder of
/// pictures, else the quick start's.
pub fn named_recipe(arguments: &TrainArguments) -> anyhow::Result<RecipeBuilder> {
    let folder = arguments.data.as_deref();
    for path in folder.into_iter().chain(arguments.config.as_deref().map(Path::new)) {
        check_is_local(path)?;
    }
    let default = match folder {
        Some(folder) if DataSet::is_of_pictures(folder) => BuiltinRecipe::pictures(),
        _ => BuiltinRecipe::quickstart(),
    };
    let mut builder = RecipeBuilder::named(arguments.config.as_deref().unwrap_or(default.name))?;
    let begins_with_weights = arguments.weights.is_some()
        || arguments.set.iter().any(|assignment| assignment.trim().starts_with("model.weights"));
    if arguments.config.is_none() && begins_with_weights {
        fine_tuning::forget_network(&mut builder);
    }
    let dataset = builder.get("data.dataset").and_then(|value| value.as_str());
    let name = name_of_data(dataset.unwrap_or(FASHION_MNIST), folder);
    if dataset.is_some_and(|dataset| dataset != name) || folder.is_some() {
        builder.set("data.dataset", name, "--data")?;
    }
    Ok(builder)
}

/// Returns the recipe with flags applied, and whether `data.selection` is set. `copy` is the run's own copy of
/// its starting weights.
pub fn with_flags(
    mut builder: RecipeBuilder,
    arguments: &TrainArguments,
    copy: Option<&Path>,
) -> anyhow::Result<(Recipe, bool)> {
    for assignment in &arguments.set {
        builder.assign(assignment)?;
    }
    apply_flags(&mut builder, arguments)?;
    fine_tuning::follow(&mut builder, copy)?;
    let names_selection = builder.get("data.selection").is_some();
    Ok((builder.build()?, names_selection))
}

/// Applies the flags that set recipe keys.
fn apply_flags(builder: &mut RecipeBuilder, flags: &TrainArguments) -> Result<(), RecipeError> {
    if let Some(dataset) = &flags.dataset {
        builder.set("data.dataset", dataset.as_str(), "--dataset")?;
    }
    if let Some(weights) = &flags.weights {
        builder.set("model.weights", weights.as_str(), "--weights")?;
    }
    if let Some(epochs) = flags.epochs {
        builder.set("training.epochs", epochs, "--epochs")?;
    }
    if let Some(batch_size) = flags.batch_size {
        builder.set("training.batch_size", batch_size, "--batch-size")?;
    }
    if let Some(learning_rate) = flags.learning_rate {
        builder.set("optimizer.learning_rate", learning_rate, "--learning-rate")?;
    }
    if let Some(seed) = flags.seed {
        builder.set("training.seed", seed, "--seed")?;
    }
    if let Some(choice) = flags.on_non_finite {
        let choice = match choice {
            OnNonFiniteChoice::Stop => OnNonFinite::Stop,
            OnNonFiniteChoice::Skip => OnNonFinite::Skip,
        };
        builder.set("training.on_non_finite", choice.name(), "--on-non-finite")?;
    }
    if let Some(choice) = flags.on_collapse {
        let choice = match choice {
            OnCollapseChoice::Warn => OnCollapse::Warn,
            OnCollapseChoice::Stop => OnCollapse::Stop,
            OnCollapseChoice::Restart => OnCollapse::Restart,
        };
        builder.set("training.on_collapse", choice.name(), "--on-collapse")?;
    }
    Ok(())
}

/// Yields `runs/<recipe>`, `runs/<recipe>-2` and so on.
fn numbered_runs(recipe: &str) -> impl Iterator<Item = PathBuf> {
    let first = Path::new(RUNS).join(recipe);
    let others = (2..).map({
        let recipe = recipe.to_owned();
        move |number: u32| Path::new(RUNS).join(format!("{recipe}-{number}"))
    });
    std::iter::once(first).chain(others)
}

/// Returns the first of these folders that does not exist.
pub fn free_run(recipe: &str) -> PathBuf {
    numbered_runs(recipe).find(|folder| !folder.exists()).unwrap_or_else(|| RUNS.into())
}

/// Creates the first of these folders that does not exist. Two processes that start at once get different ones.
pub fn claim_run(recipe: &str) -> anyhow::Result<PathBuf> {
    std::fs::create_dir_all(RUNS).map_err(|error| no_run_folder(Path::new(RUNS), &error))?;
    for folder in numbered_runs(recipe) {
        match std::fs::create_dir(&folder) {
            Ok(()) => return Ok(folder),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(no_run_folder(&folder, &error)),
        }
    }
    Ok(RUNS.into())
}

/// Returns the error that a default run folder cannot be created.
fn no_run_folder(folder: &Path, error: &io::Error) -> anyhow::Error {
    let message = format!("cannot create the folder `{}`: {error}", folder.display());
    CommandError::new(message, "name a folder that you may write to (--run FOLDER)").into()
}

/// Returns the highest-numbered of these folders that passes `is_one`.
pub fn latest_run(recipe: &str, is_one: fn(&Path) -> bool) -> anyhow::Result<PathBuf> {
    let number = |name: &str| match name.strip_prefix(recipe)? {
        "" => Some(1),
        rest => rest.strip_prefix('-')?.parse::<u32>().ok(),
    };
    let entries = std::fs::read_dir(RUNS).into_iter().flatten().filter_map(Result::ok);
    let numbered = entries.filter_map(|entry| Some((number(entry.file_name().to_str()?)?, entry)));
    let runs = numbered.filter(|(_, entry)| is_one(&entry.path()));
    runs.max_by_key(|(number, _)| *number).map(|(_, entry)| entry.path()).ok_or_else(|| {
        CommandError::new(
            format!("no run of `{recipe}` to resume"),
            "name the run folder with --run",
        )
        .into()
    })
}

/// A recipe, architecture and input shape, for commands that also take an architecture's name.
pub struct NetworkSettings {
    /// The resolved recipe.
    pub recipe: Recipe,
    /// The network.
    pub architecture: Architecture,
    /// `[channels, height, width]`
    pub input: [usize; 3],
}

impl NetworkSettings {
    /// Resolves an architecture's name, a built-in recipe or a file, and applies assignments.
    pub fn resolve(config: &str, assignments: &[String]) -> anyhow::Result<Self> {
        let builtin =
            config.parse::<Builtin>().ok().filter(|_| BuiltinRecipe::find(config).is_none());
        let mut builder = match builtin {
            Some(builtin) => from_architecture(builtin)?,
            None => RecipeBuilder::named(config)?,
        };
        for assignment in assignments {
            builder.assign(assignment)?;
        }
        let recipe = builder.build()?;
        // Fashion-MNIST's values, unless recipe or architecture has others.
        let (channels, classes, side) = (1, 10, 28);
        let architecture = recipe.architecture(channels, classes)?;
        let side = recipe.data.input_size.unwrap_or(side);
        let input = [architecture.input_channels(), side, side];
        Ok(Self { recipe, architecture, input })
    }
}

/// Returns a recipe for an architecture, with the input that it was published for.
fn from_architecture(builtin: Builtin) -> Result<RecipeBuilder, RecipeError> {
    let [channels, side, _] = builtin.input();
    let mut builder = RecipeBuilder::from_text(builtin.name(), builtin.name(), "")?;
    let numbers = [
        ("model.input_channels", channels),
        ("model.classes", builtin.classes()),
        ("data.input_size", side),
    ];
    builder.set("model.architecture", builtin.name(), "--config")?;
    for (key, number) in numbers {
        builder.set(key, number as i64, "--config")?;
    }
    Ok(builder)
}
