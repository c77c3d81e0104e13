//! `report`: complete and self-contained for runs in every state.

use std::path::Path;

use crate::chromium;
use crate::program::{Finished, nin};
use crate::workshop::{train_small, words};

fn report(root: &Path, line: &str) -> (Finished, String) {
    let finished = nin(root, &words(&format!("report {line}"))).ok();
    let page = std::fs::read_to_string(root.join(finished.stdout.trim())).unwrap();
    assert_is_whole(&page);
    (finished, page)
}

/// Checks that the page is well-formed, as far as possible without a browser, and has no external resources.
fn assert_is_whole(page: &str) {
    assert!(page.starts_with("<!DOCTYPE html>") && page.trim_end().ends_with("</html>"));
    for outside in ["http://", "https://", "src=\"/", "url(", "@import", "NaN"] {
        assert!(!page.contains(outside), "{outside}");
    }
    for element in ["section", "table", "figure", "svg", "details", "div", "span", "p", "ul", "dl"]
    {
        let opened = page.matches(&format!("<{element}>")).count()
            + page.matches(&format!("<{element} ")).count();
        assert_eq!(opened, page.matches(&format!("</{element}>")).count(), "<{element}>");
    }
    let links: Vec<_> = page.match_indices("href=\"#").map(|(at, _)| &page[at + 7..]).collect();
    for link in links {
        let id = link.split('"').next().unwrap();
        assert_eq!(page.matches(&format!(" id=\"{id}\"")).count(), 1, "{id}");
    }
}

#[test]
fn report_of_a_run_with_three_classes_at_20x20() {
    let root = tempfile::tempdir().unwrap();
    train_small(root.path());
    let (finished, page) = report(root.path(), "run --data data");
    assert_eq!(finished.stdout, "run/report.html\n");
    for part in [
        "Finished: 4 of 4 epochs.",
        "<h2 id=\"curves-title\">Curves</h2>",
        "aria-label=\"Loss over epochs: training from ",
        "<caption><span>Metrics of each class</span></caption>",
        "<caption><span>Images of each class (row) by predicted class (column)</span></caption>",
        "Expected calibration error <strong>",
        "<caption><span>Layers of small for an image of 1×20×20</span></caption>",
        "All 8 filters of the first convolution, 3×3",
        "optimizer.kind</th><td>adamw",
        "<html lang=\"en\">",
        "prefers-color-scheme: dark",
    ] {
        assert!(page.contains(part), "{part}");
    }
    let cells = page.matches("<td class=\"right\"").count();
    assert_eq!((cells, page.matches("<td class=\"wrong\"").count()), (3, 6));
    // The sum of the confusion matrix.
    let counts: usize = page
        .split("<td class=\"")
        .skip(1)
        .map(|cell| {
            let count = cell.split('>').nth(1).unwrap();
            count.split('<').next().unwrap().parse::<usize>().unwrap()
        })
        .sum();
    assert_eq!(counts, crate::workshop::TEST_IMAGES);
}

#[test]
fn a_report_without_the_data_says_so() {
    let root = tempfile::tempdir().unwrap();
    train_small(root.path());
    std::fs::rename(root.path().join("data"), root.path().join("elsewhere")).unwrap();
    let (finished, page) = report(root.path(), "run --output out.html");
    assert!(finished.stderr.contains("the report lacks the test results"), "{}", finished.stderr);
    assert!(page.contains("Not shown: the data set `shapes` was not found"), "{}", finished.stderr);
    assert!(page.contains("<h2 id=\"layers-title\">Layers</h2>"));
}

/// Truncates a run's log within a line of its third epoch.
fn cut(root: &Path) {
    let path = |name: &str| root.join("run").join(name);
    let metrics = std::fs::read_to_string(path("metrics.jsonl")).unwrap();
    let third = metrics.match_indices("\"epoch\":3").next().unwrap().0;
    std::fs::write(path("metrics.jsonl"), &metrics[..third]).unwrap();
    std::fs::remove_file(path("summary.json")).unwrap();
}

#[test]
fn interrupted_runs_have_reports() {
    let root = tempfile::tempdir().unwrap();
    train_small(root.path());
    cut(root.path());
    let path = |name: &str| root.path().join("run").join(name);
    let before = std::fs::read_dir(path("")).unwrap().count();
    let (_, page) = report(root.path(), "run --data data --output cut.html");
    let state =
        "Not ended: 2 of 4 epochs, last log entry less than two minutes before this report.";
    assert!(page.contains(state));
    assert_eq!(
        std::fs::read_dir(path("")).unwrap().count(),
        before,
        "nothing in the run is touched"
    );

    // Before the first checkpoint, and before the first line of the log.
    std::fs::remove_dir_all(path("checkpoints")).unwrap();
    std::fs::remove_file(path("metrics.jsonl")).unwrap();
    std::fs::remove_file(path("environment.json")).unwrap();
    let (_, page) = report(root.path(), "run --data data --output empty.html");
    for part in [
        "nothing has been logged yet",
        "environment.json is missing",
        "has not written a checkpoint",
    ] {
        assert!(page.contains(part), "{part}");
    }
    let finished = nin(root.path(), &["report", "data"]);
    assert_eq!(finished.code, Some(1));
    assert!(finished.stderr.contains("the folder contains no run"), "{}", finished.stderr);
}

/// Trains the run `dead` in a folder with data and recipe.
fn train_dead(root: &Path) {
    // A learning rate that pushes every class channel below zero for good.
    let line = "train --config small.toml --data data --run dead --progress none --epochs 3 \
                --set optimizer.kind=sgd --learning-rate 30";
    nin(root, &words(line)).ok();
}

#[test]
fn a_dead_run_is_called_dead() {
    let root = tempfile::tempdir().unwrap();
    train_small(root.path());
    train_dead(root.path());
    let (_, page) = report(root.path(), "dead --data data");
    assert!(page.contains("<strong>The network is dead</strong>"));
    assert!(page.contains("<strong>Silent</strong>: 0, 1, 2."));
}

#[test]
fn a_run_on_a_plateau_is_not_called_dead() {
    let root = tempfile::tempdir().unwrap();
    train_small(root.path());
    // Every class is trainable, all logits are nearly equal, and no step changes anything.
    let line = "train --config small.toml --data data --run plateau --progress none --epochs 1 \
                --set model.initialization=lsuv-open --learning-rate 1e-9";
    nin(root.path(), &words(line)).ok();
    let (_, page) = report(root.path(), "plateau --data data");
    assert!(page.contains("<strong>The network only guesses</strong>"));
    assert!(!page.contains("is dead</strong>") && !page.contains("<strong>Silent</strong>"));
}

#[test]
fn report_in_chromium() {
    let Some(mut browser) = chromium::script("report_axe.mjs") else { return };
    let root = tempfile::tempdir().unwrap();
    // Runs with three classes: dead, interrupted, and without data. And one with ten named classes.
    train_small(root.path());
    train_dead(root.path());
    report(root.path(), "run --data data --output three.html");
    report(root.path(), "run --output answerless.html");
    report(root.path(), "dead --data data --output dead.html");
    cut(root.path());
    report(root.path(), "run --data data --output cut.html");
    let line = "train --set data.limit=640 --epochs 2 --run ten --progress none";
    nin(root.path(), &words(line)).ok();
    report(root.path(), "ten --output ten.html");
    let pages = ["three", "answerless", "dead", "cut", "ten"];
    browser.args(pages.map(|name| root.path().join(format!("{name}.html"))));
    let said = chromium::run(browser);
    // Each in light and dark mode, on a phone and on a desktop.
    assert_eq!(said.matches("nothing found").count(), 4 * pages.len(), "{said}");
}

#[test]
fn figures_are_written_as_svg_files() {
    let root = tempfile::tempdir().unwrap();
    train_small(root.path());
    report(root.path(), "run --data data --figures out/figures");
    for name in ["loss", "accuracy", "confusion", "calibration", "mistakes", "filters"] {
        let path = root.path().join(format!("out/figures/{name}.svg"));
        let svg = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(svg.starts_with("<svg xmlns=") && svg.ends_with("</svg>\n"), "{name}");
        assert!(svg.contains("<title>") && svg.contains("prefers-color-scheme: dark"), "{name}");
        for element in ["svg", "g", "text", "title", "style", "rect"] {
            let opened = svg.matches(&format!("<{element}>")).count()
                + svg.matches(&format!("<{element} ")).count();
            let closed = svg.matches(&format!("</{element}>")).count();
            let empty = if element == "rect" { svg.matches("/>").count() } else { 0 };
            assert!(closed <= opened && opened <= closed + empty, "{name}: <{element}>");
        }
        assert!(!svg.contains("NaN") && svg.matches("http").count() == 1, "{name}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn open_calls_the_desktop_opener_and_survives_without_one() {
    use std::os::unix::fs::PermissionsExt;
    let root = tempfile::tempdir().unwrap();
    train_small(root.path());
    let bin = root.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    let open = |expected: &str| {
        let line = words("report run --data data --open");
        let mut command = crate::program::command(root.path(), &line);
        command.env("PATH", format!("{}:/bin:/usr/bin", bin.display()));
        let finished = crate::program::finish(command).ok();
        assert!(finished.stderr.contains(expected), "{}", finished.stderr);
    };
    let program = |content: &str| {
        let path = bin.join("xdg-open");
        std::fs::write(&path, format!("#!/bin/sh\n{content}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    };
    program("echo \"$1\" > opened");
    open("");
    assert_eq!(std::fs::read_to_string(root.path().join("opened")).unwrap(), "run/report.html\n");
    program("exit 3");
    open("warning: `xdg-open` could not open the report");
}

#[test]
fn training_writes_a_report_at_the_end() {
    let workshop = crate::workshop::Workshop::new();
    let finished = workshop.train("run", &[]).ok();
    assert!(finished.stderr.ends_with("report: run/report.html\n"), "{}", finished.stderr);
    let page = std::fs::read_to_string(workshop.path().join("run/report.html")).unwrap();
    assert_is_whole(&page);
    assert!(page.contains("Finished: 4 of 4 epochs.") && page.contains("id=\"mistakes\""));

    workshop.train("without", &["--no-report"]).ok();
    assert!(!workshop.path().join("without/report.html").exists());
    // Training also succeeds if the report cannot be written: a folder has its name.
    workshop.train("taken", &["--epochs", "1", "--no-report"]).ok();
    std::fs::create_dir(workshop.path().join("taken/report.html")).unwrap();
    let resume = "train --run taken --resume --data data --epochs 2 --progress none";
    let second = nin(workshop.path(), &words(resume)).ok();
    assert!(second.stderr.contains("warning: no report written: "), "{}", second.stderr);
}
