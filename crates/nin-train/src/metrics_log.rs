//! The log of a run, `metrics.jsonl`: one line of JSON per event.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::bounded::open_file;
use crate::epoch_report::EpochReport;
use crate::events::{Event, Observer, Progress, RunDescription, last_attempt};
use crate::{RunFolder, TrainError, durable};

/// Longest line that is read, in bytes. An alarm may name about ten thousand classes.
const LONGEST_LINE: u64 = 4 << 20;

/// Longest log that is read, in bytes: forty thousand epochs. As events, it takes a few times as much memory.
const LARGEST_LOG: u64 = 64 << 20;

/// Limit on the lines kept in memory while the disk is full, in bytes.
const MOST_UNWRITTEN: usize = 16 << 20;

/// Appends events to `metrics.jsonl` and passes them on to the observer.
pub(crate) struct MetricsLog {
    run: RunFolder,
    /// The file; `None` on a rank that does not write the run.
    file: Option<File>,
    bytes: u64,
    /// Hash of these bytes.
    sum: Sha256,
    /// Lines that are not written yet because the disk was full.
    unwritten: Vec<u8>,
    /// The last finished epoch of the current attempt.
    last_epoch: Option<EpochReport>,
    observer: Box<dyn Observer>,
}

/// The part of the log that a checkpoint refers to.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct LoggedSoFar<'a> {
    /// Its length, in bytes.
    pub(crate) bytes: u64,
    /// Its SHA-256; checkpoints of earlier versions lack it.
    pub(crate) sha256: Option<&'a str>,
}

impl MetricsLog {
    /// Opens the log, and cuts off what was logged after the checkpoint. A damaged log is a warning in the log.
    pub(crate) fn open(
        run: &RunFolder,
        logged: LoggedSoFar<'_>,
        observer: Box<dyn Observer>,
    ) -> Result<Self, TrainError> {
        let path = run.metrics_path();
        let keep_bytes = logged.bytes;
        let mut file = durable::open_or_create(&path, LARGEST_LOG)?;
        let (bytes, found) =
            cut_back(&mut file, keep_bytes).map_err(TrainError::io("cut", &path))?;
        let sum = sum_of(&mut file).map_err(TrainError::io("read", &path))?;
        let last_epoch = last_epoch(last_attempt(&read_events(&path)?));
        let (run, unwritten) = (run.clone(), Vec::new());
        let file = Some(file);
        let mut log = Self { run, file, bytes, sum, unwritten, last_epoch, observer };
        let (sum, expected) = (log.sha256(), logged.sha256);
        if bytes == keep_bytes && expected.is_some_and(|expected| expected != sum) {
            log.warn(format!(
                "`{}` is damaged: expected SHA-256 {}, found {sum}; its figures may be wrong, but the \
                 training continues from its checkpoint",
                path.display(),
                expected.unwrap_or_default()
            ))?;
        }
        if bytes < keep_bytes {
            log.warn(format!(
                "`{}` is damaged: expected at least {keep_bytes} bytes of whole lines, found \
                 {found}; only log lines are lost, the training continues from its checkpoint",
                path.display()
            ))?;
        }
        Ok(log)
    }

    /// Creates a log that keeps nothing but the last epoch, for a rank that does not write the run.
    pub(crate) fn unwritten(run: &RunFolder) -> Self {
        Self {
            run: run.clone(),
            file: None,
            bytes: 0,
            sum: Sha256::new(),
            unwritten: Vec::new(),
            last_epoch: None,
            observer: Box::new(()),
        }
    }

    /// Passes an event to the observer and logs it. On a full disk, keeps the event in memory until a later write.
    pub(crate) fn event(&mut self, event: Event) -> Result<(), TrainError> {
        let path = self.run.metrics_path();
        let mut line = serde_json::to_vec(&event)
            .map_err(|error| TrainError::io("write", &path)(error.into()))?;
        line.push(b'\n');
        self.unwritten.extend(line);
        self.observer.event(&event);
        match event {
            Event::Epoch(report) => self.last_epoch = Some(report),
            Event::Restart { .. } => self.last_epoch = None,
            _ => {}
        }
        match self.write() {
            Err(error) if error.is_out_of_space() && self.unwritten.len() < MOST_UNWRITTEN => {
                Ok(())
            }
            other => other,
        }
    }

    /// Returns the last finished epoch of the current attempt.
    pub(crate) fn last_epoch(&self) -> Option<EpochReport> {
        self.last_epoch.clone()
    }

    /// Logs a warning.
    pub(crate) fn warn(&mut self, message: String) -> Result<(), TrainError> {
        self.event(Event::Warning { message })
    }

    /// Tells the observer that another attempt starts.
    pub(crate) fn begin(&mut self, description: &RunDescription) {
        self.observer.begin(description);
    }

    /// Passes progress to the observer.
    pub(crate) fn progress(&mut self, progress: &Progress) {
        self.observer.progress(progress);
    }

    /// Returns the SHA-256 of the written part, in hexadecimal.
    pub(crate) fn sha256(&self) -> String {
        self.sum.clone().finalize().iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }

    /// Flushes the log to disk and returns its length, in bytes.
    pub(crate) fn flush(&mut self) -> Result<u64, TrainError> {
        self.write()?;
        if let Some(file) = &self.file {
            file.sync_data().map_err(TrainError::io("write", self.run.metrics_path()))?;
        }
        Ok(self.bytes)
    }

    /// Writes the remaining lines at the end of a training.
    ///
    /// # Errors
    /// [`TrainError::NotSaved`] if the disk is still full.
    pub(crate) fn finish(&mut self) -> Result<(), TrainError> {
        self.write().map_err(|error| match error {
            full if full.is_out_of_space() => {
                TrainError::NotSaved { path: self.run.path().to_owned(), source: Box::new(full) }
            }
            other => other,
        })
    }

    /// Writes all pending lines, or none of them.
    fn write(&mut self) -> Result<(), TrainError> {
        let Some(file) = &mut self.file else {
            self.unwritten.clear();
            return Ok(());
        };
        self.run.check_place()?;
        if let Err(error) = file.write_all(&self.unwritten) {
            let back = file.set_len(self.bytes);
            let back = back.and_then(|()| file.seek(SeekFrom::Start(self.bytes)));
            let error = back.err().unwrap_or(error);
            return Err(TrainError::io("write", self.run.metrics_path())(error));
        }
        self.sum.update(&self.unwritten);
        self.bytes += self.unwritten.len() as u64;
        self.unwritten.clear();
        Ok(())
    }
}

fn last_epoch(events: &[Event]) -> Option<EpochReport> {
    events.iter().rev().find_map(|event| match event {
        Event::Epoch(report) => Some(report.clone()),
        _ => None,
    })
}

/// Truncates a log to this many bytes, or to the last complete line before. Returns the new and the old length, in
/// bytes.
fn cut_back(file: &mut File, keep_bytes: u64) -> io::Result<(u64, u64)> {
    let found = file.metadata()?.len();
    let mut keep = keep_bytes.min(found);
    // If the checkpoint and the log belong together, this is the end of a line.
    let start = keep.saturating_sub(LONGEST_LINE);
    let mut tail = Vec::new();
    file.seek(SeekFrom::Start(start))?;
    Read::by_ref(file).take(keep - start).read_to_end(&mut tail)?;
    keep = start + tail.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at as u64 + 1);
    file.set_len(keep)?;
    file.seek(SeekFrom::Start(keep))?;
    Ok((keep, found))
}

/// Hashes a whole file. Leaves the cursor at its end.
fn sum_of(file: &mut File) -> io::Result<Sha256> {
    file.rewind()?;
    let mut sum = Sha256::new();
    io::copy(file, &mut sum)?;
    Ok(sum)
}

/// Reads the events of a `metrics.jsonl`. Skips lines that are not events, such as an incomplete last line after a
/// crash.
///
/// # Errors
/// [`TrainError::Damaged`] if the path is not a regular file or the file is longer than 64 MiB; [`TrainError::Io`].
pub fn read_events(path: &Path) -> Result<Vec<Event>, TrainError> {
    Ok(read_lines(path)?.0)
}

/// Reads the events like [`read_events`], and refuses a file with lines but without events.
///
/// # Errors
/// Those of [`read_events`], and [`TrainError::NoEvents`].
pub(crate) fn read_log(path: &Path) -> Result<Vec<Event>, TrainError> {
    match read_lines(path)? {
        (events, lines) if events.is_empty() && lines > 0 => {
            Err(TrainError::NoEvents { path: path.to_owned(), lines })
        }
        (events, _) => Ok(events),
    }
}

/// Returns the end of the last line that starts this attempt with this seed, in bytes; `None` if there is none.
pub(crate) fn restart_end(
    path: &Path,
    attempt: usize,
    seed: u64,
) -> Result<Option<u64>, TrainError> {
    if path.symlink_metadata().is_err() {
        return Ok(None);
    }
    let (mut found, mut end) = (None, 0);
    each_line(path, |line| {
        end += line.len() as u64;
        if let Ok(Event::Restart { attempt: begun, seed: with, .. }) = serde_json::from_slice(line)
            && (begun, with) == (attempt, seed)
        {
            found = Some(end);
        }
    })?;
    Ok(found)
}

/// Reads the events of a file and counts its complete lines.
fn read_lines(path: &Path) -> Result<(Vec<Event>, usize), TrainError> {
    let (mut events, mut lines) = (Vec::new(), 0);
    each_line(path, |line| {
        lines += usize::from(line.ends_with(b"\n"));
        events.extend(serde_json::from_slice::<Event>(line));
    })?;
    Ok((events, lines))
}

fn each_line(path: &Path, mut seen: impl FnMut(&[u8])) -> Result<(), TrainError> {
    let mut reader = BufReader::new(open_file(path, LARGEST_LOG)?);
    loop {
        let mut line = Vec::new();
        let mut bounded = Read::take(&mut reader, LONGEST_LINE);
        let length = bounded.read_until(b'\n', &mut line).map_err(TrainError::io("read", path))?;
        if length == 0 {
            return Ok(());
        }
        seen(&line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run() -> (tempfile::TempDir, RunFolder) {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("recipe.toml"), "").unwrap();
        let run = RunFolder::open(root.path()).unwrap();
        (root, run)
    }

    fn resume(step: usize) -> Event {
        Event::Resume { epoch: 1, step }
    }

    #[test]
    fn what_was_logged_behind_the_checkpoint_is_cut_off() {
        let (_root, run) = run();
        let mut log = MetricsLog::open(&run, LoggedSoFar::default(), Box::new(())).unwrap();
        log.event(resume(1)).unwrap();
        let bytes = log.flush().unwrap();
        log.event(resume(2)).unwrap();
        let mut log =
            MetricsLog::open(&run, LoggedSoFar { bytes, sha256: None }, Box::new(())).unwrap();
        log.event(resume(3)).unwrap();
        assert_eq!(read_events(&run.metrics_path()).unwrap(), [resume(1), resume(3)]);
    }

    #[test]
    fn a_flipped_bit_of_the_log_is_a_warning_and_none_is_none() {
        let (_root, run) = run();
        let mut log = MetricsLog::open(&run, LoggedSoFar::default(), Box::new(())).unwrap();
        log.event(resume(1)).unwrap();
        let (bytes, sum) = (log.flush().unwrap(), log.sha256());
        let whole = std::fs::read(run.metrics_path()).unwrap();
        assert_eq!(sum, nin_data::sha256(&whole));
        for is_damaged in [false, true] {
            let mut content = whole.clone();
            content[bytes as usize / 2] ^= u8::from(is_damaged);
            std::fs::write(run.metrics_path(), content).unwrap();
            let kept = LoggedSoFar { bytes, sha256: Some(&sum) };
            let mut log = MetricsLog::open(&run, kept, Box::new(())).unwrap();
            let events = read_events(&run.metrics_path()).unwrap();
            let warned = events.iter().any(|event| matches!(event, Event::Warning { .. }));
            assert_eq!(warned, is_damaged);
            log.event(resume(2)).unwrap();
            log.flush().unwrap();
            let content = std::fs::read(run.metrics_path()).unwrap();
            assert_eq!(log.sha256(), nin_data::sha256(&content));
        }
    }

    #[test]
    fn a_log_that_lost_lines_is_a_warning() {
        let (_root, run) = run();
        let mut log = MetricsLog::open(&run, LoggedSoFar::default(), Box::new(())).unwrap();
        log.event(resume(1)).unwrap();
        log.event(resume(2)).unwrap();
        let bytes = log.flush().unwrap();
        for (found, left) in [(bytes - 3, 1), (3, 0), (0, 0)] {
            let file = std::fs::OpenOptions::new().write(true).open(run.metrics_path()).unwrap();
            file.set_len(found).unwrap();
            let mut log =
                MetricsLog::open(&run, LoggedSoFar { bytes, sha256: None }, Box::new(())).unwrap();
            let message = format!("expected at least {bytes} bytes of whole lines, found {found}");
            let events = read_events(&run.metrics_path()).unwrap();
            assert!(
                matches!(events.last(), Some(Event::Warning { message: said })
                    if said.contains(&message)),
                "{events:?}"
            );
            log.event(resume(3)).unwrap();
            let text = std::fs::read_to_string(run.metrics_path()).unwrap();
            assert_eq!(text.lines().count(), left + 2, "{text}");
            assert_eq!(read_events(&run.metrics_path()).unwrap().len(), left + 2);
        }
    }
}
