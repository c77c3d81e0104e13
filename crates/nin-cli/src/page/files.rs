//! The files of the page.

pub const STYLE: &str = include_str!("files/style.css");
pub const ICON: &str = include_str!("files/icon.svg");
/// The page itself, with slots.
pub const HTML: &str = include_str!("files/index.html");

/// A module of the page's script.
#[derive(Clone, Copy)]
pub struct Module {
    /// The path that other modules import.
    pub path: &'static str,
    /// The source, as JavaScript.
    pub source: &'static str,
}

/// The network on a server.
pub const SERVE: Module = Module { path: "/network.js", source: include_str!("files/serve.js") };
/// The network in the page.
pub const WEB: Module = Module { path: "/network.js", source: include_str!("files/web.js") };
pub const INPUTS: Module = Module { path: "/inputs.js", source: include_str!("files/inputs.js") };
pub const DRAWING: Module =
    Module { path: "/drawing.js", source: include_str!("files/drawing.js") };
pub const CAMERA: Module = Module { path: "/camera.js", source: include_str!("files/camera.js") };
pub const ANSWER: Module = Module { path: "/answer.js", source: include_str!("files/answer.js") };
/// Imports all others.
pub const PAGE: Module = Module { path: "/page.js", source: include_str!("files/page.js") };
