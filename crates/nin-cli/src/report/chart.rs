//! Line charts on a page, with their values for the script that shows them under the pointer.

use maud::{Markup, PreEscaped, html};
use serde_json::json;

use crate::drawing::{Area, Chart};

/// Returns the figure: caption with legend, the drawing, and the place where values are read.
pub(super) fn interactive(id: &str, chart: &Chart) -> Markup {
    let [width, height] = chart.size;
    html! {
        figure class="chart" id=(id) {
            figcaption {
                b { (chart.title) } " "
                @for series in &chart.series {
                    span class="key" {
                        svg viewBox="0 0 28 8" width="28" height="8" aria-hidden="true"
                            class=(series.style) { path class="line" d="M0 4H28" {} }
                        " " (series.name)
                    }
                    " "
                }
            }
            svg viewBox={ "0 0 " (width) " " (height) } role="img" tabindex="0"
                aria-label={ (chart.description()) ". Arrow keys read values." } {
                (chart.drawing())
                path class="cursor" d="" {}
            }
            p class="readout" aria-live="polite" {}
            script type="application/json" { (PreEscaped(values(chart))) }
        }
    }
}

/// Returns the values as JSON that cannot end its script element.
fn values(chart: &Chart) -> String {
    let Area { left, right, top, bottom } = chart.area();
    let series: Vec<_> = chart
        .series
        .iter()
        .map(|series| json!({ "name": series.name, "points": series.points }))
        .collect();
    let values = json!({
        "left": left, "right": right, "top": top, "bottom": bottom, "epochs": chart.epochs,
        "series": series,
    });
    values.to_string().replace("</", "<\\/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drawing::{Legend, Series};

    #[test]
    fn names_cannot_end_the_script() {
        let series = Series {
            name: "</script>".to_owned(),
            style: "train",
            points: vec![(0.5, 2.0)],
            is_marked: false,
        };
        let chart = Chart {
            title: "Loss",
            size: [420.0, 260.0],
            series: vec![series],
            levels: Vec::new(),
            legend: Legend::Above,
            epochs: 1.0,
            range: (0.0, 3.0),
        };
        let html = interactive("loss", &chart).into_string();
        assert_eq!(html.matches("</script>").count(), 1, "{html}");
        assert!(html.contains("Loss over epochs: &lt;/script&gt; from 2.000 to 2.000."), "{html}");
    }
}
