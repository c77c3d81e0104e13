//! Line charts as inline SVG, with the values for the script that shows them under the pointer.

use std::fmt::Write;

use serde_json::json;

use super::figures::Figure;
use super::page::joined;
use crate::xml::escaped;

const WIDTH: f64 = 420.0;
const HEIGHT: f64 = 260.0;
const LEFT: f64 = 44.0;
const RIGHT: f64 = 410.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 216.0;
/// Ticks of an axis, about.
const TICKS: f64 = 5.0;

/// A curve.
pub(super) struct Series {
    /// What it shows.
    pub(super) name: &'static str,
    /// The style's name for its colour and dashes: `train` or `test`.
    pub(super) style: &'static str,
    /// Along and up; finite.
    pub(super) points: Vec<(f64, f64)>,
}

/// A chart of curves over epochs.
pub(super) struct Chart<'a> {
    pub(super) id: &'a str,
    pub(super) title: &'a str,
    pub(super) series: Vec<Series>,
    /// Epochs along.
    pub(super) epochs: f64,
    /// The lowest and the highest value shown.
    pub(super) range: (f64, f64),
}

impl Chart<'_> {
    /// The figure: caption with legend, the drawing, and the place where values are read.
    pub(super) fn html(&self) -> String {
        let Self { id, title, series, .. } = self;
        let legend = joined(series.iter().map(|Series { name, style, .. }| {
            format!(
                "<span class=\"key\"><svg viewBox=\"0 0 28 8\" width=\"28\" height=\"8\" \
                 aria-hidden=\"true\"><path class=\"line {style}\" d=\"M0 4H28\"/></svg> \
                 {name}</span> "
            )
        }));
        let values = json!({
            "left": LEFT, "right": RIGHT, "top": TOP, "bottom": BOTTOM, "epochs": self.epochs,
            "series": series.iter().map(|series| json!({
                "name": series.name,
                "points": series.points,
            })).collect::<Vec<_>>(),
        });
        format!(
            "<figure class=\"chart\" id=\"{id}\">\n\
             <figcaption><b>{title}</b> {legend}</figcaption>\n\
             <svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" tabindex=\"0\" \
             aria-label=\"{}\">\n{}</svg>\n\
             <p class=\"readout\" aria-live=\"polite\"></p>\n\
             <script type=\"application/json\">{}</script>\n</figure>",
            escaped(&self.description()),
            self.drawing(),
            // The only way out of a script element is its end tag.
            values.to_string().replace("</", "<\\/")
        )
    }

    /// The drawing as a file of its own.
    pub(super) fn figure(&self) -> Figure {
        let legend = self.series.iter().enumerate().map(|(at, Series { name, style, .. })| {
            let x = 150.0 + at as f64 * 110.0;
            format!(
                "<path class=\"line {style}\" d=\"M{x} 16h28\"/><text x=\"{}\" y=\"20\">{name}</text>",
                x + 34.0
            )
        });
        let content = format!(
            "<text class=\"title\" x=\"{LEFT}\" y=\"20\">{}</text>{}<g transform=\"translate(0 26)\">{}</g>",
            self.title,
            joined(legend),
            self.drawing()
        );
        Figure::new(self.id, [0.0, 0.0, WIDTH, HEIGHT + 28.0], &self.description(), &content)
    }

    fn description(&self) -> String {
        let ends: Vec<_> = self
            .series
            .iter()
            .filter_map(|series| {
                let (first, last) = series.points.first().zip(series.points.last())?;
                Some(format!("{} from {:.3} to {:.3}", series.name, first.1, last.1))
            })
            .collect();
        if ends.is_empty() {
            return format!("{}: nothing logged yet", self.title);
        }
        format!("{} over epochs: {}. Arrow keys read values.", self.title, ends.join(", "))
    }

    fn along(&self, epoch: f64) -> f64 {
        LEFT + (RIGHT - LEFT) * epoch / self.epochs
    }

    fn up(&self, value: f64) -> f64 {
        let (low, high) = self.range;
        BOTTOM - (BOTTOM - TOP) * (value - low) / (high - low)
    }

    fn drawing(&self) -> String {
        let mut svg = String::new();
        let (low, high) = self.range;
        for tick in ticks(low, high) {
            let y = self.up(tick);
            let _ = writeln!(
                svg,
                "<path class=\"grid\" d=\"M{LEFT} {y:.1}H{RIGHT}\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                LEFT - 6.0,
                y + 4.5,
                short(tick)
            );
        }
        for tick in ticks(0.0, self.epochs).into_iter().filter(|tick| tick.fract() == 0.0) {
            let _ = writeln!(
                svg,
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{tick}</text>",
                self.along(tick),
                BOTTOM + 18.0
            );
        }
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">epoch</text>",
            f64::midpoint(LEFT, RIGHT),
            HEIGHT - 6.0
        );
        for Series { style, points, .. } in &self.series {
            let line: Vec<_> = points
                .iter()
                .map(|&(epoch, value)| {
                    let value = value.clamp(low, high);
                    format!("{:.1} {:.1}", self.along(epoch), self.up(value))
                })
                .collect();
            if line.len() == 1 || *style == "test" {
                for point in &line {
                    let (x, y) = point.split_once(' ').unwrap_or_default();
                    let _ =
                        writeln!(svg, "<circle class=\"{style}\" cx=\"{x}\" cy=\"{y}\" r=\"3\"/>");
                }
            }
            if line.len() > 1 {
                let _ = writeln!(svg, "<path class=\"line {style}\" d=\"M{}\"/>", line.join("L"));
            }
        }
        svg + "<path class=\"cursor\" d=\"\"/>\n"
    }
}

/// Round numbers from the first to the last, a handful.
fn ticks(low: f64, high: f64) -> Vec<f64> {
    let rough = (high - low) / TICKS;
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .map(|factor| factor * power)
        .into_iter()
        .find(|&step| step >= rough * 0.999)
        .unwrap_or(rough);
    let first = (low / step).ceil() as i64;
    let last = (high / step * (1.0 + 1e-9)).floor() as i64;
    // An integer over a divisor where the step is a fraction: 0.3, not 0.30000000000000004.
    (first..=last)
        .map(|number| {
            let number = number as f64;
            if step < 1.0 { number / (1.0 / step).round() } else { number * step }
        })
        .collect()
}

fn short(value: f64) -> String {
    let text = format!("{value:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round() {
        assert_eq!(ticks(0.0, 1.0), [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]);
        assert_eq!(ticks(0.0, 10.0), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
        assert_eq!(ticks(0.0, 2.6), [0.0, 1.0, 2.0]);
        assert_eq!(short(0.25), "0.25");
    }

    #[test]
    fn a_chart_without_points_is_a_chart() {
        let chart = Chart {
            id: "loss",
            title: "Loss",
            series: vec![Series { name: "training", style: "train", points: vec![] }],
            epochs: 1.0,
            range: (0.0, 1.0),
        };
        let html = chart.html();
        assert!(html.contains("Loss: nothing logged yet") && !html.contains("NaN"), "{html}");
    }
}
