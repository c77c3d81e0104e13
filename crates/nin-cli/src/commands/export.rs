//! `export`: writes a checkpoint as ONNX, as safetensors with a PyTorch module, or as a web page; or a lesson.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use nin_exchange::{ExchangeError, onnx, pytorch};
use nin_model::{ModelMetadata, Weights};
use nin_train::files::read_file;

use crate::arguments::{ExportArguments, ExportFormat};
use crate::error::CommandError;
use crate::output::{note, note_replaced, save};
use crate::page::{lesson_page, single_page};
use crate::pretrained::ModelSource;

/// The Python file that loads the exported safetensors.
const MODULE: &str = "model.py";

/// The largest module that this program writes, in bytes.
const LARGEST_MODULE: u64 = 1 << 20;

pub fn run(arguments: &ExportArguments) -> anyhow::Result<ExitCode> {
    match (&arguments.checkpoint, arguments.to) {
        (Some(_), ExportFormat::Lesson) => {
            let hint = "leave --checkpoint out: the lesson trains a network of its own";
            return Err(CommandError::new("a lesson takes no checkpoint", hint).into());
        }
        (Some(checkpoint), format) => export_network(checkpoint, format, &arguments.output)?,
        // Every other format requires one.
        (None, _) => export_page(&arguments.output, &lesson_page()?, "trains a network")?,
    }
    Ok(ExitCode::SUCCESS)
}

fn export_network(
    checkpoint: &ModelSource,
    format: ExportFormat,
    output: &Path,
) -> anyhow::Result<()> {
    let (metadata, weights) = checkpoint.load()?;
    if weights.is_quantized() {
        let hint = "export the checkpoint that they were made from";
        return Err(CommandError::new("int8 weights cannot be exported", hint).into());
    }
    match format {
        ExportFormat::Onnx => {
            let encoded = onnx::encode(&metadata, &weights)?;
            note_replaced(output);
            save(output, &encoded)?;
            let (opset, channels) = (onnx::OPSET, metadata.architecture.input_channels());
            let (output, classes) = (output.display(), metadata.architecture.classes());
            note(format!(
                "wrote {output}: ONNX opset {opset}, images [batch, {channels}, height, width] in \
                 0..1 to logits [batch, {classes}]"
            ));
        }
        ExportFormat::Safetensors => export_safetensors(output, &metadata, &weights)?,
        ExportFormat::Web | ExportFormat::Lesson => {
            export_page(output, &single_page(&metadata, &weights)?, "runs the network")?;
        }
    }
    Ok(())
}

/// Writes a page. `act` says what it does in the browser.
fn export_page(output: &Path, page: &str, act: &str) -> anyhow::Result<()> {
    note_replaced(output);
    save(output, page.as_bytes())?;
    note(format!(
        "wrote {}: a web page of {:.1} MB that {act} in the browser",
        output.display(),
        page.len() as f64 / 1e6
    ));
    Ok(())
}

fn export_safetensors(
    output: &Path,
    metadata: &ModelMetadata,
    weights: &Weights,
) -> anyhow::Result<()> {
    let Some(file_name) = output.file_name().and_then(|name| name.to_str()) else {
        return Err(CommandError::new(
            format!("`{}` is not a UTF-8 file name", output.display()),
            "pass a file name, such as --output model.safetensors",
        )
        .into());
    };
    let module_path = module_path(output, file_name)?;
    if metadata.preprocessing.whitening.is_some() {
        return Err(ExchangeError::Whitening.into());
    }
    let named = pytorch::from_ours(&metadata.architecture, weights)?;
    note_replaced(output);
    // PyTorch's libraries read the tensor layout from this key.
    save(output, &named.to_safetensors("format", "pt")?)?;
    save(&module_path, pytorch::module(metadata, file_name).as_bytes())?;
    note(format!(
        "wrote {} with PyTorch's tensor names, and {} to load it",
        output.display(),
        module_path.display()
    ));
    Ok(())
}

/// Returns the path for the module. Leaves other files alone, and modules of other weights, which would lose
/// theirs.
fn module_path(output: &Path, file_name: &str) -> anyhow::Result<PathBuf> {
    let path = output.with_file_name(MODULE);
    if path == output {
        let message =
            format!("`{MODULE}` is the name of the module that is written next to the weights");
        let hint = "choose another --output, such as --output model.safetensors";
        return Err(CommandError::new(message, hint).into());
    }
    let existing = read_file(&path, LARGEST_MODULE);
    let is_foreign = match &existing {
        Ok(bytes) => !bytes.starts_with(pytorch::GENERATED.as_bytes()),
        Err(_) => path.exists(),
    };
    let hint = "choose an --output in another folder: the module is written next to it";
    if is_foreign {
        let message =
            format!("`{}` is not a generated file and would be overwritten", path.display());
        return Err(CommandError::new(message, hint).into());
    }
    if let Ok(bytes) = existing
        && let Some(loaded) = pytorch::loaded_by(&String::from_utf8_lossy(&bytes))
        && loaded != file_name
        && path.with_file_name(&loaded).exists()
    {
        let message = format!("`{}` loads `{loaded}` and would be overwritten", path.display());
        return Err(CommandError::new(message, hint).into());
    }
    Ok(path)
}
