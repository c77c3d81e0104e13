//! The wrong answers of which the network was surest, with the maps that say why.

use std::fmt::Write;

use super::figures::{self, Figure};
use super::inspection::{Inspection, Mistake};
use super::page::{Section, grouped, image, joined, percent, unbroken};
use crate::pictures::{Picture, overlay, shown_size};
use crate::tensorboard;
use crate::xml::escaped;

/// The side at which pictures are shown, in CSS pixels.
const SHOWN_SIDE: usize = 112;

/// A figure for each mistake.
pub(super) fn section(inspection: &Inspection) -> anyhow::Result<Section> {
    let mistakes = &inspection.mistakes;
    let body = if mistakes.is_empty() {
        "<p>Every test image was answered right.</p>".to_owned()
    } else {
        let figures = mistakes
            .iter()
            .map(|mistake| figure(inspection, mistake))
            .collect::<Result<Vec<_>, _>>()?;
        let kind = if mistakes.iter().any(has_maps) { "mistakes" } else { "mistakes plain" };
        format!("{}\n<div class=\"{kind}\">\n{}</div>", note(inspection), figures.concat())
    };
    Ok(Section { id: "mistakes", title: "Mistakes", body })
}

/// Whether a map says where: one cell says nothing.
fn has_maps(mistake: &Mistake) -> bool {
    mistake.prediction.map_size() != [1, 1]
}

fn note(inspection: &Inspection) -> String {
    let images = inspection.evaluation.score.images;
    let wrong = images - inspection.evaluation.score.correct;
    let maps = if inspection.mistakes.iter().any(has_maps) {
        "Each with the map of the class that was answered and of the right one: their means are the \
         two logits, so that the maps are the whole reason for the answer. Orange is high, on one \
         scale for both; what no cell is centred on stays plain."
    } else {
        "The class maps of this network have one cell at this input size, which shows no place: train \
         at a larger one to see where."
    };
    format!(
        "<p class=\"note\">{} of {} test images were answered wrong; these are the ones of which the \
         network was surest. {maps}</p>",
        grouped(wrong),
        grouped(images)
    )
}

/// A mistake's picture and, where they say something, the maps of the answer and of the right class
/// over it: PNG files with their descriptions.
fn pictures(inspection: &Inspection, mistake: &Mistake) -> anyhow::Result<Vec<(Vec<u8>, String)>> {
    let Mistake { index, label, answer, prediction, picture } = mistake;
    let (said, is) = (&inspection.classes[*answer], &inspection.classes[*label]);
    let mut pictures = vec![(plain(picture)?, format!("Test image {index}: {is}"))];
    if has_maps(mistake) {
        let hottest = prediction.hottest_of(*answer).max(prediction.hottest_of(*label));
        for (class, name) in [(*answer, said), (*label, is)] {
            let png = overlay(picture, &prediction.map(class), inspection.geometry, hottest)?;
            pictures.push((png, format!("Map of {name} over it")));
        }
    }
    Ok(pictures)
}

/// All mistakes as a file of its own, one below the other.
pub(super) fn sheet(inspection: &Inspection) -> anyhow::Result<Figure> {
    const SIDE: f64 = SHOWN_SIDE as f64;
    const STEP: f64 = SIDE + 34.0;
    let mut content = String::new();
    for (number, mistake) in inspection.mistakes.iter().enumerate() {
        let top = STEP * number as f64;
        for (at, (png, _)) in pictures(inspection, mistake)?.iter().enumerate() {
            let left = 8.0 + (SIDE + 8.0) * at as f64;
            content += &figures::image(png, [left, top + 26.0, SIDE, SIDE]);
        }
        let Mistake { label, answer, prediction, .. } = mistake;
        let _ = writeln!(
            content,
            "<text x=\"8\" y=\"{}\">Said {} ({}), is {} ({})</text>",
            top + 18.0,
            escaped(&inspection.classes[*answer]),
            percent(Some(prediction.probabilities[*answer])),
            escaped(&inspection.classes[*label]),
            percent(Some(prediction.probabilities[*label])),
        );
    }
    let height = STEP * inspection.mistakes.len().max(1) as f64;
    let description = "The wrong answers of which the network was surest: image, map of the answer, \
                       map of the right class";
    Ok(Figure::new(
        "mistakes",
        [0.0, 0.0, 3.0 * (SIDE + 8.0) + 80.0, height],
        description,
        &content,
    ))
}

/// Every mistake's pictures for TensorBoard.
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

fn figure(inspection: &Inspection, mistake: &Mistake) -> anyhow::Result<String> {
    let Mistake { index, label, answer, prediction, picture } = mistake;
    let (said, is) = (&inspection.classes[*answer], &inspection.classes[*label]);
    let pictures = pictures(inspection, mistake)?;
    let [height, width] = picture.size;
    let shown = [SHOWN_SIDE * height / height.max(width), SHOWN_SIDE * width / height.max(width)];
    let captions = ["image", "map: answer", "map: right class"];
    let is_alone = pictures.len() == 1;
    let cells = joined(pictures.iter().zip(captions).map(|((png, alternative), caption)| {
        let caption = if is_alone { String::new() } else { format!("<small>{caption}</small>") };
        format!("<span>{}{caption}</span>", image(png, alternative, shown))
    }));
    Ok(format!(
        "<figure><div class=\"pictures\">{cells}</div><figcaption>Said <strong>{}</strong> ({}), is \
         <strong>{}</strong> ({}). <small>Test image {index}</small></figcaption></figure>\n",
        unbroken(said),
        percent(Some(prediction.probabilities[*answer])),
        unbroken(is),
        percent(Some(prediction.probabilities[*label])),
    ))
}

fn plain(picture: &Picture) -> anyhow::Result<Vec<u8>> {
    // No cell anywhere: the picture as it is.
    let nowhere = nin_model::MapGeometry { first: 0.0, step: 1, field: 1 };
    Ok(overlay(picture, &[], nowhere, 0.0)?)
}
