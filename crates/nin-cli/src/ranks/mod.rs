//! Training on several processes, started by `mpirun` or `srun`.
//!
//! `launch` recognizes such a start from the environment. `mpi` is the only module that calls MPI, with the feature
//! `mpi`; without it, `absent` takes its place. `group` is what the commands see, `role` what prints
//! and starts threads.

#[cfg(not(feature = "mpi"))]
mod absent;
mod group;
mod launch;
#[cfg(feature = "mpi")]
mod mpi;
mod role;

pub use group::Group;
pub use role::{is_root, sharing_cores};
