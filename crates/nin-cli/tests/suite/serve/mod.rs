//! `serve`, through the program itself on a free port.

mod answers;
mod browser;
mod ending;
mod limits;
mod server;
