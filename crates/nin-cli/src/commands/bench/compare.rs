//! `bench --compare`: measures the same network here and in another framework, in turn, in separate processes.

mod peer;

use std::process::{Command, ExitCode};

use anyhow::Context;
use clap::ValueEnum;
use serde::Serialize;
use serde_json::Value;

use self::peer::{Peer, PeerRates};
use crate::arguments::{BenchArguments, PeerChoice};
use crate::backend::{Selected, cpu_features, kernels};
use crate::comparison::median;
use crate::error::CommandError;
use crate::output::{Format, note, print_json, print_text};
use crate::settings::NetworkSettings;
use crate::terminal::printable_text;

/// The rates that one process of this program measured.
#[derive(Debug, Clone, Serialize)]
struct OwnRates {
    train_images_per_sec: f64,
    infer_images_per_sec: f64,
    epoch_images_per_sec: Option<f64>,
    peak_memory_bytes: Option<f64>,
}

#[derive(Debug, Serialize)]
struct Pair {
    ours: OwnRates,
    peer: PeerRates,
}

/// A ratio, over all pairs.
#[derive(Debug, Serialize)]
struct Ratio {
    median: f64,
    least: f64,
    most: f64,
}

#[derive(Debug, Serialize)]
struct Ratios {
    #[serde(skip_serializing_if = "Option::is_none")]
    train: Option<Ratio>,
    infer: Ratio,
    /// Ours over theirs: below 1 is less memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    peak_memory: Option<Ratio>,
    /// Our images per second with the data loader, relative to the step alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    epoch_to_step: Option<Ratio>,
}

#[derive(Debug, Serialize)]
struct Comparison<'a> {
    peer: String,
    backend: &'static str,
    device: String,
    cpu_features: Vec<String>,
    kernels: Option<&'static str>,
    threads: usize,
    architecture: &'a str,
    input: [usize; 3],
    batch_size: usize,
    precision: &'static str,
    steps: u32,
    pairs: Vec<Pair>,
    ratios: Ratios,
}

pub fn run(
    arguments: &BenchArguments,
    settings: &NetworkSettings,
    choice: PeerChoice,
) -> anyhow::Result<ExitCode> {
    let selected = Selected::choose(arguments.device.request())?;
    let peer = Peer::new(choice, arguments, settings)?;
    let mut pairs = Vec::new();
    for index in 1..=arguments.pairs {
        // The peer first, so that a missing installation is reported immediately.
        let theirs = peer.run()?;
        let ours = own(arguments, &selected)?;
        note(format!("pair {index} of {}: {}", arguments.pairs, describe(&ours, &theirs)));
        pairs.push(Pair { ours, peer: theirs });
    }
    let comparison = Comparison {
        peer: pairs.first().map(|pair| pair.peer.peer.clone()).unwrap_or_default(),
        backend: selected.backend.name(),
        device: selected.device.clone(),
        cpu_features: cpu_features(),
        kernels: kernels()?,
        threads: arguments.device.thread_count(),
        architecture: settings.architecture.name(),
        input: settings.input,
        batch_size: settings.recipe.training.batch_size,
        precision: settings.recipe.training.precision.name(),
        steps: arguments.steps,
        ratios: ratios(&pairs)?,
        pairs,
    };
    match arguments.format {
        Format::Json => print_json(&comparison)?,
        Format::Text => print_text(&comparison.as_text())?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs this program's own `bench` in a new process.
fn own(arguments: &BenchArguments, selected: &Selected) -> anyhow::Result<OwnRates> {
    let program = std::env::current_exe().context("cannot find this program's executable")?;
    let mut command = Command::new(program);
    command.args(["bench", "--format", "json", "--config", &arguments.config]);
    command.args(["--backend", selected.backend.name()]);
    command.args(["--steps", &arguments.steps.to_string()]);
    command.args(["--threads", &arguments.device.thread_count().to_string()]);
    if let Some(batch_size) = arguments.batch_size {
        command.args(["--batch-size", &batch_size.to_string()]);
    }
    for assignment in &arguments.set {
        command.args(["--set", assignment]);
    }
    let output = command.output().context("cannot start `bench` in a separate process")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let error = said.lines().find_map(|line| line.strip_prefix("error: "));
        return Err(CommandError::new(
            format!("`bench` failed in a separate process: {}", error.unwrap_or(said.trim())),
            "run the same command without --compare",
        )
        .into());
    }
    let figures: Value = serde_json::from_slice(&output.stdout)?;
    let number = |key: &str| figures[key].as_f64();
    let needed = |key: &str| number(key).with_context(|| format!("`bench` printed no `{key}`"));
    Ok(OwnRates {
        train_images_per_sec: needed("train_images_per_sec")?,
        infer_images_per_sec: needed("infer_images_per_sec")?,
        epoch_images_per_sec: number("epoch_images_per_sec"),
        peak_memory_bytes: number("peak_memory_bytes"),
    })
}

fn describe(ours: &OwnRates, theirs: &PeerRates) -> String {
    let infer = format!(
        "inference {:.1} and {:.1} images/s",
        ours.infer_images_per_sec, theirs.infer_images_per_sec
    );
    match theirs.train_images_per_sec {
        Some(train) => {
            format!("training {:.1} and {train:.1}, {infer}", ours.train_images_per_sec)
        }
        None => infer,
    }
}

/// Returns ours over theirs, if both are known in every pair.
fn ratio(pairs: &[Pair], values: impl Fn(&Pair) -> Option<(f64, f64)>) -> Option<Ratio> {
    let mut ratios = Vec::new();
    for pair in pairs {
        let (ours, theirs) = values(pair)?;
        ratios.push(ours / theirs);
    }
    ratios.sort_by(f64::total_cmp);
    let (&least, &most) = (ratios.first()?, ratios.last()?);
    Some(Ratio { median: median(&ratios)?, least, most })
}

fn ratios(pairs: &[Pair]) -> anyhow::Result<Ratios> {
    let infer =
        ratio(pairs, |pair| Some((pair.ours.infer_images_per_sec, pair.peer.infer_images_per_sec)));
    Ok(Ratios {
        train: ratio(pairs, |pair| {
            Some((pair.ours.train_images_per_sec, pair.peer.train_images_per_sec?))
        }),
        infer: infer.context("no pair was measured")?,
        peak_memory: ratio(pairs, |pair| {
            pair.peer.train_images_per_sec?;
            Some((pair.ours.peak_memory_bytes?, pair.peer.peak_memory_bytes))
        }),
        epoch_to_step: ratio(pairs, |pair| {
            Some((pair.ours.epoch_images_per_sec?, pair.ours.train_images_per_sec))
        }),
    })
}

impl Comparison<'_> {
    fn as_text(&self) -> String {
        let [channels, height, width] = self.input;
        let mut lines = vec![
            format!(
                "{} at {channels}x{height}x{width}, batches of {}, {}, {} threads: {} on {} and {}",
                self.architecture,
                self.batch_size,
                self.precision,
                self.threads,
                self.backend,
                self.device,
                self.peer
            ),
            format!("median of {} pairs (lowest, highest)", self.pairs.len()),
        ];
        let rows = [
            ("training", self.ratios.train.as_ref()),
            ("inference", Some(&self.ratios.infer)),
            ("peak memory", self.ratios.peak_memory.as_ref()),
            ("epoch / step", self.ratios.epoch_to_step.as_ref()),
        ];
        for (name, ratio) in rows {
            if let Some(Ratio { median, least, most }) = ratio {
                lines.push(format!("{name:<14}{median:>6.2}x ({least:.2}, {most:.2})"));
            }
        }
        printable_text(&lines)
    }
}

impl PeerChoice {
    /// Returns its name on the command line.
    fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_computed_per_pair() {
        let pair = |ours, theirs| Pair {
            ours: OwnRates {
                train_images_per_sec: ours,
                infer_images_per_sec: 2.0 * ours,
                epoch_images_per_sec: None,
                peak_memory_bytes: Some(1.0),
            },
            peer: PeerRates {
                peer: "a peer".to_owned(),
                train_images_per_sec: Some(theirs),
                infer_images_per_sec: theirs,
                peak_memory_bytes: 4.0,
                train_layout: None,
                infer_layout: None,
            },
        };
        let ratios = ratios(&[pair(3.0, 1.0), pair(1.0, 1.0), pair(4.0, 2.0)]).unwrap();
        let Some(Ratio { median, least, most }) = ratios.train else { panic!("no ratio") };
        assert_eq!([median, least, most], [2.0, 1.0, 3.0]);
        assert_eq!(ratios.infer.median, 4.0);
        assert_eq!(ratios.peak_memory.map(|ratio| ratio.median), Some(0.25));
        assert!(ratios.epoch_to_step.is_none());
    }
}
