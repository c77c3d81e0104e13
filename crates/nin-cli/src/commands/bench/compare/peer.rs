//! The other framework: runs a script in a Python installation that has it.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use anyhow::Context;
use nin_model::{ModelMetadata, Precision, Preprocessing};
use serde::{Deserialize, Serialize};

use crate::arguments::{BenchArguments, PeerChoice};
use crate::error::CommandError;
use crate::output::save;
use crate::settings::NetworkSettings;

/// The scripts, which Python reads from stdin.
const PYTORCH: &str = include_str!("pytorch_nin.py");
const ONNX: &str = include_str!("onnx_nin.py");

/// The rates of a peer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PeerRates {
    /// Name and version.
    pub peer: String,
    /// Of training steps, if it trains.
    pub train_images_per_sec: Option<f64>,
    /// Of inference.
    pub infer_images_per_sec: f64,
    /// The peak memory of its process. For PyTorch, of the layout that trains faster.
    pub peak_memory_bytes: f64,
    /// The layout that trains faster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train_layout: Option<String>,
    /// The layout that infers faster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub infer_layout: Option<String>,
}

/// A framework and the network to measure.
pub struct Peer {
    choice: PeerChoice,
    python: PathBuf,
    script: &'static str,
    /// The script's arguments for each layout. The faster layout counts.
    variants: Vec<(Option<&'static str>, Vec<String>)>,
    /// The exported network, removed at the end.
    model: Option<PathBuf>,
}

impl Drop for Peer {
    fn drop(&mut self) {
        if let Some(model) = &self.model {
            let _ = std::fs::remove_file(model);
        }
    }
}

impl Peer {
    /// Prepares the network of these settings for the framework.
    pub fn new(
        choice: PeerChoice,
        arguments: &BenchArguments,
        settings: &NetworkSettings,
    ) -> anyhow::Result<Self> {
        let NetworkSettings { recipe, architecture, input } = settings;
        let [channels, height, width] = *input;
        let (batch, precision) = (recipe.training.batch_size, recipe.training.precision);
        let mut words: Vec<String> = [
            ["--steps".to_owned(), arguments.steps.to_string()],
            ["--threads".to_owned(), arguments.device.thread_count().to_string()],
        ]
        .concat();
        let python = arguments.python.clone();
        if choice == PeerChoice::Pytorch {
            let network = serde_json::to_string(architecture)?;
            words.extend([
                "--network".to_owned(),
                network,
                "--size".to_owned(),
                height.to_string(),
            ]);
            words.extend(["--batch".to_owned(), batch.to_string()]);
            words.extend(["--dtype".to_owned(), precision.name().to_owned()]);
            let variant = |layout: &'static str| {
                let layout_words = ["--layout".to_owned(), layout.to_owned()];
                (Some(layout), [words.as_slice(), &layout_words].concat())
            };
            let variants = vec![variant("channels_last"), variant("nchw")];
            return Ok(Self { choice, python, script: PYTORCH, variants, model: None });
        }
        if precision != Precision::Fp32 {
            return Err(CommandError::new(
                format!("{} is compared in fp32 only", choice.name()),
                "omit training.precision, or use --compare pytorch",
            )
            .into());
        }
        let metadata = ModelMetadata {
            classes: (0..architecture.classes()).map(|class| class.to_string()).collect(),
            dataset: recipe.data.dataset.clone(),
            preprocessing: Preprocessing::resized([height, width]),
            precision,
            architecture: architecture.clone(),
        };
        let weights = recipe.model.initialization.weights(architecture, recipe.training.seed);
        let model = std::env::temp_dir().join(format!("nin-bench-{}.onnx", std::process::id()));
        // The folder is shared: a link of this name is replaced, not followed.
        save(&model, &nin_exchange::onnx::encode(&metadata, &weights)?)?;
        words.extend(["--model".to_owned(), model.display().to_string()]);
        words.extend(["--runtime".to_owned(), choice.name()]);
        words.extend(["--shape".to_owned(), format!("{batch}x{channels}x{height}x{width}")]);
        let variants = vec![(None, words)];
        Ok(Self { choice, python, script: ONNX, variants, model: Some(model) })
    }

    /// Measures all layouts and returns the fastest training and the fastest inference.
    pub fn run(&self) -> anyhow::Result<PeerRates> {
        let mut best: Option<PeerRates> = None;
        for (layout, words) in &self.variants {
            let mut found = self.script(words)?;
            found.train_layout = layout.map(str::to_owned);
            found.infer_layout.clone_from(&found.train_layout);
            best = Some(match best {
                None => found,
                Some(best) => better(best, found),
            });
        }
        best.context("no layout was measured")
    }

    fn script(&self, words: &[String]) -> anyhow::Result<PeerRates> {
        let output = self.python(words).map_err(|error| {
            CommandError::new(
                format!("cannot run `{}`: {error}", self.python.display()),
                "choose a Python interpreter with --python or NIN_PYTHON",
            )
        })?;
        if output.status.success() {
            return serde_json::from_slice(&output.stdout)
                .with_context(|| format!("{} did not print JSON", self.choice.name()));
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let last = said.trim().lines().next_back().unwrap_or("no output").to_owned();
        let python = self.python.display();
        let hint = match last.strip_prefix("ModuleNotFoundError: No module named ") {
            Some(module) => format!(
                "`{python} -m pip install {}`, or choose a Python that has it with --python or \
                 NIN_PYTHON",
                module.trim_matches('\'')
            ),
            None => format!("{python} ran a script from bench/compare in the sources"),
        };
        Err(CommandError::new(format!("{} failed: {last}", self.choice.name()), hint).into())
    }

    fn python(&self, words: &[String]) -> std::io::Result<Output> {
        let mut child = Command::new(&self.python)
            .arg("-")
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            // If Python stops reading, stderr says why.
            let _ = stdin.write_all(self.script.as_bytes());
        }
        child.wait_with_output()
    }
}

/// Combines the faster training and the faster inference of two layouts.
fn better(first: PeerRates, second: PeerRates) -> PeerRates {
    let (mut trains, other) = if second.train_images_per_sec > first.train_images_per_sec {
        (second, first)
    } else {
        (first, second)
    };
    if other.infer_images_per_sec > trains.infer_images_per_sec {
        trains.infer_images_per_sec = other.infer_images_per_sec;
        trains.infer_layout = other.infer_layout;
    }
    trains
}
