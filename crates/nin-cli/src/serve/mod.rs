//! `serve`: HTTP around one network.
//!
//! One thread owns the network and answers pictures in batches ([`batches`]); one thread speaks
//! HTTP ([`connections`], [`routes`]); a few threads decode pictures ([`lanes`]). [`Limits`] bounds all
//! memory that requests can take, and no part of a request is ever used as a path. docs/threat-model.md lists the
//! guarantees.

mod assets;
mod batches;
mod connections;
mod lanes;
mod limits;
mod memory;
mod metrics;
mod multipart;
mod origin;
mod problem;
mod requests;
mod response;
mod routes;
mod server;
mod service;
mod wire;

pub use limits::{Defaults, Limits};
pub use origin::AllowedHosts;
pub use server::Server;
