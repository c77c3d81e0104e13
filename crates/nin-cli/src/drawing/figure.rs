//! Figures as SVG files of their own.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use maud::{Markup, PreEscaped, html};

use crate::xml::stripped;

/// The style of all drawings, on a page and in files: light and dark.
pub const STYLE: &str = include_str!("figures.css");

/// A file.
pub struct Figure {
    /// Its name, without the ending.
    pub name: &'static str,
    /// Its content.
    pub svg: String,
}

impl Figure {
    /// Returns a drawing as a file. `view` is left, top, width and height.
    pub fn new(name: &'static str, view: [f64; 4], description: &str, content: &Markup) -> Self {
        let [left, top, width, height] = view;
        let svg = html! {
            svg xmlns="http://www.w3.org/2000/svg"
                viewBox={ (left) " " (top) " " (width) " " (height) }
                width=(width) height=(height) role="img" {
                title { (description) }
                style { (PreEscaped(STYLE)) }
                rect class="ground" x=(left) y=(top) width=(width) height=(height) {}
                (content)
            }
        };
        Self { name, svg: stripped(&svg.into_string()) + "\n" }
    }
}

/// Returns a PNG within a figure. `place` is left, top, width and height.
pub fn image(png: &[u8], place: [f64; 4]) -> Markup {
    let [left, top, width, height] = place;
    let source = format!("data:image/png;base64,{}", STANDARD.encode(png));
    html! { image x=(left) y=(top) width=(width) height=(height) href=(source) {} }
}
