//! `find`: a search for a better recipe by successive halving (Jamieson and Talwalkar, arXiv:1502.07943).

mod candidate;
mod folder;
mod results;
mod rungs;

pub use candidate::{Candidate, candidates};
pub use folder::{Plan, SearchFolder};
pub use results::{Results, Training};
pub use rungs::{Rung, rungs, shortened};
