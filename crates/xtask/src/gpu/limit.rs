//! Programs that are ended when their time is over.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

/// How often a program is looked at.
const INTERVAL: Duration = Duration::from_millis(20);

/// When programs are ended.
pub(super) struct Limit {
    end: Option<Instant>,
}

/// A program ran out of time.
#[derive(Debug, thiserror::Error)]
#[error("out of time")]
struct OutOfTime;

/// Returns whether an error is that a program ran out of time.
pub(super) fn is_out_of_time(error: &anyhow::Error) -> bool {
    error.is::<OutOfTime>()
}

impl Limit {
    pub(super) fn none() -> Self {
        Self { end: None }
    }

    pub(super) fn after(time: Duration) -> Self {
        Self { end: Some(Instant::now() + time) }
    }

    /// Returns the time that is left, if there is a limit.
    pub(super) fn left(&self) -> Option<Duration> {
        self.end.map(|end| end.saturating_duration_since(Instant::now()))
    }

    /// Runs a program and returns what it printed.
    pub(super) fn printed(&self, command: &mut Command) -> anyhow::Result<String> {
        let name = format!("{command:?}");
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot run {name}"))?;
        let [output, said] = [collect(child.stdout.take()), collect(child.stderr.take())];
        let status = self.wait(&mut child)?;
        let [output, said] = [output, said].map(|thread| thread.join().unwrap_or_default());
        ensure!(status.success(), "{name}: {} {}", output.trim(), said.trim());
        Ok(output)
    }

    fn wait(&self, child: &mut Child) -> anyhow::Result<std::process::ExitStatus> {
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(status);
            }
            if self.left().is_some_and(|left| left.is_zero()) {
                child.kill()?;
                child.wait()?;
                return Err(OutOfTime.into());
            }
            thread::sleep(INTERVAL);
        }
    }
}

/// Reads a pipe to its end, so that the program never waits for it.
fn collect(pipe: Option<impl Read + Send + 'static>) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            let _ = pipe.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_ended_in_time() {
        let limit = Limit::after(Duration::from_millis(200));
        let start = Instant::now();
        let error = limit.printed(Command::new("sleep").arg("60")).unwrap_err();
        assert!(is_out_of_time(&error), "{error}");
        assert!(start.elapsed() < Duration::from_secs(30));
        assert_eq!(Limit::none().printed(Command::new("echo").arg("done")).unwrap(), "done\n");
        let error = Limit::none().printed(&mut Command::new("false")).unwrap_err();
        assert!(!is_out_of_time(&error), "{error}");
    }
}
