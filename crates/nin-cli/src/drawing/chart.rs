//! Line charts over epochs.

use maud::{Markup, html};

use super::figure::Figure;
use super::scale::{short, ticks};
use crate::curves::Curve;

/// Space around the area of the curves: figures and the axis's name.
const LEFT: f64 = 44.0;
const RIGHT: f64 = 10.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 44.0;
/// Height of the title and the legend above a chart.
const HEAD: f64 = 28.0;
/// Width of a title, and of each name of a legend, in [`Legend::Above`].
const TITLE: f64 = 106.0;
const NAME: f64 = 110.0;
/// Height of a line of a legend within a chart.
const LEGEND_LINE: f64 = 18.0;

/// A curve.
pub struct Series {
    /// What it shows.
    pub name: String,
    /// A class of figures.css, which says its colour and dashes.
    pub style: &'static str,
    /// The points.
    pub points: Curve,
    /// Whether each point is marked. A point alone always is.
    pub is_marked: bool,
}

/// A value worth comparing with, as a dashed line.
pub struct Level {
    /// The value.
    pub value: f64,
    /// Its name, written above the line or below.
    pub name: String,
    /// Whether the name is below the line.
    pub is_named_below: bool,
}

/// Where the names of the curves are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Legend {
    /// Next to the title, one after the other.
    Above,
    /// Within the chart, at the lower left, one below the other.
    Within,
    /// Nowhere: another chart has them, or they are too many.
    None,
}

/// A chart of curves over epochs.
pub struct Chart {
    /// What it shows.
    pub title: &'static str,
    /// Width and height, without the title and legend above it.
    pub size: [f64; 2],
    /// The curves.
    pub series: Vec<Series>,
    /// Lines across.
    pub levels: Vec<Level>,
    /// Where the names of the curves are, in a file.
    pub legend: Legend,
    /// Epochs along.
    pub epochs: f64,
    /// The lowest and the highest value shown. Values beyond are drawn at the edge.
    pub range: (f64, f64),
}

/// The edges of the area in which curves are drawn.
#[derive(Debug, Clone, Copy)]
pub struct Area {
    /// x of epoch 0.
    pub left: f64,
    /// x of the last epoch.
    pub right: f64,
    /// y of the highest value.
    pub top: f64,
    /// y of the lowest value.
    pub bottom: f64,
}

impl Chart {
    /// Returns the area of the curves.
    pub fn area(&self) -> Area {
        let [width, height] = self.size;
        Area { left: LEFT, right: width - RIGHT, top: TOP, bottom: height - BOTTOM }
    }

    /// Returns the drawing as a file.
    pub fn figure(&self, name: &'static str) -> Figure {
        let [width, height] = self.size;
        Figure::new(name, [0.0, 0.0, width, height + HEAD], &self.description(), &self.titled())
    }

    /// Returns the drawing below its title and legend: [`HEAD`] higher than [`Chart::size`].
    pub fn titled(&self) -> Markup {
        let names_left = if self.title.is_empty() { LEFT } else { LEFT + TITLE };
        html! {
            text class="title" x=(LEFT) y="20" { (self.title) }
            @if self.legend == Legend::Above {
                @for (at, series) in self.series.iter().enumerate() {
                    @let x = names_left + at as f64 * NAME;
                    g class=(series.style) {
                        path class="line" d={ "M" (x) " 16h28" } {}
                        text x=(x + 34.0) y="20" { (series.name) }
                    }
                }
            }
            g transform={ "translate(0 " (HEAD - 2.0) ")" } { (self.drawing()) }
        }
    }

    /// Describes the chart in words.
    pub fn description(&self) -> String {
        let ends: Vec<_> = self
            .series
            .iter()
            .filter_map(|series| {
                let (first, last) = series.points.first().zip(series.points.last())?;
                Some(format!("{} from {:.3} to {:.3}", series.name, first.1, last.1))
            })
            .collect();
        let title = if self.title.is_empty() { "Curves" } else { self.title };
        if ends.is_empty() {
            return format!("{title}: nothing logged yet");
        }
        format!("{title} over epochs: {}", ends.join(", "))
    }

    /// Returns axes, curves and lines across.
    pub fn drawing(&self) -> Markup {
        html! {
            (self.axes())
            @for level in &self.levels { (self.level(level)) }
            @for series in &self.series { (self.curve(series)) }
            @if self.legend == Legend::Within { (self.names()) }
        }
    }

    fn along(&self, epoch: f64) -> f64 {
        let Area { left, right, .. } = self.area();
        left + (right - left) * epoch / self.epochs
    }

    fn up(&self, value: f64) -> f64 {
        let Area { top, bottom, .. } = self.area();
        let (low, high) = self.range;
        bottom - (bottom - top) * (value.clamp(low, high) - low) / (high - low)
    }

    fn axes(&self) -> Markup {
        let Area { left, right, bottom, .. } = self.area();
        let (low, high) = self.range;
        html! {
            @for tick in ticks(low, high) {
                @let y = self.up(tick);
                path class="grid" d=(format_args!("M{left} {y:.1}H{right}")) {}
                text x=(format_args!("{:.1}", left - 6.0)) y=(format_args!("{:.1}", y + 4.5))
                    text-anchor="end" { (short(tick)) }
            }
            @for tick in ticks(0.0, self.epochs).into_iter().filter(|tick| tick.fract() == 0.0) {
                text x=(format_args!("{:.1}", self.along(tick)))
                    y=(format_args!("{:.1}", bottom + 18.0)) text-anchor="middle" { (tick) }
            }
            text x=(format_args!("{:.1}", f64::midpoint(left, right)))
                y=(format_args!("{:.1}", bottom + BOTTOM - 6.0)) text-anchor="middle" { "epoch" }
        }
    }

    fn curve(&self, Series { style, points, is_marked, .. }: &Series) -> Markup {
        let places: Vec<_> =
            points.iter().map(|&(epoch, value)| (self.along(epoch), self.up(value))).collect();
        let line: Vec<_> = places.iter().map(|(x, y)| format!("{x:.1} {y:.1}")).collect();
        html! {
            g class=(style) {
                @if *is_marked || places.len() == 1 {
                    @for (x, y) in &places {
                        circle cx=(format_args!("{x:.1}")) cy=(format_args!("{y:.1}")) r="3" {}
                    }
                }
                @if places.len() > 1 { path class="line" d={ "M" (line.join("L")) } {} }
            }
        }
    }

    fn level(&self, Level { value, name, is_named_below }: &Level) -> Markup {
        let Area { left, right, .. } = self.area();
        let y = self.up(*value);
        let below = if *is_named_below { 16.0 } else { -6.0 };
        html! {
            path class="level" d=(format_args!("M{left} {y:.1}H{right}")) {}
            text x=(left + 8.0) y=(format_args!("{:.1}", y + below)) { (name) }
        }
    }

    fn names(&self) -> Markup {
        let Area { left, bottom, .. } = self.area();
        let top = bottom - LEGEND_LINE * self.series.len() as f64;
        html! {
            @for (at, series) in self.series.iter().enumerate() {
                @let (x, y) = (left + 10.0, top + LEGEND_LINE * at as f64);
                g class=(series.style) {
                    path class="line" d={ "M" (x) " " (y) "h20" } {}
                    text class="name" x=(x + 26.0) y=(y + 4.5) { (series.name) }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(points: Curve) -> Chart {
        Chart {
            title: "Loss",
            size: [420.0, 260.0],
            series: vec![Series {
                name: "training".to_owned(),
                style: "train",
                points,
                is_marked: false,
            }],
            levels: Vec::new(),
            legend: Legend::Above,
            epochs: 2.0,
            range: (0.0, 1.0),
        }
    }

    #[test]
    fn a_chart_without_points_can_be_drawn() {
        let Figure { svg, .. } = chart(Vec::new()).figure("loss");
        assert!(svg.contains("Loss: nothing logged yet") && !svg.contains("NaN"), "{svg}");
    }

    #[test]
    fn points_are_within_the_area() {
        let chart = chart(vec![(0.0, 1.0), (1.0, 0.5), (2.0, 7.0)]);
        let drawing = chart.drawing().into_string();
        assert!(drawing.contains("M44.0 12.0L227.0 114.0L410.0 12.0"), "{drawing}");
        assert_eq!(chart.description(), "Loss over epochs: training from 1.000 to 7.000");
    }
}
