//! The record of a run: a line of JSON an event, and the curves drawn from it.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::Path;

use crate::events::{Event, Observer, Progress};
use crate::{RunFolder, TrainError, curves};

/// No line that this program writes is longer.
const LONGEST_LINE: u64 = 1 << 16;

/// Appends events to `metrics.jsonl`, draws `curves.svg`, and tells whoever watches.
pub(crate) struct Recorder {
    run: RunFolder,
    file: File,
    bytes: u64,
    events: Vec<Event>,
    observer: Box<dyn Observer>,
}

impl Recorder {
    /// Goes on after the first `keep_bytes` bytes of the run's record; the rest is cut off.
    pub(crate) fn open(
        run: &RunFolder,
        keep_bytes: u64,
        observer: Box<dyn Observer>,
    ) -> Result<Self, TrainError> {
        let path = run.metrics_path();
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path)
            .map_err(TrainError::io("open", &path))?;
        let length = file.metadata().map_err(TrainError::io("read", &path))?.len();
        if length < keep_bytes {
            return Err(TrainError::Damaged {
                path,
                expected: format!("at least the {keep_bytes} bytes of the checkpoint"),
                found: format!("{length} bytes"),
            });
        }
        file.set_len(keep_bytes).map_err(TrainError::io("write", &path))?;
        file.seek(SeekFrom::End(0)).map_err(TrainError::io("write", &path))?;
        let events = read_events(&path)?;
        Ok(Self { run: run.clone(), file, bytes: keep_bytes, events, observer })
    }

    /// Length of the record, in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Writes an event down and tells the observer.
    pub(crate) fn event(&mut self, event: Event) -> Result<(), TrainError> {
        let path = self.run.metrics_path();
        let mut line = serde_json::to_vec(&event)
            .map_err(|error| TrainError::io("write", &path)(error.into()))?;
        line.push(b'\n');
        self.file.write_all(&line).map_err(TrainError::io("write", &path))?;
        self.bytes += line.len() as u64;
        self.observer.event(&event);
        self.events.push(event);
        Ok(())
    }

    /// Tells the observer where the run is.
    pub(crate) fn progress(&mut self, progress: &Progress) {
        self.observer.progress(progress);
    }

    /// Draws the curves of all events so far.
    pub(crate) fn draw(&self) -> Result<(), TrainError> {
        curves::write(&self.run.curves_path(), &self.events)
    }
}

/// The events of a `metrics.jsonl`. Lines that are no events, which a crash may leave at the end,
/// are passed over.
///
/// # Errors
/// [`TrainError::Io`].
pub fn read_events(path: &Path) -> Result<Vec<Event>, TrainError> {
    let file = File::open(path).map_err(TrainError::io("read", path))?;
    let mut reader = BufReader::new(file);
    let mut events = Vec::new();
    loop {
        let mut line = Vec::new();
        let mut bounded = std::io::Read::take(&mut reader, LONGEST_LINE);
        let length = bounded.read_until(b'\n', &mut line).map_err(TrainError::io("read", path))?;
        if length == 0 {
            return Ok(events);
        }
        events.extend(serde_json::from_slice::<Event>(&line));
    }
}
