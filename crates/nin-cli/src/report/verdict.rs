//! The first thing that a report says: how the run stands, in figures and in a sentence.

use std::time::SystemTime;

use nin_train::{Ending, RunHistory};

use super::inspection::Inspection;
use super::page::{grouped, joined, percent};
use crate::xml::escaped;

/// Figures and sentences, as HTML.
pub(super) fn verdict(history: &RunHistory, inspection: Option<&Inspection>) -> String {
    let mut sentences = vec![state(history)];
    let last = history.epochs().last();
    if let Some((last, inspection)) = last.zip(inspection)
        && last.is_at_chance(inspection.classes.len())
    {
        let guess = format!(
            "its {} loss, {:.3}, is that of a guess among {} classes",
            last.evaluated_on.name(),
            last.eval_loss,
            inspection.classes.len()
        );
        sentences.push(if is_dead(history, inspection) {
            format!(
                "<strong>The network is dead</strong>: {guess}. Another seed or a smaller learning \
                 rate helps."
            )
        } else {
            format!(
                "<strong>The network only guesses</strong>: {guess}. Such a plateau may end, or not; \
                 more epochs, another seed or a smaller learning rate may help."
            )
        });
    }
    if let Some(inspection) = inspection {
        let names = |names: Vec<&str>| escaped(&names.join(", "));
        let silent = inspection.silent_classes();
        let mut unanswered = inspection.unanswered_classes();
        unanswered.retain(|name| !silent.contains(name));
        if !unanswered.is_empty() {
            let unanswered = names(unanswered);
            sentences.push(format!("<strong>Never answered</strong>: {unanswered}."));
        }
        if !silent.is_empty() {
            sentences.push(format!(
                "<strong>Silent</strong>: {}. The map of a silent class is zero for every test image: \
                 its channel died behind the last ReLU and gets no gradient there.",
                names(silent)
            ));
        }
    }
    let sentences = joined(sentences.iter().map(|sentence| format!("<p>{sentence}</p>\n")));
    format!("<dl class=\"figures\">{}</dl>\n{sentences}", figures(history, inspection))
}

fn figures(history: &RunHistory, inspection: Option<&Inspection>) -> String {
    let mut figures = Vec::new();
    if let Some(tested) = history.tested() {
        let label = format!("test accuracy of the best epoch, {}", tested.epoch);
        figures.push((percent(Some(tested.accuracy)), label));
    }
    if let Some(best) = history.best_epoch() {
        let label = format!("best {} accuracy, epoch {}", best.evaluated_on.name(), best.epoch);
        figures.push((percent(Some(best.eval_accuracy)), label));
    }
    if let Some(last) = history.epochs().last() {
        let label = format!("{} loss, epoch {}", last.evaluated_on.name(), last.epoch);
        figures.push((format!("{:.3}", last.eval_loss), label));
        figures.push((grouped(format!("{:.0}", last.images_per_sec)), "images/s trained".into()));
    }
    if let Some(inspection) = inspection {
        figures.push((
            grouped(inspection.evaluation.score.images),
            "test images looked at below".into(),
        ));
    }
    joined(
        figures
            .into_iter()
            .map(|(value, label)| format!("<div><dt>{label}</dt><dd>{value}</dd></div>")),
    )
}

fn state(history: &RunHistory) -> String {
    let done = history.epochs().count();
    let asked = history.recipe.training.epochs;
    let epochs = format!("{done} of {asked} epochs");
    match history.ending() {
        Some(Ending::Finished) => format!("Finished: {epochs}."),
        Some(Ending::StoppedEarly) => {
            format!("Stopped early after {epochs}: no better checkpoint within the patience.")
        }
        Some(Ending::Collapsed) => {
            format!("Given up after {epochs}: the sentinel found it collapsed. Its state is saved.")
        }
        Some(Ending::Interrupted) => {
            format!("Interrupted after {epochs}, its state saved: <code>--resume</code> goes on.")
        }
        None => {
            let ago = history.last_written.map_or_else(|| "never".to_owned(), ago);
            format!(
                "Not ended: {epochs}, last heard of {ago}. It is running, or was cut off; then \
                 <code>--resume</code> goes on from its latest checkpoint."
            )
        }
    }
}

fn ago(then: SystemTime) -> String {
    let secs = SystemTime::now().duration_since(then).map_or(0, |passed| passed.as_secs());
    match secs {
        0..120 => "less than two minutes before this report".to_owned(),
        120..7200 => format!("{} minutes before this report", secs / 60),
        7200..172_800 => format!("{} hours before this report", secs / 3600),
        _ => format!("{} days before this report", secs / 86_400),
    }
}

/// Whether nothing can be learnt any more, as the sentinel saw it or as every map says; a network that
/// only guesses may still learn (ADR 20).
fn is_dead(history: &RunHistory, inspection: &Inspection) -> bool {
    history.is_dead() || inspection.silent_classes().len() == inspection.classes.len()
}
