//! Data-parallel training: several processes, called ranks, train one network.
//!
//! Each rank computes the gradients of a share of every batch: a subtree of the sums that gradient accumulation makes
//! in one process. The ranks exchange the roots of their subtrees, so that every one takes the same step, with the same
//! bits as one process. Rank 0, the root, writes the run folder; the others only compute.
//!
//! `communicator` is the interface to MPI or threads, `collectives` is what all ranks do together, `gradients` adds up
//! gradients, `agreement` stops all ranks at the same step, `preflight` compares them before, and `start` hands out the state of the root.

mod agreement;
mod collectives;
mod communicator;
mod evaluation;
mod gradients;
mod preflight;
mod start;
mod threads;

use std::sync::Arc;

use nin_data::Share;

pub(crate) use self::agreement::{Turn, unreadable};
pub use self::communicator::{Alone, CommunicationError, Communicator};
pub use self::preflight::{Fingerprint, Ready, gather, preflight};
pub(crate) use self::start::Start;
pub use self::threads::ThreadRank;
use crate::TrainError;
use crate::recipe::RecipeError;

/// The ranks of a training.
#[derive(Debug, Clone)]
pub(crate) struct Ranks(Arc<dyn Communicator>);

impl Default for Ranks {
    fn default() -> Self {
        Self(Arc::new(Alone))
    }
}

impl Ranks {
    pub(crate) fn new(communicator: Arc<dyn Communicator>) -> Self {
        Self(communicator)
    }

    /// Returns whether this process is the only one.
    pub(crate) fn is_alone(&self) -> bool {
        self.0.size() == 1
    }

    /// Returns whether this is rank 0, which writes the run folder.
    pub(crate) fn is_root(&self) -> bool {
        self.0.rank() == 0
    }

    pub(crate) fn size(&self) -> usize {
        self.0.size()
    }

    /// Returns the part of each batch that this rank computes.
    pub(crate) fn share(&self) -> Share {
        Share { index: self.0.rank(), of: self.0.size() }
    }
}

/// Checks that this many ranks can divide batches of this many parts among themselves.
///
/// # Errors
/// [`RecipeError::Refused`] names the numbers of ranks that can.
pub fn check_rank_count(ranks: usize, micro_batches: usize) -> Result<(), TrainError> {
    if ranks.is_power_of_two() && ranks <= micro_batches {
        return Ok(());
    }
    let least = ranks.next_power_of_two();
    let counts: Vec<String> =
        (0..=micro_batches.ilog2()).map(|power| (1_usize << power).to_string()).collect();
    let expected = match counts.as_slice() {
        [one] => format!("{least} or more for {ranks} ranks; it allows {one} rank"),
        counts => {
            let counts = counts.join(", ");
            format!("a number that {ranks} ranks divide; it allows {counts} ranks")
        }
    };
    Err(TrainError::Recipe(RecipeError::Refused {
        key: "training.micro_batches".to_owned(),
        expected,
        found: micro_batches.to_string(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_of_ranks_that_does_not_divide_the_parts_is_refused_with_those_that_do() {
        for ranks in [1, 2, 4, 8] {
            check_rank_count(ranks, 8).unwrap();
        }
        for (ranks, micro_batches, expected) in [
            (3, 8, "allows 1, 2, 4, 8 ranks"),
            (16, 8, "allows 1, 2, 4, 8 ranks"),
            (2, 1, "2 or more for 2 ranks"),
            (3, 1, "4 or more for 3 ranks"),
        ] {
            let error = check_rank_count(ranks, micro_batches).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
