//! The most confident wrong answers, with the class maps that explain them.

use maud::{Markup, html};

use super::inspection::{Inspection, Mistake};
use super::page::{Section, grouped, image, percent, unbroken};
use crate::drawing::{self, Figure};
use crate::pictures::{Picture, overlay, shown_size};
use crate::tensorboard;

/// The side of a picture, in CSS pixels.
const SHOWN_SIDE: usize = 112;

/// Returns a figure for each mistake.
pub(super) fn section(inspection: &Inspection) -> anyhow::Result<Section> {
    let mistakes = &inspection.mistakes;
    let figures = mistakes
        .iter()
        .map(|mistake| figure(inspection, mistake))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let kind = if mistakes.iter().any(has_maps) { "mistakes" } else { "mistakes plain" };
    let body = html! {
        @if figures.is_empty() {
            p { "Every test image is classified correctly." }
        } @else {
            (note(inspection))
            div class=(kind) { @for figure in &figures { (figure) } }
        }
    };
    Ok(Section { id: "mistakes", title: "Mistakes", body })
}

/// Returns whether the map shows a place. A single cell does not.
fn has_maps(mistake: &Mistake) -> bool {
    mistake.prediction.map_size() != [1, 1]
}

fn note(inspection: &Inspection) -> Markup {
    let images = inspection.evaluation.score.images;
    let wrong = images - inspection.evaluation.score.correct;
    let maps = if inspection.mistakes.iter().any(has_maps) {
        "Each is shown with the maps of the predicted and the true class. The mean of a map is the \
         class's logit, so the maps fully explain the prediction. Orange is high, on the same \
         scale for both; pixels that belong to no cell stay plain."
    } else {
        "At this input size the class maps have a single cell and show no location: train at a \
         larger size to see where the network looks."
    };
    html! {
        p class="note" {
            (grouped(wrong)) " of " (grouped(images))
            " test images are misclassified; these are the most confident mistakes. "
            (maps)
        }
    }
}

/// Returns a mistake's picture and, if they show a place, the maps of the answer and the right class over it, as
/// PNG files with descriptions.
fn pictures(inspection: &Inspection, mistake: &Mistake) -> anyhow::Result<Vec<(Vec<u8>, String)>> {
    let Mistake { label, answer, prediction, picture, .. } = mistake;
    let (said, is) = (&inspection.classes[*answer], &inspection.classes[*label]);
    let mut pictures = vec![(plain(picture)?, format!("{}: {is}", mistake.name()))];
    if has_maps(mistake) {
        let hottest = prediction.hottest_of(*answer).max(prediction.hottest_of(*label));
        for (class, name) in [(*answer, said), (*label, is)] {
            let png = overlay(picture, &prediction.map(class), inspection.geometry, hottest)?;
            pictures.push((png, format!("Map of {name} over the image")));
        }
    }
    Ok(pictures)
}

/// Returns all mistakes as one file, one below the other.
pub(super) fn sheet(inspection: &Inspection) -> anyhow::Result<Figure> {
    const SIDE: f64 = SHOWN_SIDE as f64;
    const STEP: f64 = SIDE + 34.0;
    let mut content = Vec::new();
    for (number, mistake) in inspection.mistakes.iter().enumerate() {
        let top = STEP * number as f64;
        for (at, (png, _)) in pictures(inspection, mistake)?.iter().enumerate() {
            let left = 8.0 + (SIDE + 8.0) * at as f64;
            content.push(drawing::image(png, [left, top + 26.0, SIDE, SIDE]));
        }
        let Mistake { label, answer, prediction, .. } = mistake;
        let named = |class: usize| {
            let (name, share) = (&inspection.classes[class], prediction.probabilities[class]);
            format!("{name} ({})", percent(Some(share)))
        };
        let words = format!("Predicted {}, is {}", named(*answer), named(*label));
        content.push(html! { text x="8" y=(top + 18.0) { (words) } });
    }
    let content = html! { @for part in &content { (part) } };
    let height = STEP * inspection.mistakes.len().max(1) as f64;
    let description = "The most confident mistakes: image, map of the predicted class, map of the \
                       true class";
    Ok(Figure::new(
        "mistakes",
        [0.0, 0.0, 3.0 * (SIDE + 8.0) + 80.0, height],
        description,
        &content,
    ))
}

/// Returns every mistake's pictures for TensorBoard.
pub(super) fn named_pictures(inspection: &Inspection) -> anyhow::Result<Vec<tensorboard::Picture>> {
    let mut named = Vec::new();
    for (number, mistake) in inspection.mistakes.iter().enumerate() {
        for ((png, _), what) in
            pictures(inspection, mistake)?.into_iter().zip(["image", "answer", "right"])
        {
            let size = shown_size(mistake.picture.size);
            let tag = format!("mistake_{:02}/{what}", number + 1);
            named.push(tensorboard::Picture { tag, png, size, channels: 3 });
        }
    }
    Ok(named)
}

fn figure(inspection: &Inspection, mistake: &Mistake) -> anyhow::Result<Markup> {
    let Mistake { label, answer, prediction, picture, .. } = mistake;
    let pictures = pictures(inspection, mistake)?;
    let [height, width] = picture.size;
    let shown = [SHOWN_SIDE * height / height.max(width), SHOWN_SIDE * width / height.max(width)];
    let captions = ["image", "map: predicted", "map: true class"];
    let named = |class: usize| {
        let share = percent(Some(prediction.probabilities[class]));
        html! { strong { (unbroken(&inspection.classes[class])) } " (" (share) ")" }
    };
    Ok(html! {
        figure {
            div class="pictures" {
                @for ((png, alternative), caption) in pictures.iter().zip(captions) {
                    span {
                        (image(png, alternative, shown))
                        @if pictures.len() > 1 { small { (caption) } }
                    }
                }
            }
            figcaption {
                "Predicted " (named(*answer)) ", is " (named(*label)) ". "
                small { (mistake.name()) }
            }
        }
    })
}

fn plain(picture: &Picture) -> anyhow::Result<Vec<u8>> {
    // A map without cells leaves the picture unchanged.
    let nowhere = nin_model::MapGeometry { first: 0.0, step: 1, field: 1 };
    Ok(overlay(picture, &[], nowhere, 0.0)?)
}
