//! `train --seeds`: several runs, their table, and resuming them.

use std::fs;

use crate::program::nin;
use crate::signals::Running;
use crate::workshop::{Workshop, words};

const SMALL: &str =
    "train --config small.toml --data data --backend flex --progress none --epochs 2";

#[test]
fn each_seed_is_a_run_and_the_table_ends_with_the_books_lines() {
    let workshop = Workshop::new();
    let line = format!("{SMALL} --run all --seeds 7,3");
    let finished = nin(workshop.path(), &words(&line)).ok();
    let lines: Vec<&str> = finished.stdout.lines().collect();
    assert!(lines[0].starts_with("run ") && lines[0].contains("test acc"), "{}", finished.stdout);
    assert!(lines[1].starts_with("seed-7 ") && lines[2].starts_with("seed-3 "));
    assert!(lines[4].starts_with("2 of 2 ended: test acc median "), "{}", lines[4]);
    let [.., middle, loss, rate] = lines[..] else { panic!("{}", finished.stdout) };
    assert!(middle.starts_with("median run: seed-"), "{middle}");
    assert!(loss.starts_with("loss ") && loss.contains(", test acc "), "{loss}");
    assert!(rate.contains(" examples/sec on "), "{rate}");
    for said in ["seed 7, 1 of 2", "seed 3, 2 of 2", "seed 3: loss "] {
        assert!(finished.stderr.contains(said), "{said}: {}", finished.stderr);
    }

    workshop.train("alone", &words("--backend flex --epochs 2 --seed 7")).ok();
    assert!(workshop.weights("alone") == workshop.weights("all/seed-7"));
    let eval = "eval --checkpoint all/seed-3 --data data";
    nin(workshop.path(), &words(eval)).ok();
    let svg = fs::read_to_string(workshop.path().join("all/seeds.svg")).unwrap();
    assert!(svg.contains("seed-3") && svg.trim_end().ends_with("</svg>"));

    let taken = nin(workshop.path(), &words(&line));
    assert_eq!(taken.code, Some(1), "{}", taken.stderr);
    assert!(taken.stderr.contains("`all` already holds runs"), "{}", taken.stderr);
    nin(workshop.path(), &words("report all/seed-3 --data data")).ok();
    let page = fs::read_to_string(workshop.path().join("all/seed-3/report.html")).unwrap();
    assert!(page.contains("<strong>seed-3</strong> (this run)") && page.contains("seed-7"));
}

#[test]
fn a_series_writes_a_page_of_all_runs() {
    let workshop = Workshop::new();
    let folder = workshop.path().join("all");
    let line = format!("{SMALL} --run all --seeds 7,3");
    let finished = nin(workshop.path(), &words(&line)).ok();
    assert!(finished.stderr.ends_with("all runs: all/report.html\n"), "{}", finished.stderr);
    let page = fs::read_to_string(folder.join("report.html")).unwrap();
    for part in [
        "<h1>all</h1>",
        "<p>Runs ended: 2. Test accuracy: median ",
        "<a href=\"seed-7/report.html\">seed-7</a>",
        "<a href=\"seed-3/report.html\">seed-3</a>",
        "alt=\"Training loss and test accuracy of each run over the epochs\"",
    ] {
        assert!(page.contains(part), "{part}");
    }
    assert!(!page.contains("http:") && page.trim_end().ends_with("</html>"));

    // The same with `report`. In another folder, the page has no links to the runs' pages.
    fs::remove_file(folder.join("report.html")).unwrap();
    let again = nin(workshop.path(), &words("report all")).ok();
    assert_eq!(again.stdout, "all/report.html\n");
    assert_eq!(fs::read_to_string(folder.join("report.html")).unwrap(), page);
    nin(workshop.path(), &words("report all --output alone.html --figures figures")).ok();
    let alone = fs::read_to_string(workshop.path().join("alone.html")).unwrap();
    assert!(alone.contains("seed-7") && !alone.contains("<a href=\"seed-7"));
    assert!(workshop.path().join("figures/seeds.svg").exists());

    let without = format!("{SMALL} --run without --seeds 1 --no-report");
    nin(workshop.path(), &words(&without)).ok();
    assert!(!workshop.path().join("without/report.html").exists());
}

#[test]
fn a_finished_series_accepts_more_seeds_and_epochs_only() {
    let workshop = Workshop::new();
    nin(workshop.path(), &words(&format!("{SMALL} --run all --seeds 2"))).ok();
    let resume = "train --run all --resume --data data --backend flex --progress none";
    let before = fs::read(workshop.path().join("all/seed-1/summary.json")).unwrap();
    let more = nin(workshop.path(), &words(&format!("{resume} --seeds 3 --format json"))).json();
    let seeds: Vec<_> = more["runs"].as_array().unwrap().iter().map(|run| &run["seed"]).collect();
    assert_eq!(seeds, [1, 2, 3]);
    assert_eq!((&more["spread"]["ended"], &more["published"]), (&3.into(), &().into()));
    let after = fs::read(workshop.path().join("all/seed-1/summary.json")).unwrap();
    assert!(before == after, "a finished run stays as it is");
    let longer = nin(workshop.path(), &words(&format!("{resume} --epochs 3"))).ok();
    assert_eq!(longer.stdout.matches(" 3/3 ").count(), 3, "{}", longer.stdout);
    let changed = nin(workshop.path(), &words(&format!("{resume} --batch-size 7")));
    assert_eq!(changed.code, Some(1));
    assert!(changed.stderr.contains("`training.batch_size` (20, now 7)"), "{}", changed.stderr);
}

#[test]
fn an_interrupted_series_resumes_where_it_stopped() {
    let workshop = Workshop::new();
    let line = "--config small.toml --data data --backend flex --run all --seeds 3 --epochs 25";
    let mut running = Running::start(&workshop, &words(line));
    running.wait_for("seed 2, 2 of 3");
    running.wait_for(r#""event":"step""#);
    running.signal("-INT");
    let finished = running.finish();
    assert_eq!((finished.code, finished.stdout.as_str()), (Some(130), ""), "{}", finished.stderr);
    let last = finished.stderr.lines().last().unwrap();
    let resume = last.split_once("resume with: nin-cli ").unwrap().1;
    assert_eq!(resume, "train --run all --resume --data data --backend flex");
    assert!(!workshop.path().join("all/seed-3").exists());

    // The second seed resumes and the third starts, with the epochs of the series.
    let again = nin(workshop.path(), &words(resume)).ok();
    assert!(again.stderr.contains("seed 1: already finished after 25 epochs"), "{}", again.stderr);
    assert!(again.stderr.contains("resumed in epoch "), "{}", again.stderr);
    assert_eq!(again.stdout.matches(" 25/25 ").count(), 3, "{}", again.stdout);
    let alone = words("--backend flex --epochs 25 --seed 2");
    workshop.train("alone", &alone).ok();
    assert!(workshop.weights("alone") == workshop.weights("all/seed-2"));
}

#[test]
fn a_diverging_seed_does_not_end_the_series() {
    let workshop = Workshop::new();
    let line = format!(
        "{SMALL} --run all --seeds 2 --set optimizer.kind=sgd --learning-rate 1e9 --format json"
    );
    let compared = nin(workshop.path(), &words(&line)).json();
    for run in compared["runs"].as_array().unwrap() {
        assert_eq!(run["state"], "diverged", "{run}");
    }
    assert_eq!(compared["spread"]["median"], serde_json::Value::Null);
}

#[test]
fn invalid_seeds_are_usage_errors_and_write_nothing() {
    let workshop = Workshop::new();
    for (seeds, said) in
        [("0", "expected 1 to 10000 seeds"), ("1,1", "listed twice"), ("x", "not a whole")]
    {
        let finished = nin(workshop.path(), &["train", "--seeds", seeds]);
        assert_eq!(finished.code, Some(2), "{}", finished.stderr);
        assert!(finished.stderr.contains(said), "{}", finished.stderr);
    }
    // A failed attempt without data does not block the next one.
    let lost = "train --config small.toml --data nowhere --run all --seeds 2";
    assert_eq!(nin(workshop.path(), &words(lost)).code, Some(1));
    assert!(!workshop.path().join("all").exists());
    let both = nin(workshop.path(), &["train", "--seeds", "2", "--seed", "3"]);
    assert_eq!(both.code, Some(2), "{}", both.stderr);
}
