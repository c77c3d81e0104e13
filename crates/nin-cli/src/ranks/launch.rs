//! Recognizes a start by `mpirun`, `mpiexec` or `srun`, from the environment that they give each process.

use std::{env, fs};

/// Variables with the number of processes, of Open MPI and of MPICH and its descendants.
const SIZES: [&str; 2] = ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE"];

/// The rank by PMIx, which Slurm's `srun --mpi=pmix` sets together with the number of tasks.
const PMIX: [&str; 2] = ["PMIX_RANK", "SLURM_NTASKS"];

/// Returns the number of processes that this one was started with; 1 if it was started alone.
pub fn process_count() -> usize {
    count(|name| env::var(name).ok())
}

fn count(variable: impl Fn(&str) -> Option<String>) -> usize {
    let number = |name: &str| variable(name).and_then(|value| value.trim().parse().ok());
    let by_pmix = || variable(PMIX[0]).and_then(|_| number(PMIX[1]));
    SIZES.into_iter().find_map(number).or_else(by_pmix).unwrap_or(1)
}

/// Returns the cores that this process may run on, as Linux lists them, such as `0-3,8`; empty elsewhere.
pub fn allowed_cores() -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    list.unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_launcher_says_how_many_processes_it_started() {
        for (variables, expected) in [
            (vec![], 1),
            (vec![("OMPI_COMM_WORLD_SIZE", "4")], 4),
            (vec![("PMI_SIZE", "2"), ("PMI_RANK", "0")], 2),
            (vec![("PMIX_RANK", "3"), ("SLURM_NTASKS", "8")], 8),
            // A batch script, outside `srun`.
            (vec![("SLURM_NTASKS", "8")], 1),
            (vec![("PMI_SIZE", "many")], 1),
        ] {
            let variable = |name: &str| {
                let found = variables.iter().find(|(other, _)| *other == name);
                found.map(|(_, value)| (*value).to_owned())
            };
            assert_eq!(count(variable), expected, "{variables:?}");
        }
    }
}
