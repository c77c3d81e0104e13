//! Measures whether an integrated GPU trains faster than the CPU. The answer is kept in the cache folder.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;
use nin_data::Locations;
use nin_model::Builtin;
use nin_train::recipe::Recipe;

use super::adapters::Adapter;
use super::automatic::Rates;
use super::name::BackendName;
use super::processor::cpu_name;
use super::selected::Selected;
use crate::measure::Measure;
use crate::output::note;

/// The file in the cache folder.
const FILE: &str = "trials.json";

/// The images of the trial: between the smallest and the largest that recipes use.
const INPUT: [usize; 3] = [1, 96, 96];
/// Steps on each device, after one to warm up.
const STEPS: usize = 3;

/// Returns the rates of an adapter and of a CPU backend, from the cache or from a trial.
pub fn rates(adapter: &Adapter, cpu: BackendName, threads: usize) -> anyhow::Result<Rates> {
    let key = format!(
        "{} ({}) and {}, {threads} threads, nin {}",
        adapter.name,
        adapter.driver,
        cpu_name(),
        env!("CARGO_PKG_VERSION")
    );
    let file = Locations::from_environment().cache.map(|cache| cache.join(FILE));
    let mut known = file.as_deref().map(read).unwrap_or_default();
    if let Some(rates) = known.get(&key) {
        return Ok(*rates);
    }
    note(format!("measuring once whether {} or the CPU trains faster", adapter.name));
    let gpu = train_rate(&Selected::adapter(adapter.clone(), "trial"))?;
    let rates = Rates { gpu, cpu: train_rate(&Selected::cpu(cpu, "trial")?)? };
    known.insert(key, rates);
    if let Some(file) = file {
        write(&file, &known);
    }
    Ok(rates)
}

fn train_rate(selected: &Selected) -> anyhow::Result<f64> {
    let architecture = Builtin::D2l.architecture(INPUT[0], 10)?;
    let mut recipe = Recipe::default();
    recipe.training.batch_size = 32;
    let measure = Measure {
        recipe: &recipe,
        architecture: &architecture,
        weights: &recipe.model.initialization.weights(&architecture, recipe.training.seed),
        input: INPUT,
        data: None,
        trains: true,
        steps: STEPS,
    };
    selected.run(measure)?.train.context("the trial measured no training")
}

/// Returns the known rates; none if the file is missing or unusable.
fn read(file: &Path) -> BTreeMap<String, Rates> {
    let bytes = std::fs::read(file).unwrap_or_default();
    serde_json::from_slice(&bytes).unwrap_or_default()
}

/// Keeps the rates. Without the file, the next command measures again.
fn write(file: &Path, known: &BTreeMap<String, Rates>) {
    let Ok(bytes) = serde_json::to_vec_pretty(known) else { return };
    if let Some(folder) = file.parent() {
        let _ = std::fs::create_dir_all(folder);
    }
    let _ = nin_train::files::write_file(file, &bytes);
}
