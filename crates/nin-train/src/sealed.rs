//! Files with a checksum of their own content, so that damage is detected.
//!
//! A resumed run depends on these files: one flipped bit in a seed would make another training. The SHA-256 is part of
//! the file, because two files cannot be replaced atomically. Files of earlier versions lack it and are accepted.

use std::path::{Path, PathBuf};

use nin_data::sha256;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::TrainError;
use crate::bounded::{LARGEST_JSON, read_file};

/// The last key of a JSON object, the checksum of all others.
const KEY: &str = "sha256";

/// The start of the last line of a text. The checksum of all lines above follows.
const LINE: &str = "# SHA-256 of the lines above: ";

/// Longest checksum file, in bytes. It holds one line.
const LONGEST_SUM: u64 = 1 << 10;

/// Returns a value as JSON with its checksum. The value must serialize to an object.
///
/// # Errors
/// [`TrainError::Io`] if the value cannot be represented in JSON.
pub(crate) fn json(path: &Path, value: &impl Serialize) -> Result<Vec<u8>, TrainError> {
    let failed = || {
        let failed = TrainError::io("write", path);
        move |error: serde_json::Error| failed(error.into())
    };
    let mut value = serde_json::to_value(value).map_err(failed())?;
    let sum = sum_of(&value);
    if let Value::Object(keys) = &mut value {
        keys.insert(KEY.to_owned(), sum.into());
    }
    serde_json::to_vec_pretty(&value).map_err(failed())
}

/// Reads a file that [`json`] made, and checks its checksum.
///
/// # Errors
/// [`TrainError::Damaged`], [`TrainError::Io`].
pub(crate) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, TrainError> {
    parse_json(path, &read_file(path, LARGEST_JSON)?)
}

pub(crate) fn parse_json<T: DeserializeOwned>(path: &Path, bytes: &[u8]) -> Result<T, TrainError> {
    let damaged = |error: &serde_json::Error| TrainError::Damaged {
        path: path.to_owned(),
        expected: "the JSON that this program writes".to_owned(),
        found: error.to_string(),
    };
    let mut value: Value = serde_json::from_slice(bytes).map_err(|error| damaged(&error))?;
    let sum = value.as_object_mut().and_then(|keys| keys.shift_remove(KEY));
    if let Some(expected) = sum {
        compare(path, expected.as_str().unwrap_or_default(), &sum_of(&value))?;
    }
    serde_json::from_value(value).map_err(|error| damaged(&error))
}

fn sum_of(value: &Value) -> String {
    sha256(value.to_string().as_bytes())
}

/// Returns a text with its checksum in an added last line, which is a TOML comment.
pub fn text(text: &str) -> String {
    let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    let text = format!("{text}{end}");
    let sum = sha256(text.as_bytes());
    format!("{text}{LINE}{sum}\n")
}

/// Checks the checksum of a text that [`text`] made. A text without one passes.
///
/// # Errors
/// [`TrainError::Damaged`] if the checksum does not match.
pub fn check_text(path: &Path, bytes: &[u8]) -> Result<(), TrainError> {
    let starts_line = |at: usize| at == 0 || bytes[at - 1] == b'\n';
    let mut starts = (0..bytes.len()).rev().filter(|&at| starts_line(at));
    let Some(at) = starts.find(|&at| bytes[at..].starts_with(LINE.as_bytes())) else {
        return Ok(());
    };
    let expected = String::from_utf8_lossy(&bytes[at + LINE.len()..]);
    compare(path, expected.trim_end(), &sha256(&bytes[..at]))
}

/// Returns the path of the checksum file of a file that is written once.
pub(crate) fn sum_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".sha256");
    name.into()
}

/// Returns the content of a checksum file, in the format of `sha256sum`.
pub(crate) fn sum_line(bytes: &[u8], path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    format!("{}  {name}\n", sha256(bytes))
}

/// Checks the content of a file against its checksum file, if it has one.
///
/// # Errors
/// [`TrainError::Damaged`] if the checksum does not match, [`TrainError::Io`].
pub(crate) fn check_beside(path: &Path, bytes: &[u8]) -> Result<(), TrainError> {
    let sum_path = sum_path(path);
    if sum_path.symlink_metadata().is_err() {
        return Ok(());
    }
    let line = read_file(&sum_path, LONGEST_SUM)?;
    let line = String::from_utf8_lossy(&line);
    compare(path, line.split_whitespace().next().unwrap_or_default(), &sha256(bytes))
}

fn compare(path: &Path, expected: &str, found: &str) -> Result<(), TrainError> {
    if expected == found {
        return Ok(());
    }
    Err(TrainError::Damaged {
        path: path.to_owned(),
        expected: format!("SHA-256 {expected}"),
        found: found.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Decision {
        seed: u64,
        rate: f64,
        names: Vec<String>,
    }

    fn decision() -> Decision {
        Decision { seed: 42, rate: 0.1, names: vec!["T-shirt".to_owned(), "caf\u{e9}".to_owned()] }
    }

    /// Each content with one bit flipped.
    fn flipped(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
        (0..bytes.len() * 8).map(|bit| {
            let mut bytes = bytes.to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            bytes
        })
    }

    #[test]
    fn no_flipped_bit_of_a_json_file_is_another_decision() {
        let path = Path::new("decision.json");
        let bytes = json(path, &decision()).unwrap();
        assert_eq!(parse_json::<Decision>(path, &bytes).unwrap(), decision());
        let mut refused = 0;
        for bytes in flipped(&bytes) {
            match parse_json::<Decision>(path, &bytes) {
                Ok(found) => assert_eq!(found, decision()),
                Err(_) => refused += 1,
            }
        }
        assert!(refused > bytes.len() * 6, "{refused}");
    }

    #[test]
    fn no_flipped_bit_of_a_text_is_another_text() {
        const TEXT: &str = "seed = 42\nname = \"a\"\n";
        let path = Path::new("recipe.toml");
        let sealed = text(TEXT);
        check_text(path, sealed.as_bytes()).unwrap();
        let parsed = |text: &str| text.parse::<toml::Table>();
        for bytes in flipped(sealed.as_bytes()) {
            let Ok(text) = String::from_utf8(bytes) else { continue };
            if check_text(path, text.as_bytes()).is_ok()
                && let Ok(found) = parsed(&text)
            {
                assert_eq!(found, parsed(TEXT).unwrap(), "{text}");
            }
        }
    }

    #[test]
    fn files_of_earlier_versions_are_taken_as_they_are() {
        let bytes = serde_json::to_vec(&decision()).unwrap();
        assert_eq!(parse_json::<Decision>(Path::new("a"), &bytes).unwrap(), decision());
        for text in ["", "seed = 42", "seed = 42\n# a remark\n"] {
            check_text(Path::new("a"), text.as_bytes()).unwrap();
        }
    }

    #[test]
    fn what_is_behind_the_sum_is_refused() {
        let edited = format!("{}seed = 43\n", text("seed = 42\n"));
        let error = check_text(Path::new("recipe.toml"), edited.as_bytes()).unwrap_err();
        assert!(
            error.to_string().contains("`recipe.toml` is damaged: expected SHA-256"),
            "{error}"
        );
    }

    #[test]
    fn a_sum_beside_a_file_is_that_of_sha256sum() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("start.safetensors");
        check_beside(&path, b"weights").unwrap();
        std::fs::write(sum_path(&path), sum_line(b"weights", &path)).unwrap();
        check_beside(&path, b"weights").unwrap();
        check_beside(&path, b"weightz").unwrap_err();
        std::fs::write(&path, b"weights").unwrap();
        let status = std::process::Command::new("sha256sum")
            .args(["-c", "start.safetensors.sha256"])
            .current_dir(root.path())
            .stdout(std::process::Stdio::null())
            .status();
        assert!(status.unwrap().success());
    }
}
