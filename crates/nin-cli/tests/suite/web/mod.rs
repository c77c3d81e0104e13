//! `export --to web`: the page in node and in a real Chromium, and the WebAssembly in it.

mod browser;
mod lesson;
mod node;
mod rebuilt;
mod refused;
