//! The summary at the top of a report, in figures and sentences.

use std::time::SystemTime;

use maud::{Markup, html};
use nin_train::{Ending, RunHistory};

use super::inspection::Inspection;
use super::page::{grouped, percent};

/// Returns figures and sentences.
pub(super) fn verdict(history: &RunHistory, inspection: Option<&Inspection>) -> Markup {
    html! {
        dl class="figures" {
            @for (value, label) in figures(history, inspection) {
                div { dt { (label) } dd { (value) } }
            }
        }
        p { (state(history)) }
        @if let Some(inspection) = inspection {
            (guesses(history, inspection))
            (silent_and_unanswered(inspection))
        }
    }
}

/// Says whether the network only guesses, and whether it can still learn.
fn guesses(history: &RunHistory, inspection: &Inspection) -> Markup {
    let classes = inspection.classes.len();
    let last = history.epochs().last().filter(|last| last.is_at_chance(classes));
    html! {
        @if let Some(last) = last {
            p {
                @if is_dead(history, inspection) {
                    strong { "The network is dead" }
                } @else {
                    strong { "The network only guesses" }
                }
                ": its " (last.evaluated_on.name()) " loss of " (format_args!("{:.3}", last.eval_loss))
                " is what random guessing among " (classes) " classes would give. "
                @if is_dead(history, inspection) {
                    "Try another seed or a smaller learning rate."
                } @else {
                    "Such a plateau may or may not end; more epochs, another seed or a smaller \
                     learning rate may help."
                }
            }
        }
    }
}

fn silent_and_unanswered(inspection: &Inspection) -> Markup {
    let silent = inspection.silent_classes();
    let mut unanswered = inspection.unanswered_classes();
    unanswered.retain(|name| !silent.contains(name));
    html! {
        @if !unanswered.is_empty() {
            p { strong { "Never predicted" } ": " (unanswered.join(", ")) "." }
        }
        @if !silent.is_empty() {
            p {
                strong { "Silent" } ": " (silent.join(", "))
                ". The map of a silent class is zero for every test image: its channel is dead \
                 after the last ReLU and gets no gradient."
            }
        }
    }
}

/// Returns values and their labels.
fn figures(history: &RunHistory, inspection: Option<&Inspection>) -> Vec<(String, String)> {
    let mut figures = Vec::new();
    if let Some(tested) = history.tested() {
        let label = format!("test accuracy of the best epoch ({})", tested.epoch);
        figures.push((percent(Some(tested.accuracy)), label));
    }
    if let Some(best) = history.best_epoch() {
        let label = format!("best {} accuracy, epoch {}", best.evaluated_on.name(), best.epoch);
        figures.push((percent(Some(best.eval_accuracy)), label));
    }
    if let Some(last) = history.epochs().last() {
        let label = format!("{} loss, epoch {}", last.evaluated_on.name(), last.epoch);
        figures.push((format!("{:.3}", last.eval_loss), label));
        figures.push((grouped(format!("{:.0}", last.images_per_sec)), "training images/s".into()));
    }
    if let Some(inspection) = inspection {
        figures.push((
            grouped(inspection.evaluation.score.images),
            "test images evaluated below".into(),
        ));
    }
    figures
}

fn state(history: &RunHistory) -> Markup {
    let epochs =
        format!("{} of {} epochs", history.epochs().count(), history.recipe.training.epochs);
    html! {
        @match history.ending() {
            Some(Ending::Finished) => { "Finished: " (epochs) "." }
            Some(Ending::StoppedEarly) => {
                "Stopped early after " (epochs) ": no better checkpoint within the patience."
            }
            Some(Ending::Collapsed) => {
                "Stopped after " (epochs) ": the sentinel detected a collapse. The state is saved."
            }
            Some(Ending::Interrupted) => {
                "Interrupted after " (epochs) "; the state is saved: " code { "--resume" }
                " continues the run."
            }
            None => {
                "Not ended: " (epochs) ", last log entry "
                (history.last_written.map_or_else(|| "unknown".to_owned(), ago))
                ". It is still running, or it was killed and " code { "--resume" }
                " continues from its latest checkpoint."
            }
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

/// Returns whether the network can no longer learn: the sentinel says so, or every map is zero. A network that
/// only guesses may still learn (ADR 20).
fn is_dead(history: &RunHistory, inspection: &Inspection) -> bool {
    history.is_dead() || inspection.silent_classes().len() == inspection.classes.len()
}
