//! Hints: the libraries' own, with the flags of the program, which no library knows.

use nin_data::DataError;
use nin_exchange::ExchangeError;
use nin_model::ModelError;
use nin_train::recipe::RecipeError;
use nin_train::{TrainError, one_line};

use crate::error::{CommandError, NOT_FETCHED};
use crate::fetch::FetchError;

/// Returns the hint of the first cause that has one. The program's own errors come first.
pub fn hint(error: &anyhow::Error) -> Option<String> {
    let mut causes = error.chain();
    if let Some(error) = causes.find_map(|cause| cause.downcast_ref::<CommandError>()) {
        return Some(error.hint.clone());
    }
    if is_of_url(error) {
        return Some(NOT_FETCHED.to_owned());
    }
    error.chain().find_map(|cause| {
        if let Some(error) = cause.downcast_ref::<FetchError>() {
            return Some(error.hint());
        }
        if let Some(error) = cause.downcast_ref::<TrainError>() {
            return Some(with_flags(error.hint(), of_training(error)));
        }
        if let Some(error) = cause.downcast_ref::<RecipeError>() {
            return Some(with_flags(error.hint(), of_recipe(error)));
        }
        if let Some(error) = cause.downcast_ref::<ExchangeError>() {
            return Some(with_flags(error.hint(), of_exchange(error)));
        }
        if let Some(error) = cause.downcast_ref::<DataError>() {
            return Some(with_flags(error.hint(), of_data(error)));
        }
        let error = cause.downcast_ref::<ModelError>()?;
        Some(with_flags(error.hint(), of_model(error)))
    })
}

/// Returns whether something cannot be read because its path is a URL.
fn is_of_url(error: &anyhow::Error) -> bool {
    let fetches = error.chain().any(|cause| cause.downcast_ref::<FetchError>().is_some());
    let line = one_line(error.as_ref());
    !fetches && ["`http://", "`https://"].iter().any(|start| line.contains(start))
}

fn with_flags(hint: String, flags: Option<String>) -> String {
    match flags {
        Some(flags) => format!("{hint} ({flags})"),
        None => hint,
    }
}

fn of_training(error: &TrainError) -> Option<String> {
    let flags = match error {
        TrainError::Recipe(error) => return of_recipe(error),
        TrainError::Data(error) => return of_data(error),
        TrainError::Model(error) | TrainError::Weights { source: error, .. } => {
            return of_model(error);
        }
        TrainError::NotSaved { path, source } if source.is_out_of_space() => {
            return Some(format!("nin-cli train --run {} --resume", path.display()));
        }
        TrainError::NotSaved { source, .. } => return of_training(source),
        TrainError::Damaged { path, .. } if path.ends_with("recipe.toml") => {
            "for keys that may change on resume: --set KEY=VALUE"
        }
        TrainError::RunExists { .. } => "--resume, or --run FOLDER",
        TrainError::NotARun { .. }
        | TrainError::RecipeChanged { .. }
        | TrainError::NoWholeCheckpoint { .. }
        | TrainError::RunLocked { .. } => "--run FOLDER",
        TrainError::DataMismatch { .. } => "--dataset NAME, --data DIR",
        TrainError::NonFinite { skipped: 0, .. } => {
            "--learning-rate X, or --resume --on-non-finite skip"
        }
        TrainError::NonFinite { .. } => "--learning-rate X",
        TrainError::DataChanged { .. } => "--data DIR, or --run FOLDER",
        TrainError::Io { action, .. } if *action != "read" && !error.is_out_of_space() => {
            "--run FOLDER"
        }
        _ => return None,
    };
    Some(flags.to_owned())
}

fn of_recipe(error: &RecipeError) -> Option<String> {
    match error {
        RecipeError::Model(error) => of_model(error),
        RecipeError::NotAssignment { .. } => Some("--set KEY=VALUE".to_owned()),
        RecipeError::Refused { key, .. } => Some(format!("--set {key}=VALUE")),
        _ => None,
    }
}

fn of_data(error: &DataError) -> Option<String> {
    let flags = match error {
        DataError::NotFound { .. } => "--data DIR, --dataset NAME",
        DataError::Name { .. } | DataError::Checksum { .. } => "--data DIR",
        DataError::Label { .. } | DataError::SeveralSets { .. } => "--dataset NAME",
        _ => return None,
    };
    Some(flags.to_owned())
}

fn of_model(error: &ModelError) -> Option<String> {
    let flags = match error {
        ModelError::Device { .. } => "--backend NAME",
        ModelError::DeviceFailed { .. } => "--batch-size N, --adapter NAME, --backend flex",
        ModelError::NoF16 { .. } => {
            "--set training.precision=fp32 --weights FILE, or --backend wgpu"
        }
        ModelError::Metadata { .. } => "nin-cli import --from FILE --config NAME-OR-FILE",
        _ => return None,
    };
    Some(flags.to_owned())
}

fn of_exchange(error: &ExchangeError) -> Option<String> {
    let flags = match error {
        ExchangeError::Model(
            ModelError::MissingTensor { .. }
            | ModelError::ExtraTensor { .. }
            | ModelError::TensorShape { .. },
        ) => "--config NAME-OR-FILE",
        ExchangeError::NotInOnnx { .. } | ExchangeError::TooLargeForOnnx { .. } => {
            "--to safetensors"
        }
        _ => return None,
    };
    Some(flags.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_about_an_address_keeps_its_hint() {
        let error = CommandError::new("`http://127.0.0.1:8080` is not an address", "name a host");
        assert_eq!(hint(&error.into()).as_deref(), Some("name a host"));
    }
}
