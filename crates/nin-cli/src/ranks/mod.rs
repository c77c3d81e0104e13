//! Several processes that train or evaluate one network, started by `mpirun` or `srun`.
//!
//! `launch` recognizes such a start from the environment. `mpi` is the only module that calls MPI, with the feature
//! `mpi`; without it, `absent` takes its place. `group` is what the rest of the
//! program sees, and `role` what this process is in it.

#[cfg(not(feature = "mpi"))]
mod absent;
mod group;
mod launch;
#[cfg(feature = "mpi")]
mod mpi;
mod network;
mod role;

pub use group::Group;
pub use network::network_fingerprint;
pub use role::{is_root, local_rank, sharing_cores};
