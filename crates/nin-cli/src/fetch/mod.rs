//! Downloads known data sets: resumes, retries, verifies, and renames into place.

mod error;
mod request;

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use nin_data::own_files::open_own_or_anew;
use nin_data::{DataError, KnownFile, read_images, read_labels};
use reqwest::Client;
use tokio::runtime::Runtime;

pub use error::FetchError;

use crate::output::note;

/// Attempts per server and file.
const ATTEMPTS: u32 = 4;
/// The pause after the first attempt. It doubles with each attempt.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// Fetches files.
pub struct Fetcher {
    runtime: Runtime,
    client: Client,
    /// Folders on servers, tried in this order.
    addresses: Vec<String>,
}

impl Fetcher {
    /// Returns a fetcher for these server folders. Gives up on a server that is silent for `silence`.
    pub fn new(addresses: Vec<String>, silence: Duration) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { runtime, client: request::client(silence)?, addresses })
    }

    /// Puts a verified file into a folder. Does nothing if it is already there.
    pub fn fetch(&self, file: &KnownFile, folder: &Path) -> Result<(), FetchError> {
        let path = folder.join(format!("{}.gz", file.name));
        let is_there = |path: &Path| sum(file, path).is_ok_and(|found| found == file.sha256);
        if is_there(&path) || is_there(&folder.join(file.name)) {
            return Ok(());
        }
        fs::create_dir_all(folder).map_err(failed("create", folder))?;
        let mut failure = None;
        for address in &self.addresses {
            let address = format!("{}/{}.gz", address.trim_end_matches('/'), file.name);
            match self.ask(file, &address, &path) {
                Ok(()) => return Ok(()),
                Err(error) => {
                    failure.get_or_insert(error);
                }
            }
        }
        failure.map_or(Ok(()), Err)
    }

    fn ask(&self, file: &KnownFile, address: &str, path: &Path) -> Result<(), FetchError> {
        let mut pause = FIRST_PAUSE;
        for attempt in 1.. {
            match self.attempt(file, address, path) {
                Err(error) if error.is_passing() && attempt < ATTEMPTS => {
                    note(format!("{error}; retrying in {:.1} s", pause.as_secs_f64()));
                    thread::sleep(pause);
                    pause *= 2;
                }
                other => return other,
            }
        }
        Ok(())
    }

    fn attempt(&self, file: &KnownFile, address: &str, path: &Path) -> Result<(), FetchError> {
        let part_path = with_ending(path, ".part");
        let mut part = open_own_or_anew(&part_path).map_err(failed("create", &part_path))?;
        if let Err(TryLockError::WouldBlock) = part.try_lock() {
            return Err(FetchError::Busy { path: part_path });
        }
        let append = request::append(&self.client, address, &mut part, &part_path);
        self.runtime.block_on(append)?;
        let checked = match sum(file, &part_path) {
            Ok(found) if found == file.sha256 => Ok(()),
            Ok(found) => {
                let (address, expected) = (address.to_owned(), file.sha256);
                Err(FetchError::Checksum { address, expected, found })
            }
            Err(source) => Err(FetchError::Content { address: address.to_owned(), source }),
        };
        if checked.is_err() {
            // There is nothing to resume from.
            part.set_len(0).map_err(failed("write", &part_path))?;
            return checked;
        }
        fs::rename(&part_path, path).map_err(failed("create", path))?;
        let folder = path.parent().unwrap_or(Path::new("."));
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed("write", folder))
    }
}

/// Returns the SHA-256 of a file's uncompressed content, if it is a complete file of a data set.
fn sum(file: &KnownFile, path: &Path) -> Result<String, DataError> {
    if file.holds_images { Ok(read_images(path)?.1) } else { Ok(read_labels(path)?.1) }
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> FetchError {
    let path = path.to_owned();
    move |source| FetchError::Io { path, action, source }
}
