//! Signals, closed pipes, and a second process that trains the same run.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};

use crate::program::{Finished, command, kill, metrics, nin};
use crate::workshop::Workshop;

/// More epochs than any test waits for.
const ENDLESS: [&str; 2] = ["--epochs", "100000"];

/// A training process.
pub(crate) struct Running {
    child: Child,
    stderr: BufReader<ChildStderr>,
}

impl Running {
    /// Starts `train` and waits until the run has started. Progress is JSON on stderr.
    pub(crate) fn start(workshop: &Workshop, arguments: &[&str]) -> Self {
        let progress = ["--progress", "json"];
        let command = command(workshop.path(), &[&["train"][..], arguments, &progress].concat());
        Self::start_command(command)
    }

    /// Starts a training by this command and waits until it has started. Its progress must be JSON.
    pub(crate) fn start_command(command: Command) -> Self {
        let mut running = Self::spawn(command);
        running.wait_for(r#""event":"step""#);
        running
    }

    fn spawn(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        Self { child, stderr }
    }

    /// Reads stderr up to a line with this text, and returns the line.
    pub(crate) fn wait_for(&mut self, text: &str) -> String {
        loop {
            let mut line = String::new();
            let length = self.stderr.read_line(&mut line).unwrap();
            assert!(length > 0, "the program ended before it said {text}");
            if line.contains(text) {
                return line;
            }
        }
    }

    pub(crate) fn signal(&self, signal: &str) {
        kill(signal, self.child.id());
    }

    /// Reads the rest of stderr and waits for the process.
    pub(crate) fn finish(mut self) -> Finished {
        let (mut stdout, mut stderr) = (String::new(), String::new());
        self.stderr.read_to_string(&mut stderr).unwrap();
        self.child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
        Finished { code: self.child.wait().unwrap().code(), stdout, stderr }
    }

    /// Closes the reading ends of stdout and stderr, and waits for the process.
    fn abandon(mut self) -> Option<i32> {
        drop(self.stderr);
        drop(self.child.stdout.take());
        self.child.wait().unwrap().code()
    }
}

fn small<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["--config", "small.toml", "--data", "data", "--run", "run"][..], more].concat()
}

#[test]
fn sigterm_and_sighup_save_the_state_and_print_the_resume_command() {
    for signal in ["-TERM", "-HUP", "-INT"] {
        let workshop = Workshop::new();
        let running = Running::start(&workshop, &small(&ENDLESS));
        running.signal(signal);
        let finished = running.finish();
        assert_eq!(finished.code, Some(130), "{signal}: {}", finished.stderr);
        let line = finished.stderr.lines().last().unwrap();
        let resume = line.split_once("resume with: nin-cli train ").unwrap().1;
        assert_eq!(resume, "--run run --resume --data data");

        // The printed command resumes the run from where it stopped.
        let steps = |workshop: &Workshop| {
            let events = metrics(&workshop.path().join("run"));
            let last = events.iter().rev().find(|event| event["event"] == "checkpoint").cloned();
            last.unwrap()["total_steps"].as_u64().unwrap()
        };
        let before = steps(&workshop);
        let running = Running::start(&workshop, &resume.split(' ').collect::<Vec<_>>());
        running.signal(signal);
        assert_eq!(running.finish().code, Some(130));
        assert!(steps(&workshop) > before);
    }
}

#[test]
fn a_second_signal_exits_immediately_and_leaves_no_partial_file() {
    let workshop = Workshop::new();
    let running = Running::start(&workshop, &small(&[&ENDLESS[..], &EVERY_STEP].concat()));
    running.signal("-INT");
    running.signal("-TERM");
    let begun = Instant::now();
    let finished = running.finish();
    assert_eq!(finished.code, Some(130), "{}", finished.stderr);
    assert!(begun.elapsed() < Duration::from_secs(5));
    let evaluated = nin(workshop.path(), &["eval", "--checkpoint", "run", "--data", "data"]).ok();
    assert!(evaluated.stdout.contains("60 images"), "{}", evaluated.stdout);
}

const EVERY_STEP: [&str; 2] = ["--set", "checkpoint.every_steps=1"];

#[test]
fn closed_pipes_do_not_end_training() {
    for progress in ["plain", "bar", "json"] {
        let workshop = Workshop::new();
        let arguments = small(&["--epochs", "10", "--progress", progress]);
        // Like a closed terminal or `| head`.
        let running =
            Running::spawn(command(workshop.path(), &[&["train"][..], &arguments].concat()));
        assert_eq!(running.abandon(), Some(0), "{progress}");
        let summary = std::fs::read_to_string(workshop.path().join("run/summary.json")).unwrap();
        assert!(summary.contains(r#""epochs": 10"#), "{summary}");
    }
}

/// Bytes in a pipe that may be full: its pages are full, but for the rest of a line.
const ALMOST_FULL: u64 = 58_000;

#[test]
fn a_reader_that_stops_reading_does_not_keep_a_terminated_training_from_saving() {
    let workshop = Workshop::new();
    let mut running = Running::start(&workshop, &small(&ENDLESS));
    // As `mpirun` after its SIGTERM: the pipe stays open and fills up.
    let (begun, mut unread) = (Instant::now(), 0);
    loop {
        assert!(begun.elapsed() < Duration::from_mins(2), "{unread} bytes in the pipe");
        std::thread::sleep(Duration::from_secs(1));
        let now = rustix::io::ioctl_fionread(running.stderr.get_ref()).unwrap();
        if now == std::mem::replace(&mut unread, now) && now > ALMOST_FULL {
            break;
        }
    }
    running.signal("-TERM");
    let begun = Instant::now();
    while running.child.try_wait().unwrap().is_none() {
        assert!(begun.elapsed() < Duration::from_secs(20), "the program still waits");
        std::thread::sleep(Duration::from_millis(50));
    }
    let finished = running.finish();
    assert_eq!(finished.code, Some(130), "{}", finished.stderr);
    assert!(!finished.stderr.contains("interrupted"), "the pipe was not full");
    let events = metrics(&workshop.path().join("run"));
    assert_eq!(events.last().unwrap()["ending"], "interrupted", "{:?}", events.last());
}

#[test]
fn training_under_nohup_outlives_its_terminal() {
    let workshop = Workshop::new();
    let train = command(workshop.path(), &[]);
    let arguments = small(&["--epochs", "20", "--progress", "json"]);
    let mut nohup = Command::new("sh");
    nohup
        .current_dir(workshop.path())
        .args(["-c", r#"trap "" HUP; exec "$0" "$@""#])
        .arg(train.get_program())
        .arg("train")
        .args(arguments);
    let mut running = Running::spawn(nohup);
    running.wait_for(r#""event":"step""#);
    running.signal("-HUP");
    let finished = running.finish();
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
}

#[test]
fn only_one_process_trains_a_run() {
    let workshop = Workshop::new();
    let running = Running::start(&workshop, &small(&ENDLESS));
    let holder = format!("error: the run `run` is being trained by process {}", running.child.id());
    for more in [&["--resume"][..], &[]] {
        let second = nin(workshop.path(), &[&["train"][..], &small(more)].concat());
        assert_eq!(second.code, Some(1), "{}", second.stderr);
        assert!(second.stderr.contains(&holder), "{}", second.stderr);
        assert!(second.stderr.contains("hint: "), "{}", second.stderr);
    }
    // The lock is released however the holder ends.
    running.signal("-KILL");
    assert_eq!(running.finish().code, None);
    let resume = ["--run", "run", "--resume", "--data", "data"];
    let running = Running::start(&workshop, &resume);
    running.signal("-TERM");
    assert_eq!(running.finish().code, Some(130));
}
