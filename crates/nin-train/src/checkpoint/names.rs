//! Names of checkpoint folders.

/// Returns the folder name of the checkpoint after this many epochs.
pub(super) fn epoch_name(epochs: usize) -> String {
    format!("epoch-{epochs:03}")
}

/// Returns the folder name of a checkpoint within an epoch.
pub(super) fn step_name(total_steps: usize) -> String {
    format!("step-{total_steps:08}")
}

/// Returns whether this is the exact name of a checkpoint's folder. `epoch-003-mine` belongs to the user.
pub(crate) fn is_folder_name(name: &str) -> bool {
    name.split_once('-').is_some_and(|(_, number)| {
        number.parse().is_ok_and(|number| name == epoch_name(number) || name == step_name(number))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_checkpoints_get() {
        for number in [0, 1, 15, 999, 9_990, 10_000, 999_999_995] {
            assert!(is_folder_name(&epoch_name(number)));
            assert!(is_folder_name(&step_name(number)));
        }
        for name in [
            "epoch-003-backup",
            "epoch-3",
            "epoch-0003",
            "epoch-+03",
            "step-5",
            "epoch-",
            "best",
            "",
        ] {
            assert!(!is_folder_name(name), "{name}");
        }
    }
}
