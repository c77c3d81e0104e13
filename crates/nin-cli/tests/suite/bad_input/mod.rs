//! Every bad input gets an exit code, one `error:` line that names what was found,
//! and a `hint:`.

mod checkpoints;
mod cifar;
mod data;
mod pictures;
mod recipes;
mod runs;

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::program::{Finished, finish, isolate, nin};

/// A bad input, and the expected error.
struct Case {
    /// Creates the input in an empty folder, in which the program then runs.
    prepare: Box<dyn Fn(&Path)>,
    arguments: Vec<&'static str>,
    /// Each is part of the `error:` line or the `hint:` line.
    expected: Vec<&'static str>,
    /// Whether the program must not run as root, whom permissions do not bind.
    as_ordinary_user: bool,
}

impl Case {
    fn new(arguments: &[&'static str], expected: &[&'static str]) -> Self {
        Self::after(|_| {}, arguments, expected)
    }

    fn after(
        prepare: impl Fn(&Path) + 'static,
        arguments: &[&'static str],
        expected: &[&'static str],
    ) -> Self {
        Self {
            prepare: Box::new(prepare),
            arguments: arguments.to_vec(),
            expected: expected.to_vec(),
            as_ordinary_user: false,
        }
    }

    /// Writes a valid data set to `data` with `write`, then damages it.
    fn damaged(
        write: impl Fn(&Path) + 'static,
        damage: impl Fn(&Path) + 'static,
        arguments: &[&'static str],
        expected: &[&'static str],
    ) -> Self {
        let prepare = move |folder: &Path| {
            let data = folder.join("data");
            fs::create_dir(&data).unwrap();
            write(&data);
            damage(&data);
        };
        Self::after(prepare, arguments, expected)
    }

    /// Returns what is wrong with the output, if anything.
    fn check(&self) -> Result<(), String> {
        let Self { prepare, arguments, expected, as_ordinary_user } = self;
        let folder = tempfile::tempdir().unwrap();
        prepare(folder.path());
        let mut command = within_limits(folder.path(), arguments);
        if *as_ordinary_user && is_root() {
            // Other users may not have access to the target folder.
            let copy = folder.path().join("nin-cli");
            // Copied by another process: while this one has the copy open for writing, a child of another
            // test inherits the descriptor, and the copy cannot be executed.
            assert!(Command::new("cp").arg(PROGRAM).arg(&copy).status().unwrap().success());
            fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
            command.env("PROGRAM", copy).uid(NOBODY).gid(NOBODY);
        }
        let begun = Instant::now();
        let Finished { code, stdout, stderr } = finish(command);
        let took_too_long = begun.elapsed() > LONGEST;
        let lines = |start: &str| stderr.lines().filter(|line| line.starts_with(start)).count();
        let answered = (code, lines("error: "), lines("hint: ")) == (Some(1), 1, 1);
        let panicked = stderr.contains("panicked");
        let unsaid: Vec<_> = expected.iter().filter(|piece| !stderr.contains(**piece)).collect();
        if answered && !panicked && !took_too_long && unsaid.is_empty() && stdout.is_empty() {
            return Ok(());
        }
        Err(format!(
            "{arguments:?} ended with {code:?} after {:?}, without {unsaid:?}:\n{stderr}{stdout}",
            begun.elapsed()
        ))
    }
}

/// Changes the bytes of a file in a folder.
fn edit(path: &Path, edit: impl Fn(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    edit(&mut bytes);
    fs::write(path, bytes).unwrap();
}

const PROGRAM: &str = env!("CARGO_BIN_EXE_nin-cli");
const NOBODY: u32 = 65534;
/// Enough for a slow, busy machine. A hang exceeds it.
const LONGEST: Duration = Duration::from_secs(10);

/// Returns the program under a limit of 1 GB, in KiB as in the shell's `ulimit`.
fn within_limits(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("sh");
    let limited = "ulimit -v 976562 && exec \"$PROGRAM\" \"$@\"";
    command.args(["-c", limited, "sh"]).args(arguments).env("PROGRAM", PROGRAM);
    isolate(&mut command, folder);
    command
}

fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

#[test]
fn every_bad_input_has_an_error_and_a_hint() {
    let tables = [
        data::cases(),
        cifar::cases(),
        recipes::cases(),
        checkpoints::cases(),
        runs::cases(),
        pictures::cases(),
    ];
    let cases: Vec<Case> = tables.into_iter().flatten().collect();
    assert!(cases.len() >= 150, "{}", cases.len());
    let wrong: Vec<String> = cases.iter().filter_map(|case| case.check().err()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn wrong_usage_exits_2() {
    for arguments in [
        &["fly"][..],
        &["train", "--fast"],
        &["train", "--epochs", "ten"],
        &["train", "--epochs", "99999999999999999999"],
        &["train", "--threads", "0"],
        &["train", "--backend", "cuda"],
        &["eval"],
        &["eval", "--checkpoint", "run", "--batch-size", "0"],
        &["eval", "--checkpoint", "run", "--split", "both"],
        &["shapes", "--input", "224"],
        &["shapes", "--format", "yaml"],
    ] {
        let finished = nin(Path::new("."), arguments);
        assert_eq!(finished.code, Some(2), "{arguments:?}: {}", finished.stderr);
        assert!(finished.stderr.starts_with("error: "), "{arguments:?}: {}", finished.stderr);
    }
}
