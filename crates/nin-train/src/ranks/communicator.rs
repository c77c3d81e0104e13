//! The processes of one training, and how two of them exchange bytes.

use std::fmt::Debug;

/// The other processes of a training, called ranks as in MPI.
///
/// Everything that ranks agree on is made of exchanges between two of them, so that an implementation has little to
/// get wrong, and the order of sums is this crate's and not that of a library.
pub trait Communicator: Debug + Send + Sync {
    /// Returns the number of this process, counted from 0.
    fn rank(&self) -> usize;

    /// Returns the number of processes.
    fn size(&self) -> usize;

    /// Returns the name of this process's machine, for messages.
    fn host(&self) -> String;

    /// Sends bytes to another rank, which calls this at the same time, and receives as many as `received` holds.
    ///
    /// # Errors
    /// [`CommunicationError`] if the other rank cannot be reached.
    fn exchange(
        &self,
        partner: usize,
        sent: &[u8],
        received: &mut [u8],
    ) -> Result<(), CommunicationError>;

    /// Waits until every rank has called this.
    ///
    /// # Errors
    /// [`CommunicationError`] if another rank cannot be reached.
    fn barrier(&self) -> Result<(), CommunicationError>;
}

/// Another rank that cannot be reached.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("rank {rank} lost the connection to rank {partner}: {reason}")]
pub struct CommunicationError {
    /// This process.
    pub rank: usize,
    /// The other one.
    pub partner: usize,
    /// What happened.
    pub reason: String,
}

/// The only process of a training.
#[derive(Debug, Clone, Copy, Default)]
pub struct Alone;

impl Communicator for Alone {
    fn rank(&self) -> usize {
        0
    }

    fn size(&self) -> usize {
        1
    }

    fn host(&self) -> String {
        "this machine".to_owned()
    }

    fn exchange(
        &self,
        partner: usize,
        _sent: &[u8],
        _received: &mut [u8],
    ) -> Result<(), CommunicationError> {
        Err(CommunicationError { rank: 0, partner, reason: "there is one rank".to_owned() })
    }

    fn barrier(&self) -> Result<(), CommunicationError> {
        Ok(())
    }
}
