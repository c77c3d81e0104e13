//! What the run's own folder says: curves, recipe, environment.

use nin_data::Part;
use nin_train::{Event, RunHistory, StepReport};
use serde_json::Value;

use super::chart::{Chart, Series};
use super::page::{Section, grouped, missing, percent, table};
use crate::xml::escaped;

/// Losses above are drawn at the rim: one wild step hides nothing else.
const HIGHEST_LOSS: f64 = 5.0;
/// Points of a curve that are drawn; what is more is thinned out.
const MOST_POINTS: usize = 1000;

struct Curves {
    train_loss: Vec<(f64, f64)>,
    train_accuracy: Vec<(f64, f64)>,
    eval_loss: Vec<(f64, f64)>,
    eval_accuracy: Vec<(f64, f64)>,
}

impl Curves {
    fn of(history: &RunHistory) -> Self {
        let mut steps = Vec::new();
        let mut test = Vec::new();
        for event in history.attempt() {
            match event {
                Event::Step(step) => steps.push(step),
                Event::Epoch(epoch) => {
                    test.push((epoch.epoch as f64, epoch.eval_loss, epoch.eval_accuracy));
                }
                _ => {}
            }
        }
        let train = between(&thinned(&steps));
        let test = thinned(&test);
        let curve = |points: &[(f64, f64, f64)], value: fn(&(f64, f64, f64)) -> f64| {
            let points = points.iter().map(|point| (point.0, value(point)));
            points.filter(|point| point.1.is_finite()).collect()
        };
        Self {
            train_loss: curve(&train, |point| point.1),
            train_accuracy: curve(&train, |point| point.2),
            eval_loss: curve(&test, |point| point.1),
            eval_accuracy: curve(&test, |point| point.2),
        }
    }

    fn epochs(&self) -> f64 {
        let last = |curve: &[(f64, f64)]| curve.last().map_or(0.0, |point| point.0);
        last(&self.train_loss).max(last(&self.eval_loss)).ceil().max(1.0)
    }
}

/// Every so many points, so that no more than [`MOST_POINTS`] are left.
fn thinned<T: Clone>(points: &[T]) -> Vec<T> {
    points.iter().step_by(points.len().div_ceil(MOST_POINTS).max(1)).cloned().collect()
}

/// Epoch, loss and accuracy of the steps that lie between two logged ones. A log has means over the epoch
/// so far, which begin anew with each epoch: drawn as they are they bend there, whatever is learnt. The
/// last step of an epoch may have fewer images and counts as the others, in both means alike.
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
            // Of equal sums a rounding may be left.
            mean(|step| step.train_loss).max(0.0),
            mean(|step| step.train_accuracy).clamp(0.0, 1.0),
        ));
        before = Some(step);
    }
    points
}

/// Loss and accuracy over the epochs, as they are drawn.
pub(super) struct Charts {
    pub(super) loss: Chart<'static>,
    pub(super) accuracy: Chart<'static>,
    /// The highest loss, drawn or not.
    wildest: f64,
}

impl Charts {
    /// `None` before anything was logged.
    pub(super) fn of(history: &RunHistory) -> Option<Self> {
        let curves = Curves::of(history);
        if curves.train_loss.is_empty() && curves.eval_loss.is_empty() {
            return None;
        }
        let epochs = curves.epochs();
        let losses = curves.train_loss.iter().chain(&curves.eval_loss);
        let wildest = losses.map(|point| point.1).fold(0.1, f64::max);
        let evaluated = evaluated_on(history).name();
        let pair = |train, eval| {
            vec![
                Series { name: "training", style: "train", points: train },
                Series { name: evaluated, style: "test", points: eval },
            ]
        };
        let loss = Chart {
            id: "loss",
            title: "Loss",
            series: pair(curves.train_loss, curves.eval_loss),
            epochs,
            range: (0.0, wildest.min(HIGHEST_LOSS) * 1.05),
        };
        let accuracy = Chart {
            id: "accuracy",
            title: "Accuracy",
            series: pair(curves.train_accuracy, curves.eval_accuracy),
            epochs,
            range: (0.0, 1.0),
        };
        Some(Self { loss, accuracy, wildest })
    }
}

/// Loss and accuracy over the epochs, and the figures of each.
pub(super) fn curves(history: &RunHistory) -> Section {
    let Some(Charts { loss, accuracy, wildest }) = Charts::of(history) else {
        return missing("curves", "Curves", "nothing was logged yet");
    };
    let clipped = if wildest > HIGHEST_LOSS {
        format!(" Losses above {HIGHEST_LOSS} are drawn at the rim; the highest was {wildest:.3e}.")
    } else {
        String::new()
    };
    let note = format!(
        "<p class=\"note\">Training: means over the steps since the point before, while the weights \
         change. {}: after the epoch. Loss: mean cross-entropy, in nats.{clipped}</p>",
        capitalized(evaluated_on(history).name())
    );
    let body = format!(
        "<div class=\"charts\">{}\n{}</div>\n{note}\n{}",
        loss.html(),
        accuracy.html(),
        epoch_table(history)
    );
    Section { id: "curves", title: "Curves", body }
}

/// The part that was evaluated after each epoch.
fn evaluated_on(history: &RunHistory) -> Part {
    history.epochs().last().map_or(Part::Test, |last| last.evaluated_on)
}

fn capitalized(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn epoch_table(history: &RunHistory) -> String {
    let [loss, accuracy] =
        ["loss", "accuracy"].map(|figure| format!("{} {figure}", evaluated_on(history).name()));
    let rows: Vec<_> = history
        .epochs()
        .map(|epoch| {
            vec![
                epoch.epoch.to_string(),
                format!("{:.4}", epoch.train_loss),
                percent(Some(epoch.train_accuracy)),
                format!("{:.4}", epoch.eval_loss),
                percent(Some(epoch.eval_accuracy)),
                epoch.learning_rate.to_string(),
                grouped(format!("{:.0}", epoch.images_per_sec)),
                grouped(format!("{:.0}", epoch.train_secs + epoch.test_secs)),
            ]
        })
        .collect();
    if rows.is_empty() {
        return "<p class=\"missing\">No epoch is finished.</p>".to_owned();
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
    format!(
        "<details><summary>The figures of each epoch</summary>\n{}</details>",
        table("Finished epochs", &head, &rows)
    )
}

/// What the sentinel named, and the restarts that it made; nothing where there was nothing.
pub(super) fn sentinel(history: &RunHistory) -> Option<Section> {
    let row = |epoch: usize, step: usize, what: String| {
        vec![format!("epoch {epoch}, step {step}"), escaped(&what)]
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
                format!("given up: attempt {attempt} begins, with seed {seed}"),
            )),
            _ => None,
        })
        .collect();
    if rows.is_empty() {
        return None;
    }
    let body = table("What the sentinel named", &["when", "what"], &rows);
    Some(Section { id: "sentinel", title: "Sentinel", body })
}

/// Every key of the resolved recipe.
pub(super) fn recipe(history: &RunHistory) -> Section {
    let value = serde_json::to_value(&history.recipe).unwrap_or_default();
    let rows = flat(&value);
    let body = table("The resolved recipe", &["key", "value"], &rows);
    Section { id: "recipe", title: "Recipe", body: folded("Every key of the recipe", &body) }
}

/// Version, backend, device, data.
pub(super) fn environment(history: &RunHistory) -> Section {
    match &history.environment {
        Some(environment) => {
            let body = table("Where the run was made", &["what", "value"], &flat(environment));
            Section {
                id: "environment",
                title: "Environment",
                body: folded("Version, device, data", &body),
            }
        }
        None => {
            missing("environment", "Environment", "environment.json is not there, or not whole")
        }
    }
}

fn folded(summary: &str, content: &str) -> String {
    format!("<details><summary>{summary}</summary>\n{content}</details>")
}

/// One row for each value within, named by its path.
fn flat(value: &Value) -> Vec<Vec<String>> {
    fn walk(path: &str, value: &Value, rows: &mut Vec<Vec<String>>) {
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
                rows.push(vec![escaped(path), escaped(&items.join(", "))]);
            }
            value => rows.push(vec![escaped(path), escaped(&plain(value))]),
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
    fn a_point_is_the_mean_since_the_one_before() {
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
                ["model.name", "&lt;d2l&gt;"],
                ["features", "avx2, fma"],
                ["commit", "unknown"],
            ]
        );
    }
}
