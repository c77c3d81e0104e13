//! Interrupts a training at random with TERM and KILL, and resumes it with other numbers of threads and
//! workers. It must end in the same bits as an uninterrupted training.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use serde_json::{Value, json};

use crate::arguments::CutsArguments;
use crate::chance::Chance;
use crate::training::{INTERRUPTED, Subject, cut, finish, leftovers};

const EVERY_STEPS: &str = "checkpoint.every_steps=7";

/// Interrupts trainings as often as asked and returns the report.
pub(crate) fn run(arguments: &CutsArguments) -> anyhow::Result<Value> {
    let CutsArguments { subject: arguments, cuts, set, pictures, epochs } = arguments;
    let (cuts, epochs) = (*cuts, epochs.to_string());
    let subject = match pictures {
        Some(pictures) => Subject::on_pictures(arguments, pictures)?,
        None => Subject::new(arguments)?,
    };
    let mut chance = Chance::new(arguments.seed);
    let set_options = set.iter().flat_map(|assignment| ["--set", assignment]);
    let options: Vec<&str> =
        ["--epochs", &epochs, "--set", EVERY_STEPS].into_iter().chain(set_options).collect();
    let begun = Instant::now();
    finish(subject.train("uncut", &options))?;
    let uncut = begun.elapsed();
    let expected = subject.weights("uncut")?;

    // As many runs as it takes to reach the number of cuts.
    let (mut done, mut runs, mut terms, mut saved, mut caches_deleted) = (0, 0, 0, 0, 0);
    let mut settings = BTreeSet::new();
    while done < cuts {
        runs += 1;
        let run = format!("cut-{runs}");
        loop {
            let threads = chance.one_of(&["1", "2", "4"]).unwrap_or("1");
            let workers = chance.one_of(&["0", "1", "4"]).unwrap_or("1");
            settings.insert(format!("{threads} threads, {workers} workers"));
            let more = [&options[..], &["--threads", threads, "--workers", workers]].concat();
            if done == cuts {
                finish(subject.train(&run, &more))?;
                break;
            }
            if pictures.is_some() && chance.below(2) == 0 {
                subject.delete_cache()?;
                caches_deleted += 1;
            }
            let signal = chance.one_of(&["-TERM", "-KILL"]).unwrap_or("-TERM");
            // At most a third of the training, so that each run is cut several times.
            let after = Duration::from_millis(chance.below(uncut.as_millis() as u64 / 3 + 1));
            let ended = cut(subject.train(&run, &more), signal, after)?;
            match ended.status.code() {
                Some(0) => break,
                Some(INTERRUPTED) => saved += 1,
                // KILL, or TERM before the training installed its signal handler.
                None => {}
                Some(code) => bail!("exit code {code}: {}", ended.stderr),
            }
            done += 1;
            terms += usize::from(signal == "-TERM");
        }
        let found = subject.weights(&run)?;
        ensure!(found == expected, "{run}: weights {found}, uncut {expected}");
        let (uncut, cut) = (subject.figures("uncut")?, subject.figures(&run)?);
        ensure!(uncut.len() == cut.len(), "{run}: {} figures of {}", cut.len(), uncut.len());
        for (uncut, cut) in uncut.iter().zip(&cut) {
            ensure!(uncut == cut, "{run}: {cut}, uncut {uncut}");
        }
        ensure!(leftovers(&subject.run_folder(&run))? == 0, "{run}: temporary files are left");
    }
    Ok(json!({
        "check": "cuts",
        "backend": arguments.backend,
        "seed": arguments.seed,
        "set": set,
        "cuts": done,
        "term": terms,
        "kill": done - terms,
        "saved": saved,
        "caches_deleted": caches_deleted,
        "runs": runs,
        "settings": settings,
        "uncut_secs": uncut.as_secs_f64(),
        "weights_sha256": expected,
        "equal": true,
    }))
}
