//! Generates the tables of README and docs from the files under `results/`. No figure is copied by hand.
//!
//! A table is enclosed in a pair of comments in a Markdown file: `<!-- table: KIND PATH... -->` and
//! `<!-- end of table -->`. The kinds are `speed` (the JSON of a benchmark), `ratios` (the output of
//! `cargo xtask ratios`), `runs` (run folders), `compared` (the output of `nin-cli compare --format json`) and
//! `alarms` (the sentinel's alarms in run folders).

use std::fs;
use std::path::Path;

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};

use crate::training::events;

const BEGIN: &str = "<!-- table: ";
const END: &str = "<!-- end of table -->";

/// Regenerates the tables of a file. With `check`, a table that differs is an error.
pub(crate) fn run(file: &Path, check: bool) -> anyhow::Result<Value> {
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
        ("ratios", [path]) => ratios(&read_json(path)?)?,
        ("runs", paths) if !paths.is_empty() => {
            let head = ["run", "seed", "epochs", "train loss", "test acc", "best", "minutes"];
            let rows = paths.iter().map(|path| run_row(path)).collect::<Result<Vec<_>, _>>()?;
            [vec![head.map(str::to_owned).to_vec()], rows].concat()
        }
        ("alarms", paths) if !paths.is_empty() => {
            let head = ["run", "test acc", "alarms", "which", "standing at the end"];
            let rows = links.iter().zip(paths).map(|(link, path)| alarms_row(link, path));
            let rows = rows.collect::<Result<Vec<_>, _>>()?;
            [vec![head.map(str::to_owned).to_vec()], rows].concat()
        }
        _ => bail!(
            "expected `speed FILE`, `ratios FILE`, `compared FILE`, `runs FOLDER...` or `alarms FOLDER...`"
        ),
    };
    Ok(markdown(&rows))
}

/// Writes a row for each program, with all its runs.
fn speed(results: &Value) -> anyhow::Result<Vec<Vec<String>>> {
    let runs = results["runs"].as_array().context("no `runs`")?;
    let mut programs: Vec<(String, Vec<&Value>)> = Vec::new();
    for run in runs {
        let name = match (run["backend"].as_str(), run["peer"].as_str()) {
            (Some(backend), _) => format!("nin, `--backend {backend}`"),
            (None, Some(peer)) => {
                let layout = run["layout"].as_str().map(|layout| format!(", {layout}"));
                peer.to_owned() + &layout.unwrap_or_default()
            }
            (None, None) => bail!("a run has neither `backend` nor `peer`"),
        };
        match programs.iter_mut().find(|(program, _)| *program == name) {
            Some((_, runs)) => runs.push(run),
            None => programs.push((name, vec![run])),
        }
    }
    let head = ["", "training, images/s", "inference, images/s", "peak memory"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for (name, runs) in programs {
        let rates = |key: &str| {
            let rates: Vec<_> = runs.iter().filter_map(|run| run[key].as_f64()).collect();
            rates.iter().map(|rate| format!("{rate:.1}")).collect::<Vec<_>>().join(", ")
        };
        let bytes = runs.iter().filter_map(|run| run["peak_memory_bytes"].as_f64());
        let peak = bytes.fold(0.0, f64::max);
        let peak = if peak > 0.0 { format!("{:.2} GB", peak / 1e9) } else { "not measured".into() };
        rows.push(vec![name, rates("train_images_per_sec"), rates("infer_images_per_sec"), peak]);
    }
    Ok(rows)
}

/// Writes a row for each comparison with a peer: the median, lowest and highest ratio of the pairs.
fn ratios(results: &Value) -> anyhow::Result<Vec<Vec<String>>> {
    let comparisons = results["rows"].as_object().context("no `rows`")?;
    let head = ["", "against", "training", "inference", "peak memory"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for (name, comparison) in comparisons {
        let (Some(peer), ratios) = (comparison["peer"].as_str(), &comparison["ratios"]) else {
            continue;
        };
        let peer = peer.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
        let peer = peer.split(['+', '-']).next().unwrap_or_default().to_owned();
        let ratio = |of: &str| {
            let figure = |which: &str| ratios[of][which].as_f64();
            match (figure("median"), figure("least"), figure("most")) {
                (Some(median), Some(least), Some(most)) => {
                    format!("{median:.2}x ({least:.2} to {most:.2})")
                }
                _ => String::new(),
            }
        };
        let name = name.replace(' ', ", ");
        rows.push(vec![name, peer, ratio("train"), ratio("infer"), ratio("peak_memory")]);
    }
    Ok(rows)
}

/// Writes a row for each run of a comparison: its last epoch and its silent classes.
fn compared(comparison: &Value) -> anyhow::Result<Vec<Vec<String>>> {
    let runs = comparison["runs"].as_array().context("no `runs`")?;
    let head = ["run", "train loss", "test acc", "silent classes"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for run in runs {
        let name = run["run"].as_str().context("a run has no name")?.to_owned();
        let silent = run["silent_classes"].as_array().map_or(0, Vec::len);
        rows.push(vec![
            name,
            run["train_loss"].as_f64().map_or("–".into(), |loss| format!("{loss:.3}")),
            run["test_accuracy"].as_f64().map_or("–".into(), |accuracy| format!("{accuracy:.4}")),
            if silent == 0 { String::new() } else { silent.to_string() },
        ]);
    }
    Ok(rows)
}

/// Writes the sentinel's alarms of a run with a single attempt. A run without `alarms` in its summary predates
/// the sentinel, so its silence says nothing.
fn alarms_row(link: &str, folder: &Path) -> anyhow::Result<Vec<String>> {
    let name = link.trim_start_matches("../").trim_start_matches("results/");
    let path = folder.join("metrics.jsonl");
    let events = events(folder)?;
    ensure!(
        events.iter().all(|event| event["event"] != "restart"),
        "{}: several attempts",
        path.display()
    );
    let last = events.iter().rfind(|event| event["event"] == "epoch");
    let last = last.with_context(|| format!("{}: no finished epoch", path.display()))?;
    let accuracy = format!("{:.4}", last["test_accuracy"].as_f64().unwrap_or(f64::NAN));
    let mut row = vec![format!("[{name}]({link})"), accuracy];
    let summary = read_json(&folder.join("summary.json"))?;
    if summary.get("alarms").is_none() {
        row.extend(["not watched", "", ""].map(str::to_owned));
        return Ok(row);
    }
    let alarms = || events.iter().filter(|event| event["event"] == "alarm");
    let of = |alarm: &'static str| alarms().filter(move |event| event["alarm"] == alarm);
    let (mut raised, mut which, mut standing) = (0, Vec::new(), Vec::new());
    for (alarm, shown) in [
        ("plateau", "plateau"),
        ("silent_classes", "silent classes"),
        ("dead", "dead"),
        ("exploding_gradients", "exploding gradients"),
    ] {
        let count = of(alarm).filter(|event| event["over"] == false).count();
        raised += count;
        if count > 0 {
            which.push(format!("{shown} ({count})"));
        }
        if of(alarm).next_back().is_some_and(|event| event["over"] == false) {
            standing.push(shown);
        }
    }
    ensure!(
        raised == alarms().filter(|event| event["over"] == false).count(),
        "{}: an alarm of a kind that is not known here",
        path.display()
    );
    row.extend([raised.to_string(), which.join(", "), standing.join(", ")]);
    Ok(row)
}

/// Writes a run's figures after its last epoch.
fn run_row(folder: &Path) -> anyhow::Result<Vec<String>> {
    let name = folder.file_name().context("a run has no name")?.to_string_lossy().into_owned();
    let path = folder.join("metrics.jsonl");
    let events = events(folder)?;
    // Of the last attempt, if the run was restarted.
    let restart = events.iter().rposition(|event| event["event"] == "restart");
    let epochs: Vec<&Value> = events[restart.map_or(0, |at| at + 1)..]
        .iter()
        .filter(|event| event["event"] == "epoch")
        .collect();
    let last = epochs.last().with_context(|| format!("{}: no finished epoch", path.display()))?;
    let number = |event: &Value, key: &str| event[key].as_f64().unwrap_or(f64::NAN);
    let best = epochs.iter().map(|epoch| number(epoch, "test_accuracy")).fold(0.0, f64::max);
    let secs: f64 =
        epochs.iter().map(|epoch| number(epoch, "train_secs") + number(epoch, "test_secs")).sum();
    let environment = read_json(&folder.join("environment.json"))?;
    let seed = restart.map_or(&environment["seed"], |at| &events[at]["seed"]);
    Ok(vec![
        format!("[{name}](results/{name})"),
        seed.to_string(),
        last["epoch"].to_string(),
        format!("{:.3}", number(last, "train_loss")),
        format!("{:.4}", number(last, "test_accuracy")),
        format!("{best:.4}"),
        format!("{:.1}", secs / 60.0),
    ])
}

fn read_json(path: &Path) -> anyhow::Result<Value> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_slice(&bytes).with_context(|| format!("{} is not JSON", path.display()))
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

    #[test]
    fn tables_are_made_from_files_and_the_rest_stays() {
        let root = tempfile::tempdir().unwrap();
        let bench = json!({ "runs": [
            { "backend": "flex", "train_images_per_sec": 69.96, "infer_images_per_sec": 205.0,
              "peak_memory_bytes": 407_392_256 },
            { "peer": "PyTorch", "layout": "nchw", "train_images_per_sec": 15.38,
              "infer_images_per_sec": 62.2 },
            { "backend": "flex", "train_images_per_sec": 60.0, "infer_images_per_sec": 200.0 },
        ]});
        fs::write(root.path().join("bench.json"), bench.to_string()).unwrap();
        let run = root.path().join("run");
        fs::create_dir(&run).unwrap();
        let epoch = |number: u32, accuracy: f64| {
            json!({ "event": "epoch", "epoch": number, "train_loss": 0.5, "test_accuracy": accuracy,
                    "train_secs": 50.0, "test_secs": 10.0 })
        };
        let lines =
            [epoch(1, 0.1), json!({ "event": "restart", "seed": 9 }), epoch(1, 0.9), epoch(2, 0.8)];
        fs::write(run.join("metrics.jsonl"), lines.map(|line| line.to_string()).join("\n"))
            .unwrap();
        fs::write(run.join("environment.json"), "{\"seed\": 42}").unwrap();
        let ratios = json!({ "rows": {
            "fp32 flex": { "peer": "pytorch 2.15.0+cu132", "ratios": {
                "train": { "median": 2.333, "least": 2.08, "most": 2.549 } } },
            "threads flex": { "all": [1.8] },
        }});
        fs::write(root.path().join("ratios.json"), ratios.to_string()).unwrap();
        let compared = json!({ "runs": [
            { "run": "book", "train_loss": 2.3024, "test_accuracy": 0.0994,
              "silent_classes": ["Coat", "Bag"] },
            { "run": "new", "train_loss": null, "test_accuracy": null, "silent_classes": [] },
        ]});
        fs::write(root.path().join("compared.json"), compared.to_string()).unwrap();
        for (name, summary) in [("watched", "{\"alarms\": []}"), ("before", "{}")] {
            let run = root.path().join(name);
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
        let place = |what: &str| format!("{BEGIN}{what} -->\nold\n{END}\n");
        let text = [
            "speed bench.json",
            "runs run",
            "ratios ratios.json",
            "compared compared.json",
            "alarms watched before",
        ]
        .map(place)
        .join("between\n");
        let (made, tables) = remade(&text, root.path()).unwrap();
        assert_eq!(tables, 5);
        for part in [
            "<!-- table: speed bench.json -->\n| | training, images/s |",
            "| nin, `--backend flex` | 70.0, 60.0 | 205.0, 200.0 | 0.41 GB |\n",
            "| PyTorch, nchw | 15.4 | 62.2 | not measured |\n",
            "<!-- end of table -->\nbetween\n",
            "| fp32, flex | pytorch 2.15.0 | 2.33x (2.08 to 2.55) | | |\n",
            "| book | 2.302 | 0.0994 | 2 |\n| new | – | – | |\n",
            "[watched](watched) | 0.5000 | 3 | plateau (1), silent classes (2) | silent classes |\n",
            "[before](before) | 0.5000 | not watched | | |\n",
            "| [run](results/run) | 9 | 2 | 0.500 | 0.8000 | 0.9000 | 2.0 |\n",
        ] {
            assert!(made.contains(part), "{part}: {made}");
        }
        assert_eq!(remade(&made, root.path()).unwrap().0, made);
        assert!(remade(&format!("{BEGIN}speed none.json -->\n{END}"), root.path()).is_err());
        assert!(remade(&format!("{BEGIN}speed bench.json -->\n"), root.path()).is_err());
    }
}
