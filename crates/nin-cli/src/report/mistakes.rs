//! The wrong answers of which the network was surest, with the maps that say why.

use super::inspection::{Inspection, Mistake};
use super::page::{Section, escaped, image, joined, percent};
use crate::pictures::{Picture, overlay};

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
        "<p class=\"note\">{wrong} of {images} test images were answered wrong; these are the ones of \
         which the network was surest. {maps}</p>"
    )
}

fn figure(inspection: &Inspection, mistake: &Mistake) -> anyhow::Result<String> {
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
        escaped(said),
        percent(Some(prediction.probabilities[*answer])),
        escaped(is),
        percent(Some(prediction.probabilities[*label])),
    ))
}

fn plain(picture: &Picture) -> anyhow::Result<Vec<u8>> {
    // No cell anywhere: the picture as it is.
    let nowhere = nin_model::MapGeometry { first: 0.0, step: 1, field: 1 };
    Ok(overlay(picture, &[], nowhere, 0.0)?)
}
