//! The rows of each kind of table. The first row is the head.

use std::fs;
use std::path::Path;

use anyhow::{Context, bail, ensure};
use serde_json::Value;

use crate::training::events;

/// The machines of the files under `results/`, as README names them.
const MACHINES: [(&str, &str); 4] = [
    ("zen3-2c", "AMD Zen 3"),
    ("zen4-2c", "AMD Zen 4"),
    ("zen5-2c", "AMD Zen 5"),
    ("xeon-amx-2c", "Intel Xeon with AMX"),
];

/// Writes a row for each program, with all its runs.
pub(super) fn speed(results: &Value) -> anyhow::Result<Vec<Vec<String>>> {
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
pub(super) fn ratios(results: &Value) -> anyhow::Result<Vec<Vec<String>>> {
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

/// Writes a row for each `FILE:ROW` of several machines: our median rate, and the median ratios to the peer.
pub(super) fn peers(links: &[&str], root: &Path) -> anyhow::Result<Vec<Vec<String>>> {
    let head = ["CPU", "precision", "images/s trained", "training", "inference", "peak memory"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for link in links {
        let (file, name) = link.split_once(':').with_context(|| format!("no row in `{link}`"))?;
        let results = read_json(&root.join(file))?;
        let machine = results["machine"].as_str().unwrap_or_default();
        let named = MACHINES.iter().find(|(short, _)| *short == machine);
        let (_, machine) = named.with_context(|| format!("{file}: unknown machine `{machine}`"))?;
        let row = &results["rows"][name.replace(',', " ")];
        let pairs =
            row["pairs"].as_array().with_context(|| format!("{file} has no row `{name}`"))?;
        let rate = |pair: &Value| pair["ours"]["train_images_per_sec"].as_f64();
        let mut rates: Vec<f64> = pairs.iter().filter_map(rate).collect();
        rates.sort_by(f64::total_cmp);
        let rate = rates.get(rates.len() / 2).context("no rates")?;
        let ratio = |of: &str| match row["ratios"][of]["median"].as_f64() {
            Some(median) => format!("{median:.2}x"),
            None => String::new(),
        };
        rows.push(vec![
            format!("[{machine}]({file})"),
            row["precision"].as_str().unwrap_or_default().to_owned(),
            format!("{rate:.0}"),
            ratio("train"),
            ratio("infer"),
            ratio("peak_memory"),
        ]);
    }
    Ok(rows)
}

/// Writes a row for each measured recipe: its input, its batch and the peak memory of its training.
pub(super) fn memory(path: &Path) -> anyhow::Result<Vec<Vec<String>>> {
    let text = fs::read_to_string(path).with_context(|| format!("no {}", path.display()))?;
    let head = ["recipe", "input", "batch", "peak memory"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for line in text.lines() {
        let row: Value = serde_json::from_str(line)?;
        let recipe = row["recipe"].as_str().context("a line has no `recipe`")?;
        let bytes = row["peak_memory_bytes"].as_f64().context("no `peak_memory_bytes`")?;
        rows.push(vec![
            format!("`{recipe}`"),
            format!("{side}x{side}", side = row["input_size"]),
            row["batch_size"].to_string(),
            format!("{:.2} GB", bytes / 1e9),
        ]);
    }
    Ok(rows)
}

/// Writes a row for each number of clients that `cargo xtask load` measured.
pub(super) fn load(results: &Value) -> anyhow::Result<Vec<Vec<String>>> {
    let measured = results["load"].as_array().context("no `load`")?;
    let head = ["clients", "answers/s", "median", "99th percentile", "server memory"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for load in measured {
        let number = |value: &Value| value.as_f64().unwrap_or(f64::NAN);
        rows.push(vec![
            load["clients"].to_string(),
            format!("{:.0}", number(&load["requests_per_sec"])),
            format!("{:.1} ms", number(&load["millis"]["p50"])),
            format!("{:.1} ms", number(&load["millis"]["p99"])),
            format!("{:.0} MB", number(&load["memory_bytes"]["most"]) / 1e6),
        ]);
    }
    Ok(rows)
}

/// Writes a row for each network of `eval --corruptions --format json`: on clean images, and the mean over the severities
/// of each kind of corruption.
pub(super) fn robustness(links: &[&str], root: &Path) -> anyhow::Result<Vec<Vec<String>>> {
    let mut rows: Vec<Vec<String>> = Vec::new();
    for link in links {
        let evaluated = read_json(&root.join(link))?;
        let number = |value: &Value, key: &str| {
            value[key].as_f64().with_context(|| format!("{link} has no `{key}`"))
        };
        let entries = evaluated["corruptions"].as_array().context("no `corruptions`")?;
        let mut kinds: Vec<(String, Vec<f64>)> = Vec::new();
        for entry in entries {
            let kind = entry["kind"].as_str().context("an entry has no `kind`")?.replace('_', " ");
            let accuracy = number(entry, "accuracy")?;
            match kinds.last_mut().filter(|(last, _)| *last == kind) {
                Some((_, accuracies)) => accuracies.push(accuracy),
                None => kinds.push((kind, vec![accuracy])),
            }
        }
        let mut head =
            vec!["network".to_owned(), "clean".to_owned(), "calibration error".to_owned()];
        head.extend(kinds.iter().map(|(kind, _)| kind.clone()));
        head.push("mean".to_owned());
        ensure!(rows.first().is_none_or(|first| *first == head), "{link} has other corruptions");
        if rows.is_empty() {
            rows.push(head);
        }
        let name = Path::new(link).file_stem().unwrap_or_default().to_string_lossy();
        let mut row = vec![
            format!("[{name}]({link})"),
            format!("{:.4}", number(&evaluated, "accuracy")?),
            format!("{:.4}", number(&evaluated, "calibration_error")?),
        ];
        let mean = |accuracies: &[f64]| accuracies.iter().sum::<f64>() / accuracies.len() as f64;
        row.extend(kinds.iter().map(|(_, accuracies)| format!("{:.3}", mean(accuracies))));
        row.push(format!("{:.3}", number(&evaluated, "mean_corrupted_accuracy")?));
        rows.push(row);
    }
    Ok(rows)
}

/// Writes a row for each run of a comparison: its last epoch and its silent classes.
pub(super) fn compared(comparison: &Value) -> anyhow::Result<Vec<Vec<String>>> {
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
pub(super) fn alarms_row(link: &str, folder: &Path) -> anyhow::Result<Vec<String>> {
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
pub(super) fn run_row(link: &str, folder: &Path) -> anyhow::Result<Vec<String>> {
    let name = link.trim_start_matches("../").trim_start_matches("results/");
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
        format!("[{name}]({link})"),
        seed.to_string(),
        last["epoch"].to_string(),
        format!("{:.3}", number(last, "train_loss")),
        format!("{:.4}", number(last, "test_accuracy")),
        format!("{best:.4}"),
        format!("{:.1}", secs / 60.0),
    ])
}

pub(super) fn read_json(path: &Path) -> anyhow::Result<Value> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_slice(&bytes).with_context(|| format!("{} is not JSON", path.display()))
}
