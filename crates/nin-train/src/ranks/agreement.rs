//! What the ranks agree on: when to stop, and which errors all of them end with.

use super::Ranks;
use super::collectives::{all_gather, broadcast};
use super::communicator::{CommunicationError, Communicator};
use crate::TrainError;
use crate::error::one_line;

/// What all ranks do next.
pub(crate) enum Turn<T> {
    /// Continue with this rank's value.
    Go(T),
    /// Stop, because a rank was asked to.
    Stop,
}

/// The status of one rank, one byte on the wire.
const GO: u8 = 0;
const STOP: u8 = 1;
const FAILED: u8 = 2;

impl Ranks {
    /// Agrees with the other ranks on what to do next. If one fails, all return its error; if one stops, all stop.
    ///
    /// # Errors
    /// The rank's own error if it is the only process, [`TrainError::OnRank`] if one of several failed, and
    /// [`TrainError::Communication`].
    pub(crate) fn agree<T>(&self, own: Result<Turn<T>, TrainError>) -> Result<Turn<T>, TrainError> {
        if self.is_alone() {
            return own;
        }
        let status = match &own {
            Ok(Turn::Go(_)) => GO,
            Ok(Turn::Stop) => STOP,
            Err(_) => FAILED,
        };
        let all = all_gather(&*self.0, vec![status])?.concat();
        if all.contains(&FAILED) {
            let own = own.err().map(|error| Failure::new(&*self.0, &error));
            return Err(self.failures(own.as_ref())?);
        }
        if all.contains(&STOP) {
            return Ok(Turn::Stop);
        }
        own
    }

    /// Returns the result of the root on it, and the root's error on every rank. The other ranks pass their own value.
    pub(crate) fn with_root<T>(&self, own: Result<T, TrainError>) -> Result<T, TrainError> {
        match self.agree(own.map(Turn::Go))? {
            Turn::Go(value) => Ok(value),
            Turn::Stop => Err(unreadable()),
        }
    }

    /// Returns what the root has. The other ranks pass `None`.
    pub(crate) fn hand_out(&self, own: Option<Vec<u8>>) -> Result<Vec<u8>, TrainError> {
        Ok(broadcast(&*self.0, own.unwrap_or_default())?)
    }

    /// Returns what every rank has, in their order.
    pub(super) fn gathered(&self, own: Vec<u8>) -> Result<Vec<Vec<u8>>, TrainError> {
        Ok(all_gather(&*self.0, own)?)
    }

    /// Collects the errors of the ranks that failed.
    fn failures(&self, own: Option<&Failure>) -> Result<TrainError, TrainError> {
        let own = own.map(|own| serde_json::to_vec(own).unwrap_or_default()).unwrap_or_default();
        let all = all_gather(&*self.0, own)?;
        let failures: Vec<Failure> =
            all.iter().filter_map(|bytes| serde_json::from_slice(bytes).ok()).collect();
        Ok(on_ranks(&failures))
    }
}

/// The error of one rank.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Failure {
    /// The rank.
    pub(super) rank: usize,
    /// The name of its machine.
    pub(super) host: String,
    /// What happened.
    pub(super) message: String,
    /// What to do.
    pub(super) hint: String,
}

impl Failure {
    /// Describes an error of this rank.
    fn new(ranks: &dyn Communicator, error: &TrainError) -> Self {
        let (message, hint) = (one_line(error), error.hint());
        Self { rank: ranks.rank(), host: ranks.host(), message, hint }
    }
}

/// Returns the error of all ranks from those of the ranks that failed. Names the ranks of each message once.
pub(super) fn on_ranks(failures: &[Failure]) -> TrainError {
    let mut messages: Vec<(&str, Vec<String>)> = Vec::new();
    for Failure { rank, host, message, .. } in failures {
        let place = format!("rank {rank} on {host}");
        match messages.iter_mut().find(|(other, _)| other == message) {
            Some((_, places)) => places.push(place),
            None => messages.push((message, vec![place])),
        }
    }
    let messages: Vec<String> = messages
        .into_iter()
        .map(|(message, places)| format!("{message} ({})", places.join(", ")))
        .collect();
    let hint = failures.first().map(|failure| failure.hint.clone()).unwrap_or_default();
    TrainError::OnRanks { message: messages.join("; "), hint }
}

/// Returns the error for bytes of another rank that this program does not write.
pub(crate) fn unreadable() -> TrainError {
    let reason = "it sent bytes that make no sense here".to_owned();
    TrainError::Communication(CommunicationError { rank: 0, partner: 0, reason })
}
