//! The processes of one training, as the commands see them.

use std::sync::Arc;

use nin_train::recipe::Recipe;
use nin_train::{
    Communicator, Fingerprint, TrainError, check_rank_count, gather, one_line, preflight,
};

#[cfg(not(feature = "mpi"))]
use super::absent::World;
use super::launch::{allowed_cores, process_count};
#[cfg(feature = "mpi")]
use super::mpi::World;
use super::role::{set_local_rank, set_root, set_sharing_cores};
use crate::exit;
use crate::hints::hint;
use crate::stopping::was_asked_to_stop;

/// What processes that were asked to stop tell the others.
const STOPPED: &str = "stopped";

/// The processes of one training.
#[derive(Debug)]
pub struct Group(Arc<World>);

impl Group {
    /// Joins the other processes; `None` if this one was started alone.
    ///
    /// # Errors
    /// A build without MPI, or an MPI that does not start.
    pub fn join() -> anyhow::Result<Option<Self>> {
        if process_count() < 2 {
            return Ok(None);
        }
        let world = Arc::new(World::join()?);
        set_root(world.rank() == 0);
        Ok(Some(Self(world)))
    }

    /// Joins the other processes, if there are any, works with them, and leaves them. An error that only this process has
    /// ends all of them.
    ///
    /// # Errors
    /// Those of [`Group::join`] and of the work.
    pub fn together<T>(work: impl FnOnce(Option<&Self>) -> anyhow::Result<T>) -> anyhow::Result<T> {
        let group = Self::join()?;
        let result = work(group.as_ref());
        let Some(group) = group else { return result };
        let value = result.map_err(|error| group.failed(error))?;
        group.leave()?;
        Ok(value)
    }

    /// Leaves the other processes. Does not leave MPI where that would wait for a terminated `mpirun`.
    fn leave(self) -> anyhow::Result<()> {
        let all = self.gather(if was_asked_to_stop() { STOPPED } else { "" })?;
        if World::waits_for_mpirun() && all.iter().any(|own| own == STOPPED) {
            std::mem::forget(self);
        }
        Ok(())
    }

    pub fn communicator(&self) -> Arc<dyn Communicator> {
        Arc::<World>::clone(&self.0)
    }

    /// Counts the processes on the same machine and cores, before the threads of this one start.
    ///
    /// # Errors
    /// A number of processes that cannot train this recipe.
    pub fn begin(&self, recipe: Option<&Recipe>) -> anyhow::Result<()> {
        let world = &*self.0;
        let size = world.size();
        if !size.is_power_of_two() {
            // They could not even agree that they cannot train.
            let micro_batches = recipe.map_or(1, |recipe| recipe.training.micro_batches);
            check_rank_count(size, micro_batches)?;
        }
        let host = format!("{}\n", world.host());
        let own = format!("{host}{}", allowed_cores());
        let all = gather(world, &own)?;
        let earlier = all.iter().take(world.rank());
        set_local_rank(earlier.filter(|other| other.starts_with(&host)).count());
        set_sharing_cores(all.iter().filter(|other| **other == own).count());
        Ok(())
    }

    /// Returns the rank of this process, and the number of processes.
    pub fn place(&self) -> (usize, usize) {
        (self.0.rank(), self.0.size())
    }

    /// Returns the text of every process, in the order of ranks.
    ///
    /// # Errors
    /// A process that does not answer.
    pub fn gather(&self, own: &str) -> anyhow::Result<Vec<String>> {
        Ok(gather(&*self.0, own)?)
    }

    /// Checks that every process can start, and that all would compute the same.
    ///
    /// # Errors
    /// On every process, the error of those that cannot.
    pub fn check(&self, own: Result<Fingerprint, &anyhow::Error>) -> anyhow::Result<()> {
        let ready =
            own.map_err(|error| (one_line(error.as_ref()), hint(error).unwrap_or_default()));
        Ok(preflight(&*self.0, ready)?)
    }

    /// Returns an error that every process has. Reports one that only this process has, and ends all of them: they may
    /// wait for this one.
    fn failed(&self, error: anyhow::Error) -> anyhow::Error {
        let is_common = matches!(
            error.downcast_ref::<TrainError>(),
            Some(TrainError::OnRanks { .. } | TrainError::Recipe(_) | TrainError::NonFinite { .. })
        );
        if is_common {
            return error;
        }
        let (rank, host) = (self.0.rank(), self.0.host());
        set_root(true);
        exit::report(&error.context(format!("rank {rank} on {host} failed")));
        self.0.abort(1)
    }
}
