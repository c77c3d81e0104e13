//! Ranks that are threads of one process, for tests.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Barrier, Mutex, PoisonError};

use super::communicator::{CommunicationError, Communicator};

/// A rank that is a thread of this process. The ranks of a training are made together, by [`ThreadRank::all`].
#[derive(Debug)]
pub struct ThreadRank {
    rank: usize,
    /// The way to each rank.
    to: Vec<Sender<Vec<u8>>>,
    /// What arrives from each rank.
    from: Vec<Mutex<Receiver<Vec<u8>>>>,
    barrier: Arc<Barrier>,
}

impl ThreadRank {
    /// Creates this many ranks, one for each thread.
    pub fn all(size: usize) -> Vec<Self> {
        let barrier = Arc::new(Barrier::new(size));
        let mut ranks: Vec<Self> = (0..size)
            .map(|rank| {
                let barrier = Arc::clone(&barrier);
                Self { rank, to: Vec::new(), from: Vec::new(), barrier }
            })
            .collect();
        for from in 0..size {
            for to in 0..size {
                let (sender, receiver) = channel();
                ranks[from].to.push(sender);
                ranks[to].from.push(Mutex::new(receiver));
            }
        }
        ranks
    }

    fn lost(&self, partner: usize, reason: &str) -> CommunicationError {
        CommunicationError { rank: self.rank, partner, reason: reason.to_owned() }
    }
}

impl Communicator for ThreadRank {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.to.len()
    }

    fn host(&self) -> String {
        "this machine".to_owned()
    }

    fn exchange(
        &self,
        partner: usize,
        sent: &[u8],
        received: &mut [u8],
    ) -> Result<(), CommunicationError> {
        let (Some(to), Some(from)) = (self.to.get(partner), self.from.get(partner)) else {
            return Err(self.lost(partner, "there is no such rank"));
        };
        to.send(sent.to_vec()).map_err(|_| self.lost(partner, "it has ended"))?;
        let from = from.lock().unwrap_or_else(PoisonError::into_inner);
        let found = from.recv().map_err(|_| self.lost(partner, "it has ended"))?;
        if found.len() != received.len() {
            let (found, expected) = (found.len(), received.len());
            let reason = format!("expected {expected} bytes, received {found}");
            return Err(self.lost(partner, &reason));
        }
        received.copy_from_slice(&found);
        Ok(())
    }

    fn barrier(&self) -> Result<(), CommunicationError> {
        self.barrier.wait();
        Ok(())
    }
}
