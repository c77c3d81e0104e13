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
/// The WebAssembly in a page.
pub const WASM: Module = Module { path: "/wasm.js", source: include_str!("files/wasm.js") };
/// The network in the page.
pub const WEB: Module = Module { path: "/network.js", source: include_str!("files/web.js") };
pub const INPUTS: Module = Module { path: "/inputs.js", source: include_str!("files/inputs.js") };
pub const DRAWING: Module =
    Module { path: "/drawing.js", source: include_str!("files/drawing.js") };
pub const CAMERA: Module = Module { path: "/camera.js", source: include_str!("files/camera.js") };
pub const ANSWER: Module = Module { path: "/answer.js", source: include_str!("files/answer.js") };
/// Imports all others.
pub const PAGE: Module = Module { path: "/page.js", source: include_str!("files/page.js") };

/// The files of the lesson.
pub mod lesson {
    use super::Module;

    pub const STYLE: &str = include_str!("files/lesson/style.css");
    /// The page itself, with slots.
    pub const HTML: &str = include_str!("files/lesson/index.html");
    pub const CURVES: Module =
        Module { path: "/curves.js", source: include_str!("files/lesson/curves.js") };
    pub const SEEN: Module =
        Module { path: "/seen.js", source: include_str!("files/lesson/seen.js") };
    pub const TRAINING: Module =
        Module { path: "/training.js", source: include_str!("files/lesson/training.js") };
    /// Imports all others, except for the worker.
    pub const LESSON: Module =
        Module { path: "/lesson.js", source: include_str!("files/lesson/lesson.js") };
    pub const WORKER: Module =
        Module { path: "/worker.js", source: include_str!("files/lesson/worker.js") };
}
