//! The sections that come from the run folder: curves, sentinel, recipe, environment.

use maud::{Markup, html};
use nin_data::Part;
use nin_train::{Event, RunHistory, StepReport};
use serde_json::Value;

use super::chart::interactive;
use super::page::{Section, cell, grouped, missing, percent, table};
use crate::curves::{Curve, Curves, highest};
use crate::drawing::{Chart, Legend, Series};

/// Higher losses are drawn at the edge, so that one outlier does not flatten the curves.
const HIGHEST_LOSS: f64 = 5.0;
/// The most points of a curve to draw.
const MOST_POINTS: usize = 1000;

/// Returns the curves as they are drawn: with the means between logged steps, and thinned out.
fn drawn_curves(history: &RunHistory) -> Curves {
    let steps = history.attempt().iter().filter_map(|event| match event {
        Event::Step(step) => Some(step),
        _ => None,
    });
    let train = between(&steps.collect::<Vec<_>>());
    let curve = |value: fn(&(f64, f64, f64)) -> f64| -> Curve {
        let points = train.iter().map(|point| (point.0, value(point)));
        points.filter(|point| point.1.is_finite()).collect()
    };
    let curves = Curves {
        train_loss: curve(|point| point.1),
        train_accuracy: curve(|point| point.2),
        ..Curves::of(history.attempt())
    };
    Curves {
        train_loss: thinned(&curves.train_loss),
        train_accuracy: thinned(&curves.train_accuracy),
        eval_loss: thinned(&curves.eval_loss),
        eval_accuracy: thinned(&curves.eval_accuracy),
        ..curves
    }
}

/// Keeps every n-th point, so that at most [`MOST_POINTS`] are left.
fn thinned<T: Clone>(points: &[T]) -> Vec<T> {
    points.iter().step_by(points.len().div_ceil(MOST_POINTS).max(1)).cloned().collect()
}

/// Returns epoch, loss and accuracy over the steps between two logged ones. The log has means over the epoch so
/// far, whose curves would jump at the start of each epoch. Every step has the same weight, including a
/// short last batch.
fn between(steps: &[&StepReport]) -> Vec<(f64, f64, f64)> {
    let mut before: Option<&StepReport> = None;
    let mut points = Vec::new();
    for &step in steps {
        let since = before.filter(|before| before.epoch == step.epoch && before.step < step.step);
        let mean = |of: fn(&StepReport) -> f64| {
            let sum = |step: &StepReport| of(step) * step.step as f64;
            match since {
                Some(since) => (sum(step) - sum(since)) / (step.step - since.step) as f64,
                None => of(step),
            }
        };
        points.push((
            step.epochs_done(),
            // The difference of equal sums may be a rounding error.
            mean(|step| step.train_loss).max(0.0),
            mean(|step| step.train_accuracy).clamp(0.0, 1.0),
        ));
        before = Some(step);
    }
    points
}

/// Loss and accuracy over the epochs, as they are drawn.
pub(super) struct Charts {
    pub(super) loss: Chart,
    pub(super) accuracy: Chart,
    /// The highest loss, drawn or not.
    wildest: f64,
}

impl Charts {
    /// Returns the charts of a run, or `None` before anything was logged.
    pub(super) fn of(history: &RunHistory) -> Option<Self> {
        let curves = drawn_curves(history);
        if curves.train_loss.is_empty() && curves.eval_loss.is_empty() {
            return None;
        }
        let wildest = highest([&curves.train_loss, &curves.eval_loss], 0.1);
        let epochs = curves.epochs().ceil();
        let evaluated = curves.evaluated_on.name();
        let chart = |title, train, eval, range| {
            let series = |name: &str, style, points, is_marked| Series {
                name: name.to_owned(),
                style,
                points,
                is_marked,
            };
            Chart {
                title,
                size: [420.0, 260.0],
                series: vec![
                    series("training", "train", train, false),
                    series(evaluated, "test", eval, true),
                ],
                levels: Vec::new(),
                legend: Legend::Above,
                epochs,
                range,
            }
        };
        let losses = (0.0, wildest.min(HIGHEST_LOSS) * 1.05);
        Some(Self {
            loss: chart("Loss", curves.train_loss, curves.eval_loss, losses),
            accuracy: chart("Accuracy", curves.train_accuracy, curves.eval_accuracy, (0.0, 1.0)),
            wildest,
        })
    }
}

/// Returns loss and accuracy over the epochs, and the figures of each.
pub(super) fn curves(history: &RunHistory) -> Section {
    let Some(Charts { loss, accuracy, wildest }) = Charts::of(history) else {
        return missing("curves", "Curves", "nothing has been logged yet");
    };
    let body = html! {
        div class="charts" { (interactive("loss", &loss)) (interactive("accuracy", &accuracy)) }
        p class="note" {
            "Training: means over the steps since the previous point, while the weights change. "
            (capitalized(evaluated_on(history).name()))
            ": after each epoch. Loss: mean cross-entropy in nats."
            @if wildest > HIGHEST_LOSS {
                " Losses above " (HIGHEST_LOSS) " are clipped; the highest was "
                (format_args!("{wildest:.3e}")) "."
            }
        }
        (epoch_table(history))
    };
    Section { id: "curves", title: "Curves", body }
}

/// Returns the part that was evaluated after each epoch.
fn evaluated_on(history: &RunHistory) -> Part {
    history.epochs().last().map_or(Part::Test, |last| last.evaluated_on)
}

fn capitalized(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn epoch_table(history: &RunHistory) -> Markup {
    let [loss, accuracy] =
        ["loss", "accuracy"].map(|figure| format!("{} {figure}", evaluated_on(history).name()));
    let rows: Vec<_> = history
        .epochs()
        .map(|epoch| {
            vec![
                cell(epoch.epoch),
                cell(format_args!("{:.4}", epoch.train_loss)),
                cell(percent(Some(epoch.train_accuracy))),
                cell(format_args!("{:.4}", epoch.eval_loss)),
                cell(percent(Some(epoch.eval_accuracy))),
                cell(epoch.learning_rate),
                cell(grouped(format!("{:.0}", epoch.images_per_sec))),
                cell(grouped(format!("{:.0}", epoch.train_secs + epoch.test_secs))),
            ]
        })
        .collect();
    if rows.is_empty() {
        return html! { p class="missing" { "No epoch is finished." } };
    }
    let head = [
        "epoch",
        "training loss",
        "training accuracy",
        &loss,
        &accuracy,
        "learning rate",
        "images/s",
        "seconds",
    ];
    folded("Metrics of each epoch", &table("Finished epochs", &head, &rows))
}

/// Returns the sentinel's alarms and restarts, if there are any.
pub(super) fn sentinel(history: &RunHistory) -> Option<Section> {
    let row = |epoch: usize, step: usize, what: String| {
        vec![cell(format_args!("epoch {epoch}, step {step}")), cell(what)]
    };
    let rows: Vec<_> = history
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Alarm(alarm) => {
                let hint = alarm.hint().map_or_else(String::new, |hint| format!("; try {hint}"));
                Some(row(alarm.epoch, alarm.step, format!("{alarm}{hint}")))
            }
            Event::Restart { attempt, seed, epoch, step } => Some(row(
                *epoch,
                *step,
                format!("collapsed: attempt {attempt} starts with seed {seed}"),
            )),
            _ => None,
        })
        .collect();
    if rows.is_empty() {
        return None;
    }
    let body = table("Sentinel alarms", &["when", "what"], &rows);
    Some(Section { id: "sentinel", title: "Sentinel", body })
}

/// Returns every key of the resolved recipe.
pub(super) fn recipe(history: &RunHistory) -> Section {
    let value = serde_json::to_value(&history.recipe).unwrap_or_default();
    let body = table("The resolved recipe", &["key", "value"], &cells(&value));
    Section { id: "recipe", title: "Recipe", body: folded("All recipe keys", &body) }
}

/// Returns version, backend, device and data.
pub(super) fn environment(history: &RunHistory) -> Section {
    match &history.environment {
        Some(environment) => {
            let body = table("Environment of the run", &["what", "value"], &cells(environment));
            Section {
                id: "environment",
                title: "Environment",
                body: folded("Version, device, data", &body),
            }
        }
        None => missing("environment", "Environment", "environment.json is missing or incomplete"),
    }
}

fn folded(summary: &str, content: &Markup) -> Markup {
    html! { details { summary { (summary) } (content) } }
}

/// Returns the rows of [`flat`] as cells.
fn cells(value: &Value) -> Vec<Vec<Markup>> {
    flat(value).iter().map(|row| row.iter().map(cell).collect()).collect()
}

/// Returns a row for each value, named by its path.
fn flat(value: &Value) -> Vec<[String; 2]> {
    fn walk(path: &str, value: &Value, rows: &mut Vec<[String; 2]>) {
        let inside = |key: &str| match path {
            "" => key.to_owned(),
            path => format!("{path}.{key}"),
        };
        match value {
            Value::Object(entries) => {
                entries.iter().for_each(|(key, value)| walk(&inside(key), value, rows));
            }
            Value::Array(items) if items.iter().any(Value::is_object) => {
                for (at, value) in items.iter().enumerate() {
                    walk(&inside(&(at + 1).to_string()), value, rows);
                }
            }
            Value::Array(items) => {
                let items: Vec<_> = items.iter().map(plain).collect();
                rows.push([path.to_owned(), items.join(", ")]);
            }
            value => rows.push([path.to_owned(), plain(value)]),
        }
    }
    let mut rows = Vec::new();
    walk("", value, &mut rows);
    rows
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "unknown".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_is_the_mean_since_the_previous_one() {
        let step = |epoch, step, train_loss, train_accuracy| StepReport {
            epoch,
            step,
            steps_per_epoch: 4,
            train_loss,
            train_accuracy,
            learning_rate: 0.1,
            images_per_sec: 1.0,
            secs_left: 0.0,
        };
        // Losses 4, 2, then 0 twice; in the second epoch 1 throughout.
        let steps = [step(1, 1, 4.0, 0.0), step(1, 2, 3.0, 0.25), step(1, 4, 1.5, 0.625)];
        let second = [step(2, 2, 1.0, 0.5), step(2, 4, 1.0, 0.5)];
        let steps: Vec<_> = steps.iter().chain(&second).collect();
        assert_eq!(
            between(&steps),
            [(0.25, 4.0, 0.0), (0.5, 2.0, 0.5), (1.0, 0.0, 1.0), (1.5, 1.0, 0.5), (2.0, 1.0, 0.5)]
        );
        assert_eq!(thinned(&[0; 2001]).len(), 667);
    }

    #[test]
    fn nested_values_are_named_by_their_path() {
        let value = serde_json::json!({
            "model": { "blocks": [{ "kernel": 3 }], "name": "<d2l>" },
            "features": ["avx2", "fma"],
            "commit": null,
        });
        let rows = flat(&value);
        assert_eq!(
            rows,
            [
                ["model.blocks.1.kernel", "3"],
                ["model.name", "<d2l>"],
                ["features", "avx2, fma"],
                ["commit", "unknown"],
            ]
        );
    }
}
