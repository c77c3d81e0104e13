//! MPI behind nin-train's [`Communicator`]. Sums and their order are nin-train's; MPI only moves bytes.

use mpi::Threading;
use mpi::environment::{Universe, library_version, processor_name};
use mpi::point_to_point::send_receive_into;
use mpi::topology::SimpleCommunicator;
use mpi::traits::{Communicator as _, CommunicatorCollectives as _};
use nin_train::{CommunicationError, Communicator};

use super::launch::process_count;
use crate::error::CommandError;

/// Most bytes of one message. MPI counts in 32-bit integers.
const LARGEST_MESSAGE: usize = 1 << 30;

/// All processes of an `mpirun`. Dropping it leaves MPI, which waits for the others.
pub struct World {
    universe: Universe,
    rank: usize,
    size: usize,
    host: String,
}

impl World {
    /// Joins the other processes.
    pub fn join() -> Result<Self, CommandError> {
        let failed = || {
            CommandError::new(
                "MPI cannot be started",
                "start the program with mpirun or srun of the MPI that it was built with",
            )
        };
        // One thread at a time calls it, not always the first one.
        let (universe, threading) =
            mpi::initialize_with_threading(Threading::Serialized).ok_or_else(failed)?;
        if threading < Threading::Serialized {
            return Err(failed());
        }
        let world = universe.world();
        let (rank, size) = (world.rank() as usize, world.size() as usize);
        let started = process_count();
        if size != started {
            // Each process would train on its own, into the same folder.
            return Err(CommandError::new(
                format!(
                    "{started} processes were started, and the MPI of this nin-cli found {size}"
                ),
                "start them with mpirun or srun of the MPI that the program was built with",
            ));
        }
        let host = processor_name().unwrap_or_else(|_| "an unnamed machine".to_owned());
        Ok(Self { universe, rank, size, host })
    }

    /// Ends all processes at once.
    pub fn abort(&self, code: u8) -> ! {
        self.world().abort(i32::from(code))
    }

    /// Returns whether leaving MPI needs a `mpirun` that answers. Open MPI's stops answering when it is terminated, and soon
    /// kills the processes that wait for it.
    pub fn waits_for_mpirun() -> bool {
        library_version().is_ok_and(|version| version.contains("Open MPI"))
    }

    fn world(&self) -> SimpleCommunicator {
        self.universe.world()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // Leaving MPI would wait for processes that wait for this one.
            self.abort(1);
        }
    }
}

impl std::fmt::Debug for World {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "rank {} of {} on {}", self.rank, self.size, self.host)
    }
}

impl Communicator for World {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.size
    }

    fn host(&self) -> String {
        self.host.clone()
    }

    /// Never fails: where MPI cannot reach a process, it ends all of them.
    fn exchange(
        &self,
        partner: usize,
        sent: &[u8],
        received: &mut [u8],
    ) -> Result<(), CommunicationError> {
        let world = self.world();
        let Ok(rank) = i32::try_from(partner) else {
            let reason = "there is no such rank".to_owned();
            return Err(CommunicationError { rank: self.rank, partner, reason });
        };
        let partner = world.process_at_rank(rank);
        let mut parts = sent.chunks(LARGEST_MESSAGE);
        let mut rooms = received.chunks_mut(LARGEST_MESSAGE);
        loop {
            // The partner counts the same messages, the other way round.
            match (parts.next(), rooms.next()) {
                (None, None) => return Ok(()),
                (part, room) => {
                    let (part, room) = (part.unwrap_or_default(), room.unwrap_or_default());
                    send_receive_into(part, &partner, room, &partner);
                }
            }
        }
    }

    fn barrier(&self) -> Result<(), CommunicationError> {
        self.world().barrier();
        Ok(())
    }
}
