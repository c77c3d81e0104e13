//! The curves of several runs in one figure.

use anyhow::anyhow;
use plotters::coord::Shift;
use plotters::prelude::*;

use super::curves::{Curve, Curves};
use super::published::Published;
use super::row::Row;
use super::runs::Comparison;
use super::spread::{GOOD, POOR};
use crate::xml::stripped;

const SIZE: (u32, u32) = (1080, 460);
/// More runs than these are told apart by how they went, not one by one.
const MOST_COLOURS: usize = 10;
/// Told apart by eyes of all kinds, on white (Okabe and Ito 2008, and two greys).
const COLOURS: [RGBColor; MOST_COLOURS] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(230, 159, 0),
    RGBColor(120, 90, 0),
    RGBColor(90, 0, 140),
    RGBColor(110, 110, 110),
    RGBColor(0, 0, 0),
];
/// Losses above are left out of sight: one wild step hides nothing else.
const HIGHEST_LOSS: f64 = 3.0;

impl Comparison {
    /// Training loss and test accuracy of every run over the epochs, as SVG.
    pub fn svg(&self) -> anyhow::Result<String> {
        let mut svg = String::new();
        {
            let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
            self.draw(&area).map_err(|error| anyhow!("cannot draw the curves: {error}"))?;
        }
        Ok(svg)
    }

    fn draw<'a>(&self, area: &Area<'a>) -> Result<(), Failure<'a>> {
        area.fill(&WHITE)?;
        let (left, right) = area.split_horizontally(SIZE.0 / 2);
        let ends = self.curves.iter().flat_map(|curves| {
            [&curves.train_loss, &curves.test_accuracy].map(|curve| curve.last().map(|end| end.0))
        });
        let epochs = ends.flatten().fold(1.0, f64::max);
        let losses = self.curves.iter().flat_map(|curves| &curves.train_loss);
        let highest = losses.map(|point| point.1).fold(0.5, f64::max).min(HIGHEST_LOSS);
        let axes = (epochs, highest * 1.05);
        self.panel(&left, "training loss (nats), mean over the epoch so far", axes, |curves| {
            &curves.train_loss
        })?;
        self.panel(&right, "test accuracy", (epochs, 1.0), |curves| &curves.test_accuracy)?;
        area.present()
    }

    fn panel<'a>(
        &self,
        area: &Area<'a>,
        title: &str,
        (epochs, height): (f64, f64),
        curve: fn(&Curves) -> &Curve,
    ) -> Result<(), Failure<'a>> {
        let mut chart = ChartBuilder::on(area)
            .margin(12)
            .caption(title, ("sans-serif", 17))
            .x_label_area_size(40)
            .y_label_area_size(46)
            .build_cartesian_2d(0.0..epochs, 0.0..height)?;
        chart
            .configure_mesh()
            .x_desc("epoch")
            .label_style(("sans-serif", 14))
            .light_line_style(TRANSPARENT)
            .bold_line_style(BLACK.mix(0.12))
            .draw()?;
        let is_accuracy = height <= 1.0;
        for (level, above, text) in self.levels().into_iter().filter(|_| is_accuracy) {
            let style = BLACK.mix(0.6).stroke_width(1);
            let ends = [(0.0, level), (epochs, level)];
            chart.draw_series(DashedLineSeries::new(ends, 5, 4, style))?;
            let place = (epochs * 0.02, level + above);
            chart.draw_series([Text::new(text, place, ("sans-serif", 13))])?;
        }
        // Where losses seldom are.
        let is_labelled = !is_accuracy && self.runs.len() <= MOST_COLOURS;
        for (at, (curves, row)) in self.curves.iter().zip(&self.runs).enumerate() {
            let colour = self.colour(at, row);
            let points = curve(curves);
            let style = colour.stroke_width(2);
            let drawn = chart.draw_series(LineSeries::new(points.iter().copied(), style))?;
            if is_labelled {
                let line = move |(x, y)| PathElement::new([(x, y), (x + 20, y)], style);
                drawn.label(stripped(&row.run)).legend(line);
            }
            if is_accuracy {
                let circles = points.iter().map(|&point| Circle::new(point, 3, colour.filled()));
                chart.draw_series(circles)?;
            }
        }
        if is_labelled {
            chart
                .configure_series_labels()
                .position(SeriesLabelPosition::LowerLeft)
                .background_style(WHITE.mix(0.85))
                .border_style(BLACK.mix(0.3))
                .label_font(("sans-serif", 13))
                .legend_area_size(26)
                .draw()?;
        }
        Ok(())
    }

    /// Lines across the accuracies, how far above each its name begins, and the name.
    fn levels(&self) -> Vec<(f64, f64, String)> {
        self.published.map_or_else(Vec::new, |Published { median, max, .. }| {
            vec![
                (max, 0.045, format!("best published {max:.3}")),
                (median, -0.01, format!("median published {median:.4}")),
            ]
        })
    }

    fn colour(&self, at: usize, row: &Row) -> RGBColor {
        if self.runs.len() <= MOST_COLOURS {
            return COLOURS[at % MOST_COLOURS];
        }
        match row.test_accuracy {
            _ if row.at_chance == Some(true) => COLOURS[9],
            Some(accuracy) if accuracy >= GOOD => COLOURS[2],
            Some(accuracy) if accuracy >= POOR => COLOURS[0],
            _ => COLOURS[1],
        }
    }
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Failure<'a> = DrawingAreaErrorKind<<SVGBackend<'a> as DrawingBackend>::ErrorType>;
