//! `--progress tui` in a real terminal, provided by tmux.

use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use nin_testing::Need;

use crate::program::command;
use crate::workshop::Workshop;

/// A tmux session, killed on drop.
struct Terminal {
    socket: String,
}

impl Terminal {
    /// Opens a shell in a folder, in a terminal of 100x30 cells. Returns `None` without tmux.
    fn open(folder: &Path) -> Option<Self> {
        let socket = format!("nin-{}-{:?}", std::process::id(), thread::current().id());
        let terminal = Self { socket };
        let opened = Command::new("tmux")
            .args(["-L", &terminal.socket, "-f", "/dev/null", "new-session", "-d"])
            .args(["-x", "100", "-y", "30", "sh"])
            .current_dir(folder)
            .status();
        if opened.is_ok_and(|status| status.success()) {
            terminal.send(&["PS1='ready> '; clear", "Enter"]);
            terminal.wait_for("\nready>"); // trailing spaces are not captured
            return Some(terminal);
        }
        Need::Tmux.skip("there is no tmux");
        None
    }

    fn tmux(&self, arguments: &[&str]) -> String {
        let output =
            Command::new("tmux").args(["-L", &self.socket]).args(arguments).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn send(&self, keys: &[&str]) {
        self.tmux(&[&["send-keys"], keys].concat());
    }

    fn shown(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    /// Returns whether any text has one of the dashboard's two colours.
    fn is_coloured(&self) -> bool {
        let shown = self.tmux(&["capture-pane", "-p", "-e"]);
        ["\x1b[36m", "\x1b[33m"].iter().any(|colour| shown.contains(colour))
    }

    /// Waits until the text is shown, and returns the screen.
    fn wait_for(&self, text: &str) -> String {
        let begun = Instant::now();
        loop {
            let shown = format!("\n{}", self.shown());
            if shown.contains(text) {
                return shown;
            }
            assert!(begun.elapsed() < Duration::from_mins(1), "no `{text}` in\n{shown}");
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Types a training command with an environment variable.
    fn begin(&self, setting: &str, workshop: &Workshop, progress: &str, more: &str) {
        let train = command(workshop.path(), &[]);
        let program = train.get_program().to_string_lossy();
        let line = format!(
            "clear; {setting} {program} train --config small.toml --data data --run run --progress {progress} {more}; \
             echo code $?"
        );
        self.send(&[&line, "Enter"]);
    }

    /// Types a training command and waits for its dashboard. An empty `NO_COLOR` has no effect.
    fn train(&self, workshop: &Workshop, more: &str) {
        self.train_with("NO_COLOR=", workshop, more);
    }

    fn train_with(&self, setting: &str, workshop: &Workshop, more: &str) {
        self.begin(setting, workshop, "tui", more);
        self.wait_for("Ctrl-C: save the state");
    }

    /// Checks that the shell has its terminal back: input is echoed once, and run.
    fn assert_usable(&self) {
        self.send(&["clear", "Enter"]);
        // Input before the screen is cleared would be lost.
        let begun = Instant::now();
        while self.shown().trim() != "ready>" {
            assert!(begun.elapsed() < Duration::from_mins(1), "not cleared:\n{}", self.shown());
            thread::sleep(Duration::from_millis(50));
        }
        self.send(&["echo all''right", "Enter"]);
        let shown = self.wait_for("\nallright");
        assert!(shown.contains("ready> echo all''right"), "what is typed is shown: {shown}");
        let flags = self.tmux(&["display-message", "-p", "#{cursor_flag} #{alternate_on}"]);
        assert_eq!(flags.trim(), "1 0", "the cursor is shown on the first screen");
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}

const ENDLESS: &str = "--epochs 100000";

#[test]
fn ctrl_c_saves_the_training_and_restores_the_terminal() {
    let workshop = Workshop::new();
    let Some(terminal) = Terminal::open(workshop.path()) else { return };
    terminal.train(&workshop, ENDLESS);
    let shown = terminal.wait_for("test acc");
    for part in
        ["small on shapes", "loss", "accuracy", "images/s", "left", "epoch", "learning rate"]
    {
        assert!(shown.contains(part), "{part} is not in\n{shown}");
    }
    assert!(terminal.is_coloured());
    // Other keys are neither echoed nor stop the training, and a smaller window is fine.
    terminal.send(&["x", "C-z", "C-\\"]);
    terminal.tmux(&["resize-window", "-x", "60", "-y", "20"]);
    thread::sleep(Duration::from_millis(500));
    terminal.tmux(&["resize-window", "-x", "100", "-y", "30"]);
    terminal.wait_for("Ctrl-C: save the state");
    terminal.send(&["C-c"]);
    let shown = terminal.wait_for("code 130");
    assert!(shown.contains("interrupted, state saved; resume with: nin-cli train"), "{shown}");
    terminal.assert_usable();
}

#[test]
fn no_color_disables_colours() {
    let workshop = Workshop::new();
    let Some(terminal) = Terminal::open(workshop.path()) else { return };
    terminal.train_with("NO_COLOR=1", &workshop, ENDLESS);
    terminal.wait_for("test acc");
    assert!(!terminal.is_coloured(), "{}", terminal.shown());
    terminal.send(&["C-c"]);
    terminal.wait_for("code 130");
}

#[test]
fn a_finished_training_leaves_its_epochs_on_the_terminal() {
    let workshop = Workshop::new();
    let Some(terminal) = Terminal::open(workshop.path()) else { return };
    terminal.train(&workshop, "--epochs 60");
    let shown = terminal.wait_for("code 0");
    assert!(shown.contains("epoch 60/60: loss ") && shown.contains("test acc"), "{shown}");
    terminal.assert_usable();
}

#[test]
fn a_second_ctrl_c_exits_immediately_and_restores_the_terminal() {
    let workshop = Workshop::new();
    let Some(terminal) = Terminal::open(workshop.path()) else { return };
    terminal.train(&workshop, &format!("{ENDLESS} --set checkpoint.every_steps=1"));
    terminal.send(&["C-c", "C-c"]);
    terminal.wait_for("code 130");
    terminal.assert_usable();
}

#[test]
fn bars_are_aligned_and_the_title_wraps_between_words() {
    let workshop = Workshop::new();
    let Some(terminal) = Terminal::open(workshop.path()) else { return };
    terminal.begin("NO_COLOR=", &workshop, "bar", ENDLESS);
    terminal.wait_for("test acc");
    let shown = terminal.wait_for(" left");
    let ends: Vec<_> = shown
        .lines()
        .filter_map(|line| {
            let letters: Vec<_> = line.chars().collect();
            letters.iter().rposition(|letter| "━╸─".contains(*letter))
        })
        .collect();
    assert!(ends.len() == 2 && ends[0] == ends[1], "{ends:?} in\n{shown}");
    let title: Vec<_> = shown
        .lines()
        .skip_while(|line| !line.starts_with("small on shapes"))
        .take_while(|line| !line.starts_with("epoch "))
        .flat_map(str::split_whitespace)
        .collect();
    assert!(title.ends_with(&["run", "folder", "run"]), "{title:?}");
    terminal.send(&["C-c"]);
    terminal.wait_for("code 130");
}

#[test]
fn progress_is_plain_lines_without_a_terminal() {
    let workshop = Workshop::new();
    let line = "train --config small.toml --data data --run other --epochs 1 --progress tui";
    let finished = crate::program::nin(workshop.path(), &crate::workshop::words(line)).ok();
    assert!(finished.stderr.contains("no dashboard, using plain lines"), "{}", finished.stderr);
    assert!(finished.stderr.contains("epoch 1/1: loss"), "{}", finished.stderr);
}
