//! The optimiser's state, out of Burn's learner and back into it, by parameter name.
//!
//! `Learner` has no getter for its optimiser; its checkpointer hands the record to whoever saves.
//! Ours keeps it in memory, and the names take the place of Burn's parameter ids, which are drawn
//! anew in each process.

use std::sync::{Arc, Mutex, PoisonError};

use burn::module::Param;
use burn::optim::record::AdaptorRecord;
use burn::record::Record;
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{Tensor, TensorData};
use burn::train::checkpoint::{
    AsyncCheckpointer, Checkpointer, CheckpointerError, CheckpointingAction, CheckpointingStrategy,
};
use burn::train::metric::store::EventStoreClient;
use burn::train::{Learner, LearnerOptimizerRecord, LearningCheckpointer};
use nin_model::{HostTensor, ModelError, ParameterVisitor, Weights, visit_parameters};

use crate::classifier::Classifier;
use crate::optimizer::Moments;
use crate::strategy::Components;

/// A map from parameter ids to [`AdaptorRecord`]s.
type OptimizerRecord<B> = LearnerOptimizerRecord<Components<B>>;

/// The optimiser's moments, each under its parameter's name and `.first` or `.second`; the number
/// of steps is the same for all and stands under `steps`.
pub(crate) fn read<B: AutodiffBackend>(
    learner: &Learner<Components<B>>,
    store: &EventStoreClient,
) -> Result<Weights, ModelError> {
    let kept = Kept::default();
    let mut checkpointer = LearningCheckpointer::<Components<B>>::new(
        AsyncCheckpointer::new(Kept::default()),
        AsyncCheckpointer::new(kept.clone()),
        AsyncCheckpointer::new(Kept::default()),
        Box::new(Always),
    );
    checkpointer.checkpoint(learner, 0, store);
    drop(checkpointer); // joins its threads, so that the record is there

    let mut record = kept.take();
    let mut reader = Reader { record: &mut record, moments: Weights::new(), failure: None };
    visit_parameters(&learner.model(), &mut reader);
    reader.failure.map_or(Ok(reader.moments), Err)
}

/// The record for Burn's learner that holds these moments.
pub(crate) fn record<B: AutodiffBackend>(
    classifier: &Classifier<B>,
    moments: &Weights,
    device: &B::Device,
) -> Result<OptimizerRecord<B>, ModelError> {
    let mut writer =
        Writer::<B> { moments, device, record: OptimizerRecord::<B>::default(), failure: None };
    visit_parameters(classifier, &mut writer);
    writer.failure.map_or(Ok(writer.record), Err)
}

/// A checkpointer that keeps the last record in memory.
struct Kept<R>(Arc<Mutex<Option<R>>>);

impl<R> Default for Kept<R> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(None)))
    }
}

impl<R> Clone for Kept<R> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<R: Default> Kept<R> {
    fn take(&self) -> R {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_default()
    }
}

impl<B: Backend, R: Record<B>> Checkpointer<R, B> for Kept<R> {
    fn save(&self, _epoch: usize, record: R) -> Result<(), CheckpointerError> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(record);
        Ok(())
    }

    fn delete(&self, _epoch: usize) -> Result<(), CheckpointerError> {
        Ok(())
    }

    fn restore(&self, _epoch: usize, _device: &B::Device) -> Result<R, CheckpointerError> {
        Err(CheckpointerError::Unknown("this checkpointer only keeps".to_owned()))
    }
}

/// Saves at each call.
struct Always;

impl CheckpointingStrategy for Always {
    fn checkpointing(
        &mut self,
        _epoch: usize,
        _store: &EventStoreClient,
    ) -> Vec<CheckpointingAction> {
        vec![CheckpointingAction::Save]
    }
}

struct Reader<'a, B: AutodiffBackend> {
    record: &'a mut OptimizerRecord<B>,
    moments: Weights,
    failure: Option<ModelError>,
}

impl<B: AutodiffBackend> Reader<'_, B> {
    fn read<const D: usize>(
        &mut self,
        name: &str,
        parameter: &Param<Tensor<B, D>>,
    ) -> Result<(), ModelError> {
        let Some(record) = self.record.remove(&parameter.id) else {
            return Ok(());
        };
        let Moments { first, second, steps } = record.into_state::<D>();
        for (suffix, moment) in [("first", first), ("second", second)] {
            if let Some(moment) = moment {
                let name = format!("{name}.{suffix}");
                self.moments.insert(name.clone(), HostTensor::read(&name, &moment)?);
            }
        }
        // Exact up to 2^24 steps a half; a 32-bit float holds no larger whole numbers.
        let steps = [steps >> 24, steps & 0xff_ffff].map(|half| half as f32).to_vec();
        self.moments.insert(format!("{name}.steps"), HostTensor { shape: vec![2], values: steps });
        Ok(())
    }
}

impl<B: AutodiffBackend> ParameterVisitor<B> for Reader<'_, B> {
    fn visit<const D: usize>(&mut self, name: &str, parameter: &Param<Tensor<B, D>>) {
        if let Err(error) = self.read(name, parameter) {
            self.failure.get_or_insert(error);
        }
    }
}

struct Writer<'a, B: AutodiffBackend> {
    moments: &'a Weights,
    device: &'a B::Device,
    record: OptimizerRecord<B>,
    failure: Option<ModelError>,
}

impl<B: AutodiffBackend> Writer<'_, B> {
    fn moments<const D: usize>(
        &self,
        name: &str,
        shape: &[usize],
    ) -> Result<Option<Moments<B::InnerBackend, D>>, ModelError> {
        let Some(steps) = self.moments.get(&format!("{name}.steps")) else {
            return Ok(None);
        };
        let [high, low] = steps.values[..] else {
            return Err(ModelError::TensorShape {
                name: format!("{name}.steps"),
                expected: vec![2],
                found: steps.shape.clone(),
            });
        };
        let moment = |suffix: &str| {
            let name = format!("{name}.{suffix}");
            let Some(tensor) = self.moments.get(&name) else {
                return Ok(None);
            };
            if tensor.shape != shape {
                return Err(ModelError::TensorShape {
                    name,
                    expected: shape.to_vec(),
                    found: tensor.shape.clone(),
                });
            }
            let data = TensorData::new(tensor.values.clone(), tensor.shape.clone());
            Ok(Some(Tensor::from_data(data, self.device)))
        };
        let steps = ((high as usize) << 24) | low as usize;
        Ok(Some(Moments { first: moment("first")?, second: moment("second")?, steps }))
    }
}

impl<B: AutodiffBackend> ParameterVisitor<B> for Writer<'_, B> {
    fn visit<const D: usize>(&mut self, name: &str, parameter: &Param<Tensor<B, D>>) {
        match self.moments::<D>(name, &parameter.val().dims()) {
            Ok(Some(moments)) => {
                self.record.insert(parameter.id, AdaptorRecord::from_state(moments));
            }
            Ok(None) => {}
            Err(error) => {
                self.failure.get_or_insert(error);
            }
        }
    }
}
