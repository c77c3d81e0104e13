//! Stands in for `mpi` in a build without it: nothing joins, and the refusal says why.

use nin_train::{CommunicationError, Communicator};

use super::launch::process_count;
use crate::error::CommandError;

/// No processes.
#[derive(Debug)]
pub enum World {}

impl World {
    /// Refuses: each process would train on its own, into the same folder.
    pub fn join() -> Result<Self, CommandError> {
        let count = process_count();
        Err(CommandError::new(
            format!("{count} processes were started, and this nin-cli was built without MPI"),
            "build it with `--features mpi` to train on several processes, or start only one",
        ))
    }

    pub fn abort(&self, _code: u8) -> ! {
        match *self {}
    }

    pub fn waits_for_mpirun() -> bool {
        false
    }
}

impl Communicator for World {
    fn rank(&self) -> usize {
        match *self {}
    }

    fn size(&self) -> usize {
        match *self {}
    }

    fn host(&self) -> String {
        match *self {}
    }

    fn exchange(
        &self,
        _partner: usize,
        _sent: &[u8],
        _received: &mut [u8],
    ) -> Result<(), CommunicationError> {
        match *self {}
    }

    fn barrier(&self) -> Result<(), CommunicationError> {
        match *self {}
    }
}
