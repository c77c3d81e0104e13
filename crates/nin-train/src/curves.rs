//! `curves.svg`: training loss, training accuracy and validation or test accuracy, as the book's figure.

use std::path::Path;

use nin_data::Part;
use plotters::prelude::*;

use crate::events::Event;
use crate::{TrainError, durable};

const SIZE: (u32, u32) = (720, 480);
const TRAIN_LOSS: RGBColor = RGBColor(31, 119, 180);
const TRAIN_ACCURACY: RGBColor = RGBColor(191, 0, 191);
const EVAL_ACCURACY: RGBColor = RGBColor(0, 128, 0);

/// Points of one curve: epochs along, loss or accuracy up.
type Curve = Vec<(f64, f64)>;

struct Curves {
    train_loss: Curve,
    train_accuracy: Curve,
    eval_accuracy: Curve,
    /// What was evaluated.
    evaluated_on: Part,
}

impl Curves {
    fn of(events: &[Event]) -> Self {
        let mut curves = Self {
            train_loss: vec![],
            train_accuracy: vec![],
            eval_accuracy: vec![],
            evaluated_on: Part::Test,
        };
        for event in events {
            match event {
                Event::Step(report) => {
                    let epoch = report.epochs_done();
                    curves.train_loss.push((epoch, report.train_loss));
                    curves.train_accuracy.push((epoch, report.train_accuracy));
                }
                Event::Epoch(report) => {
                    curves.evaluated_on = report.evaluated_on;
                    curves.eval_accuracy.push((report.epoch as f64, report.eval_accuracy));
                }
                _ => {}
            }
        }
        curves
    }

    /// Epochs along the axis, and the height that shows every loss but the wildest.
    fn range(&self) -> (f64, f64) {
        let last = |curve: &Curve| curve.last().map_or(0.0, |point| point.0);
        let epochs = last(&self.train_loss).max(last(&self.eval_accuracy)).max(1.0);
        let highest = self.train_loss.iter().map(|point| point.1).filter(|loss| loss.is_finite());
        let height = highest.fold(1.0, f64::max).min(5.0);
        (epochs, height * 1.05)
    }
}

/// Draws the curves of these events.
pub(crate) fn write(path: &Path, events: &[Event]) -> Result<(), TrainError> {
    let svg = draw(&Curves::of(events))
        .map_err(|reason| TrainError::io("draw", path)(std::io::Error::other(reason)))?;
    durable::write_file(path, svg.as_bytes())
}

fn draw(curves: &Curves) -> Result<String, String> {
    let mut svg = String::new();
    let evaluated = format!("{} acc", curves.evaluated_on.short_name());
    let (epochs, height) = curves.range();
    {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        area.fill(&WHITE).map_err(|error| error.to_string())?;
        let mut chart = ChartBuilder::on(&area)
            .margin(16)
            .x_label_area_size(44)
            .y_label_area_size(52)
            .build_cartesian_2d(0.0..epochs, 0.0..height)
            .map_err(|error| error.to_string())?;
        chart
            .configure_mesh()
            .x_desc("epoch")
            .label_style(("sans-serif", 15))
            .light_line_style(TRANSPARENT)
            .bold_line_style(BLACK.mix(0.15))
            .draw()
            .map_err(|error| error.to_string())?;

        for (name, curve, colour) in [
            ("train loss", &curves.train_loss, TRAIN_LOSS),
            ("train acc", &curves.train_accuracy, TRAIN_ACCURACY),
            (evaluated.as_str(), &curves.eval_accuracy, EVAL_ACCURACY),
        ] {
            let style = colour.stroke_width(2);
            let points = curve.iter().copied().filter(|point| point.1.is_finite());
            let circle = move |point| Circle::new(point, 3, colour.filled());
            chart
                .draw_series(LineSeries::new(points.clone(), style))
                .map_err(|error| error.to_string())?
                .label(name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 24, y)], style));
            chart.draw_series(points.map(circle)).map_err(|error| error.to_string())?;
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperRight)
            .background_style(WHITE.mix(0.85))
            .border_style(BLACK.mix(0.3))
            .label_font(("sans-serif", 15))
            .legend_area_size(30)
            .draw()
            .map_err(|error| error.to_string())?;
        area.present().map_err(|error| error.to_string())?;
    }
    Ok(svg)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_without_events_has_a_figure_too() {
        let svg = draw(&Curves::of(&[])).unwrap();
        assert!(svg.starts_with("<svg") && svg.contains("test acc"), "{svg}");
    }

    #[test]
    fn a_loss_that_is_no_number_is_left_out() {
        let point = |step, train_loss| {
            Event::Step(crate::events::StepReport {
                epoch: 1,
                step,
                steps_per_epoch: 5,
                train_loss,
                train_accuracy: 0.1,
                learning_rate: 0.1,
                images_per_sec: 1.0,
                secs_left: 1.0,
            })
        };
        let svg = draw(&Curves::of(&[point(1, 2.3), point(2, f64::NAN)])).unwrap();
        assert!(!svg.contains("NaN"), "{svg}");
    }
}
