//! Checks before the first step that all ranks train the same recipe on the same data, with the same bits.

use std::collections::BTreeMap;

use nin_data::{DataSet, sha256};
use serde::{Deserialize, Serialize};

use super::agreement::{Failure, on_ranks, unreadable};
use super::collectives::all_gather;
use super::communicator::Communicator;
use crate::recipe::{Recipe, RecipeError};
use crate::{Environment, TrainError};

/// Differences named of one rank. Each is a line of the message.
const MOST_NAMED: usize = 3;

/// Everything that the result depends on, by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint(BTreeMap<String, String>);

impl FromIterator<(String, String)> for Fingerprint {
    /// Collects names and values.
    fn from_iter<I: IntoIterator<Item = (String, String)>>(entries: I) -> Self {
        Self(entries.into_iter().collect())
    }
}

impl Fingerprint {
    /// Collects the keys of the recipe, the checksums of the data, and the program's version and instruction set.
    ///
    /// # Errors
    /// [`RecipeError::Unwritable`] if a number exceeds TOML's integers.
    pub fn of(
        recipe: &Recipe,
        data: &DataSet,
        environment: &Environment,
    ) -> Result<Self, RecipeError> {
        let mut entries = recipe.entries()?;
        let Environment { version, commit, backend, cpu_features, kernels, .. } = environment;
        let version = commit.as_ref().map_or(version.clone(), |at| format!("{version} ({at})"));
        entries.insert("the program's version".to_owned(), version);
        entries.insert("the backend".to_owned(), backend.clone());
        let kernels = kernels.clone().unwrap_or_else(|| "none".to_owned());
        entries.insert("the instruction set of the kernels".to_owned(), kernels);
        entries.insert("the CPU's features".to_owned(), cpu_features.join(" "));
        for file in &environment.data {
            entries.insert(format!("the SHA-256 of `{}`", file.name), file.sha256.clone());
        }
        if let Some(pictures) = &data.pictures {
            let list = sha256(pictures.list.as_bytes());
            entries.insert("the SHA-256 of the list of pictures".to_owned(), list);
        }
        Ok(Self(entries))
    }

    /// Describes what differs from another fingerprint, the first few of it.
    fn differences(&self, other: &Self) -> Option<String> {
        let names = self.0.keys().chain(other.0.keys().filter(|name| !self.0.contains_key(*name)));
        let absent = "absent".to_owned();
        let mut differences = names.filter_map(|name| {
            let [own, others] =
                [self, other].map(|print| print.0.get(name).unwrap_or(&absent).clone());
            (own != others).then(|| format!("{name} is {own}, on rank 0 it is {others}"))
        });
        let mut listed: Vec<String> = differences.by_ref().take(MOST_NAMED).collect();
        match differences.count() {
            0 => {}
            more => listed.push(format!("and {more} more")),
        }
        (!listed.is_empty()).then(|| listed.join("; "))
    }
}

/// What a rank brings to the check: its fingerprint, or why it cannot start, with a hint.
pub type Ready = Result<Fingerprint, (String, String)>;

/// Checks that every rank can start, and that all would compute the same.
///
/// # Errors
/// [`TrainError::OnRanks`], on every rank, names the ranks that cannot start or differ from rank 0;
/// [`TrainError::Communication`].
pub fn preflight(ranks: &dyn Communicator, own: Ready) -> Result<(), TrainError> {
    let own = own.map_err(|(message, hint)| Failure {
        rank: ranks.rank(),
        host: ranks.host(),
        message,
        hint,
    });
    let own = (ranks.host(), own);
    let own = serde_json::to_vec(&own).map_err(|_| unreadable())?;
    let all: Vec<(String, Result<Fingerprint, Failure>)> = all_gather(ranks, own)?
        .iter()
        .map(|bytes| serde_json::from_slice(bytes).map_err(|_| unreadable()))
        .collect::<Result<_, _>>()?;
    let failures: Vec<Failure> = all.iter().filter_map(|(_, ready)| ready.clone().err()).collect();
    if !failures.is_empty() {
        return Err(on_ranks(&failures));
    }
    let root = all.first().and_then(|(_, ready)| ready.as_ref().ok());
    let differing: Vec<Failure> = all
        .iter()
        .enumerate()
        .filter_map(|(rank, (host, ready))| {
            let message = ready.as_ref().ok()?.differences(root?)?;
            let hint = "start every rank with the same program, flags and data, on machines with \
                        the same CPU features"
                .to_owned();
            Some(Failure { rank, host: host.clone(), message, hint })
        })
        .collect();
    if differing.is_empty() { Ok(()) } else { Err(on_ranks(&differing)) }
}

/// Returns the text of every rank, in their order.
///
/// # Errors
/// [`TrainError::Communication`].
pub fn gather(ranks: &dyn Communicator, own: &str) -> Result<Vec<String>, TrainError> {
    let all = all_gather(ranks, own.as_bytes().to_vec())?;
    Ok(all.iter().map(|text| String::from_utf8_lossy(text).into_owned()).collect())
}

#[cfg(test)]
mod tests {
    use std::thread;

    use nin_data::Locations;

    use super::super::threads::ThreadRank;
    use super::*;
    use crate::recipe::RecipeBuilder;

    /// Checks two ranks whose second one assigns this to its recipe, or cannot start.
    fn checked(assignment: Result<&str, &str>) -> Vec<Result<(), String>> {
        let data = DataSet::open("fashion-mnist-sample", None, &Locations::default()).unwrap();
        let ready = |rank: usize| -> Ready {
            let mut builder = RecipeBuilder::named("quickstart").unwrap();
            if rank == 1 {
                let assignment =
                    assignment.map_err(|why| (why.to_owned(), "mend it".to_owned()))?;
                builder.assign(assignment).unwrap();
            }
            let recipe = builder.build().unwrap();
            Ok(Fingerprint::of(&recipe, &data, &Environment::default()).unwrap())
        };
        thread::scope(|scope| {
            let threads: Vec<_> = ThreadRank::all(2)
                .into_iter()
                .map(|rank| {
                    scope.spawn(|| {
                        let rank = rank;
                        preflight(&rank, ready(rank.rank())).map_err(|error| error.to_string())
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        })
    }

    #[test]
    fn a_rank_that_differs_or_cannot_start_is_named_on_all() {
        let equal = RecipeBuilder::named("quickstart").unwrap().build().unwrap().training.seed;
        assert_eq!(checked(Ok(&format!("training.seed={equal}"))), [Ok(()), Ok(())]);
        let said = "training.seed is 9999, on rank 0 it is 42 (rank 1 on this machine)".to_owned();
        assert_eq!(checked(Ok("training.seed=9999")), [Err(said.clone()), Err(said)]);
        let said = "no data (rank 1 on this machine)".to_owned();
        assert_eq!(checked(Err("no data")), [Err(said.clone()), Err(said)]);
    }
}
