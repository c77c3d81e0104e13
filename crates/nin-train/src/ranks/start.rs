//! What the root hands out before an attempt: its state, so that the other ranks read nothing of the run folder.

use nin_model::{ModelMetadata, Weights};
use serde::{Deserialize, Serialize};

use super::agreement::unreadable;
use crate::TrainError;
use crate::checkpoint::TrainingState;
use crate::initial_state::InitialState;

/// The start of an attempt.
#[derive(Debug)]
pub(crate) struct Start {
    /// The seed of the attempt.
    pub(crate) seed: u64,
    pub(crate) metadata: ModelMetadata,
    pub(crate) initial: InitialState,
    pub(crate) state: TrainingState,
    /// Whether a checkpoint holds this state.
    pub(crate) is_saved: bool,
}

#[derive(Serialize, Deserialize)]
struct Header {
    seed: u64,
    steps_taken: usize,
    state: TrainingState,
    is_saved: bool,
    /// Lengths of the parts that follow, in bytes.
    lengths: [usize; 3],
}

impl Start {
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, TrainError> {
        let Self { seed, metadata, initial, state, is_saved } = self;
        let parts = [
            metadata.to_safetensors(&initial.weights)?,
            tensors(&initial.evaluated)?,
            tensors(&initial.optimizer)?,
        ];
        let header = Header {
            seed: *seed,
            steps_taken: initial.steps_taken,
            state: state.clone(),
            is_saved: *is_saved,
            lengths: [parts[0].len(), parts[1].len(), parts[2].len()],
        };
        let header = serde_json::to_vec(&header).map_err(|_| unreadable())?;
        let length = (header.len() as u64).to_le_bytes().to_vec();
        Ok([length, header, parts.concat()].concat())
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, TrainError> {
        let (length, rest) = bytes.split_first_chunk::<8>().ok_or_else(unreadable)?;
        let length = u64::from_le_bytes(*length) as usize;
        let (header, rest) = rest.split_at_checked(length).ok_or_else(unreadable)?;
        let header: Header = serde_json::from_slice(header).map_err(|_| unreadable())?;
        let [model, evaluated, _] = header.lengths;
        let (model, rest) = rest.split_at_checked(model).ok_or_else(unreadable)?;
        let (evaluated, optimizer) = rest.split_at_checked(evaluated).ok_or_else(unreadable)?;
        let (metadata, weights) = ModelMetadata::from_safetensors(model)?;
        let (evaluated, _) = Weights::from_safetensors(evaluated)?;
        let (optimizer, _) = Weights::from_safetensors(optimizer)?;
        let Header { seed, state, is_saved, steps_taken, .. } = header;
        let initial = InitialState { weights, evaluated, optimizer, steps_taken };
        Ok(Self { seed, metadata, initial, state, is_saved })
    }
}

fn tensors(weights: &Weights) -> Result<Vec<u8>, TrainError> {
    Ok(weights.to_safetensors("nin", "start")?)
}
