//! Generates the tables of README and docs from the files under `results/`. No figure is copied by hand.
//!
//! A table is enclosed in a pair of comments in a Markdown file: `<!-- table: KIND PATH... -->` and
//! `<!-- end of table -->`. The kinds are `speed` (the JSON of a benchmark), `ratios` (the output of
//! `cargo xtask ratios`), `peers` (chosen rows of several such files), `runs` (run folders), `compared` (the output of
//! `nin-cli compare --format json`), `alarms` (the sentinel's alarms in run folders), `memory` (the output of
//! `benches/recipes/memory.py`), `load` (that of `cargo xtask load` for several numbers of clients) and `robustness` (the output
//! of `nin-cli eval --corruptions --format json` for several networks).

mod rows;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};

use rows::{
    alarms_row, compared, load, memory, peers, ratios, read_json, robustness, run_row, speed,
};

const BEGIN: &str = "<!-- table: ";
const END: &str = "<!-- end of table -->";

/// Regenerates the tables of each file. With `check`, a table that differs is an error.
pub(crate) fn run(files: &[PathBuf], check: bool) -> anyhow::Result<Value> {
    let done = files.iter().map(|file| run_file(file, check)).collect::<Result<Vec<_>, _>>()?;
    Ok(json!({ "files": done }))
}

fn run_file(file: &Path, check: bool) -> anyhow::Result<Value> {
    let text =
        fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let root = file.parent().unwrap_or(Path::new("."));
    let (made, tables) = remade(&text, root)?;
    if check {
        ensure!(
            made == text,
            "{}: its tables are out of date; run cargo xtask tables",
            file.display()
        );
    } else if made != text {
        fs::write(file, &made).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(json!({ "file": file, "tables": tables, "changed": made != text }))
}

/// Returns the text with its tables regenerated, and their number.
fn remade(text: &str, root: &Path) -> anyhow::Result<(String, usize)> {
    let (mut made, mut rest, mut tables) = (String::new(), text, 0);
    while let Some((before, behind)) = rest.split_once(BEGIN) {
        let (what, behind) = behind.split_once(" -->\n").context("a table's comment has no end")?;
        let (_, behind) = behind
            .split_once(END)
            .with_context(|| format!("no `{END}` after the table `{what}`"))?;
        let table = table(what, root).with_context(|| format!("the table `{what}`"))?;
        made.extend([before, BEGIN, what, " -->\n", &table, END]);
        rest = behind;
        tables += 1;
    }
    Ok((made + rest, tables))
}

fn table(what: &str, root: &Path) -> anyhow::Result<String> {
    let mut words = what.split_whitespace();
    let kind = words.next().unwrap_or_default();
    let links: Vec<&str> = words.collect();
    let paths: Vec<_> = links.iter().map(|path| root.join(path)).collect();
    let rows = match (kind, &paths[..]) {
        ("speed", [path]) => speed(&read_json(path)?)?,
        ("compared", [path]) => compared(&read_json(path)?)?,
        ("load", [path]) => load(&read_json(path)?)?,
        ("memory", [path]) => memory(path)?,
        ("ratios", [path]) => ratios(&read_json(path)?)?,
        ("peers", [_, ..]) => peers(&links, root)?,
        ("robustness", [_, ..]) => robustness(&links, root)?,
        ("runs", paths) if !paths.is_empty() => {
            let head = ["run", "seed", "epochs", "train loss", "test acc", "best", "minutes"];
            let rows = links.iter().zip(paths).map(|(link, path)| run_row(link, path));
            let rows = rows.collect::<Result<Vec<_>, _>>()?;
            [vec![head.map(str::to_owned).to_vec()], rows].concat()
        }
        ("alarms", paths) if !paths.is_empty() => {
            let head = ["run", "test acc", "alarms", "which", "standing at the end"];
            let rows = links.iter().zip(paths).map(|(link, path)| alarms_row(link, path));
            let rows = rows.collect::<Result<Vec<_>, _>>()?;
            [vec![head.map(str::to_owned).to_vec()], rows].concat()
        }
        _ => bail!(
            "expected `speed FILE`, `ratios FILE`, `peers FILE:ROW...`, `compared FILE`, `memory FILE`, \
             `load FILE`, `robustness FILE...`, `runs FOLDER...` or `alarms FOLDER...`"
        ),
    };
    Ok(markdown(&rows))
}

/// Formats rows as a table. The first row is the head.
fn markdown(rows: &[Vec<String>]) -> String {
    let mut text = String::new();
    for (at, row) in rows.iter().enumerate() {
        text.push('|');
        for cell in row {
            let space = if cell.is_empty() { "" } else { " " };
            text.extend([space, cell, " |"]);
        }
        text.push('\n');
        if at == 0 {
            text.extend(["|", &" --- |".repeat(row.len()), "\n"]);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epoch(number: u32, accuracy: f64) -> Value {
        json!({ "event": "epoch", "epoch": number, "train_loss": 0.5, "test_accuracy": accuracy,
                "train_secs": 50.0, "test_secs": 10.0 })
    }

    fn write_runs(root: &Path) {
        let run = root.join("run");
        fs::create_dir(&run).unwrap();
        let lines =
            [epoch(1, 0.1), json!({ "event": "restart", "seed": 9 }), epoch(1, 0.9), epoch(2, 0.8)];
        fs::write(run.join("metrics.jsonl"), lines.map(|line| line.to_string()).join("\n"))
            .unwrap();
        fs::write(run.join("environment.json"), "{\"seed\": 42}").unwrap();
        for (name, summary) in [("watched", "{\"alarms\": []}"), ("before", "{}")] {
            let run = root.join(name);
            fs::create_dir(&run).unwrap();
            let alarm =
                |alarm: &str, over: bool| json!({ "event": "alarm", "alarm": alarm, "over": over });
            let silent = "silent_classes";
            let lines = [alarm("plateau", false), alarm(silent, false), alarm("plateau", true)];
            let lines = [&lines[..], &[epoch(1, 0.5), alarm(silent, false)]].concat();
            let lines: Vec<_> = lines.iter().map(ToString::to_string).collect();
            fs::write(run.join("metrics.jsonl"), lines.join("\n")).unwrap();
            fs::write(run.join("summary.json"), summary).unwrap();
        }
    }

    fn write_files(root: &Path) {
        let bench = json!({ "runs": [
            { "backend": "flex", "train_images_per_sec": 69.96, "infer_images_per_sec": 205.0,
              "peak_memory_bytes": 407_392_256 },
            { "peer": "PyTorch", "layout": "nchw", "train_images_per_sec": 15.38,
              "infer_images_per_sec": 62.2 },
            { "backend": "flex", "train_images_per_sec": 60.0, "infer_images_per_sec": 200.0 },
        ]});
        fs::write(root.join("bench.json"), bench.to_string()).unwrap();
        let ratios = json!({ "rows": {
            "fp32 flex": { "peer": "pytorch 2.15.0+cu132", "ratios": {
                "train": { "median": 2.333, "least": 2.08, "most": 2.549 } } },
            "threads flex": { "all": [1.8] },
        }});
        fs::write(root.join("ratios.json"), ratios.to_string()).unwrap();
        let pair = |rate: f64| json!({ "ours": { "train_images_per_sec": rate } });
        let pairs = [60.0, 90.0, 70.4].map(pair);
        let peers = json!({ "machine": "zen5-2c", "rows": { "fp32 flex": {
            "precision": "fp32",
            "pairs": pairs,
            "ratios": { "train": { "median": 2.617 }, "infer": { "median": 2.9 } },
        }}});
        fs::write(root.join("peers.json"), peers.to_string()).unwrap();
        let memory = json!({ "recipe": "quickstart", "input_size": 28, "batch_size": 32,
                             "peak_memory_bytes": 61_200_000 });
        fs::write(root.join("memory.jsonl"), memory.to_string()).unwrap();
        let load = json!({ "load": [
            { "clients": 16, "requests_per_sec": 5291.5, "millis": { "p50": 2.63, "p99": 7.23 },
              "memory_bytes": { "most": 20_377_600.0 } },
        ]});
        fs::write(root.join("load.json"), load.to_string()).unwrap();
        let entry = |kind: &str, accuracy: f64| json!({ "kind": kind, "accuracy": accuracy });
        let corrupted = json!({
            "accuracy": 0.9372, "calibration_error": 0.0123, "mean_corrupted_accuracy": 0.75,
            "corruptions": [
                entry("gaussian_noise", 0.9), entry("gaussian_noise", 0.7), entry("shift", 0.7),
            ],
        });
        fs::write(root.join("small.json"), corrupted.to_string()).unwrap();
        let compared = json!({ "runs": [
            { "run": "book", "train_loss": 2.3024, "test_accuracy": 0.0994,
              "silent_classes": ["Coat", "Bag"] },
            { "run": "new", "train_loss": null, "test_accuracy": null, "silent_classes": [] },
        ]});
        fs::write(root.join("compared.json"), compared.to_string()).unwrap();
    }

    #[test]
    fn tables_are_made_from_files_and_the_rest_stays() {
        let root = tempfile::tempdir().unwrap();
        write_files(root.path());
        write_runs(root.path());
        let place = |what: &str| format!("{BEGIN}{what} -->\nold\n{END}\n");
        let text = [
            "speed bench.json",
            "runs run",
            "ratios ratios.json",
            "compared compared.json",
            "alarms watched before",
            "peers peers.json:fp32,flex",
            "memory memory.jsonl",
            "load load.json",
            "robustness small.json",
        ]
        .map(place)
        .join("between\n");
        let (made, tables) = remade(&text, root.path()).unwrap();
        assert_eq!(tables, 9);
        for part in [
            "<!-- table: speed bench.json -->\n| | training, images/s |",
            "| nin, `--backend flex` | 70.0, 60.0 | 205.0, 200.0 | 0.41 GB |\n",
            "| PyTorch, nchw | 15.4 | 62.2 | not measured |\n",
            "<!-- end of table -->\nbetween\n",
            "| fp32, flex | pytorch 2.15.0 | 2.33x (2.08 to 2.55) | | |\n",
            "| book | 2.302 | 0.0994 | 2 |\n| new | – | – | |\n",
            "[watched](watched) | 0.5000 | 3 | plateau (1), silent classes (2) | silent classes |\n",
            "[before](before) | 0.5000 | not watched | | |\n",
            "| [AMD Zen 5](peers.json) | fp32 | 70 | 2.62x | 2.90x | |\n",
            "| 16 | 5292 | 2.6 ms | 7.2 ms | 20 MB |\n",
            "| `quickstart` | 28x28 | 32 | 0.06 GB |\n",
            "| network | clean | calibration error | gaussian noise | shift | mean |\n",
            "| [small](small.json) | 0.9372 | 0.0123 | 0.800 | 0.700 | 0.750 |\n",
            "| [run](run) | 9 | 2 | 0.500 | 0.8000 | 0.9000 | 2.0 |\n",
        ] {
            assert!(made.contains(part), "{part}: {made}");
        }
        assert_eq!(remade(&made, root.path()).unwrap().0, made);
        assert!(remade(&format!("{BEGIN}speed none.json -->\n{END}"), root.path()).is_err());
        assert!(remade(&format!("{BEGIN}speed bench.json -->\n"), root.path()).is_err());
    }
}
