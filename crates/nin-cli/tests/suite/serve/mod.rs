//! `serve`, through the program itself on a free port.

mod answers;
mod browser;
mod colour;
mod ending;
mod limits;
mod odd_pictures;
mod server;
mod strangers;

pub(crate) use server::square;
