//! Whether the network is right as often as it is confident (Guo et al., arXiv:1706.04599).

use maud::{Markup, html};
use nin_train::{Calibration, CalibrationBin, Evaluation};

use super::inspection::Inspection;
use super::page::{Section, cell, grouped, percent, table};
use crate::drawing::Figure;

/// Bins of equal width for probabilities.
const BINS: usize = Calibration::BINS;

/// Returns the reliability diagram, its figures, and the expected calibration error.
pub(super) fn section(inspection: &Inspection) -> Section {
    let Evaluation { calibration, score, .. } = &inspection.evaluation;
    let accuracy = score.accuracy();
    let sure = calibration.mean_probability();
    let is_over = sure.is_some_and(|sure| sure > accuracy);
    let leaning = if is_over { "overconfident" } else { "underconfident" };
    let rows: Vec<_> = calibration
        .bins()
        .iter()
        .enumerate()
        .map(|(at, bin)| {
            vec![
                cell(format_args!("{} to {} %", at * 100 / BINS, (at + 1) * 100 / BINS)),
                cell(grouped(bin.images)),
                cell(percent(bin.probability())),
                cell(percent(bin.accuracy())),
            ]
        })
        .collect();
    let head = ["predicted probability", "images", "mean probability", "accuracy"];
    let body = html! {
        p class="note" {
            "Expected calibration error " strong { (percent(calibration.expected_error())) } ": the network is "
            (leaning) " (mean probability " (percent(sure)) ", accuracy "
            (percent(Some(accuracy)))
            "). Bars that end on the diagonal are calibrated; a bar of few images says little."
        }
        div class="pair" {
            (diagram(calibration.bins()))
            (table("Bars of the diagram", &head, &rows))
        }
    };
    Section { id: "calibration", title: "Calibration", body }
}

/// Returns the reliability diagram as a file.
pub(super) fn figure(inspection: &Inspection) -> Figure {
    let description = "Reliability diagram: accuracy of the predictions in each range of \
                       probability";
    Figure::new(
        "calibration",
        VIEW,
        description,
        &drawing(inspection.evaluation.calibration.bins()),
    )
}

/// Left, top, width and height of the drawing.
const VIEW: [f64; 4] = [-8.0, 0.0, 358.0, 352.0];

fn diagram(bins: &[CalibrationBin]) -> Markup {
    let [left, top, width, height] = VIEW;
    html! {
        figure class="reliability" {
            svg viewBox={ (left) " " (top) " " (width) " " (height) } role="img"
                aria-label="Reliability diagram; the table has its values" { (drawing(bins)) }
            figcaption {
                "Accuracy of the predictions in each range of probability. Below each bar: its \
                 number of images."
            }
        }
    }
}

/// Formats a number of images to fit below a bar.
fn short_count(images: usize) -> String {
    const WHOLE: usize = 10_000;
    if images < WHOLE { images.to_string() } else { format!("{}k", images / 1000) }
}

fn drawing(bins: &[CalibrationBin]) -> Markup {
    const LEFT: f64 = 44.0;
    const SIDE: f64 = 280.0;
    const TOP: f64 = 10.0;
    let up = |share: f64| TOP + SIDE * (1.0 - share);
    let along = |share: f64| LEFT + SIDE * share;
    let width = SIDE / BINS as f64;
    let diagonal = format!("M{LEFT} {}L{} {}", up(0.0), along(1.0), up(1.0));
    html! {
        @for tick in [0.0, 0.5, 1.0] {
            @let percent = format!("{:.0} %", tick * 100.0);
            path class="grid" d=(format_args!("M{LEFT} {:.1}h{SIDE}", up(tick))) {}
            text x=(px(LEFT - 6.0)) y=(px(up(tick) + 4.5)) text-anchor="end" { (percent) }
            text x=(px(along(tick))) y=(px(up(0.0) + 34.0)) text-anchor="middle" { (percent) }
        }
        @for (at, bin) in bins.iter().enumerate() {
            @if let Some(accuracy) = bin.accuracy() {
                @let left = LEFT + width * at as f64;
                rect class="bar" x=(px(left + 1.0)) y=(px(up(accuracy)))
                    width=(px(width - 2.0)) height=(px(SIDE * accuracy)) {
                    title {
                        (percent(bin.probability())) ": " (grouped(bin.images)) " images, "
                        (percent(Some(accuracy))) " right"
                    }
                }
                text class="images" x=(px(left + width * 0.5)) y=(px(up(0.0) + 14.0)) {
                    (short_count(bin.images))
                }
            }
        }
        path class="under" d=(diagonal) {}
        path class="diagonal" d=(diagonal) {}
        text x=(along(0.5)) y=(up(0.0) + 54.0) text-anchor="middle" { "predicted probability" }
    }
}

/// Formats a length to a tenth of a pixel.
fn px(length: f64) -> String {
    format!("{length:.1}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bar_has_its_number_of_images() {
        let mut calibration = Calibration::default();
        for (probability, is_right) in
            [(0.9, true), (0.9, true), (0.55, true), (0.55, false), (1.0, true)]
        {
            calibration.add(probability, is_right);
        }
        let drawn = drawing(calibration.bins()).into_string();
        assert!(drawn.contains(">3</text>") && drawn.contains(">2</text>"), "{drawn}");
        assert_eq!((short_count(9_999).as_str(), short_count(12_900).as_str()), ("9999", "12k"));
    }
}
