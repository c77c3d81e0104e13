//! Figures as SVG files of their own.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::page::FIGURES;
use crate::xml::escaped;

/// A file.
pub struct Figure {
    /// Its name, without the ending.
    pub name: String,
    /// Its content.
    pub svg: String,
}

impl Figure {
    /// A drawing in the report's colours, light or dark as its reader likes it. `view` is left, top,
    /// width and height.
    pub(super) fn new(name: &str, view: [f64; 4], description: &str, content: &str) -> Self {
        let [left, top, width, height] = view;
        let description = escaped(description);
        let svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"{left} {top} {width} {height}\" \
             width=\"{width}\" height=\"{height}\" role=\"img\">\n<title>{description}</title>\n\
             <style>\n{FIGURES}</style>\n<rect class=\"ground\" x=\"{left}\" y=\"{top}\" \
             width=\"{width}\" height=\"{height}\"/>\n{content}</svg>\n"
        );
        Self { name: name.to_owned(), svg }
    }
}

/// A PNG within a figure; `place` is left, top, width and height.
pub(super) fn image(png: &[u8], place: [f64; 4]) -> String {
    let [left, top, width, height] = place;
    format!(
        "<image x=\"{left}\" y=\"{top}\" width=\"{width}\" height=\"{height}\" \
         href=\"data:image/png;base64,{}\"/>\n",
        STANDARD.encode(png)
    )
}
