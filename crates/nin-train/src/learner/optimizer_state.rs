//! Reads the optimizer's state from Burn's learner, and builds a record to load it back.
//!
//! `Learner` has no getter for its optimizer, but passes the optimizer's record to a checkpointer. The checkpointer
//! here keeps it in memory. Parameter names replace Burn's parameter IDs, which differ between processes.

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
use nin_optimizer::{OptimizerRecipe, ParameterState};

use super::components::Components;
use crate::classifier::Classifier;

/// A map from parameter IDs to [`AdaptorRecord`]s.
type OptimizerRecord<B> = LearnerOptimizerRecord<Components<B>>;

/// Returns the optimizer's tensors, named after their parameter with the suffix `.first`, `.second` or `.steps`.
///
/// # Errors
/// [`ModelError::DeviceFailed`] or [`ModelError::Device`] if a tensor cannot be read from the device.
pub(super) fn read<B: AutodiffBackend>(
    learner: &Learner<Components<B>>,
    store: &EventStoreClient,
) -> Result<Weights, ModelError> {
    let kept = InMemory::default();
    let mut checkpointer = LearningCheckpointer::<Components<B>>::new(
        AsyncCheckpointer::new(InMemory::default()),
        AsyncCheckpointer::new(kept.clone()),
        AsyncCheckpointer::new(InMemory::default()),
        Box::new(Always),
    );
    checkpointer.checkpoint(learner, 0, store);
    drop(checkpointer); // joins its threads, which write the record

    let mut record = kept.take();
    let mut reader = Reader { record: &mut record, tensors: Weights::new(), failure: None };
    visit_parameters(&learner.model(), &mut reader);
    reader.failure.map_or(Ok(reader.tensors), Err)
}

/// Builds the record for Burn's learner from these tensors and the learning rate of each parameter. Without tensors,
/// returns the state before the first step.
///
/// # Errors
/// [`ModelError::TensorShape`] if a tensor has another shape than its parameter.
pub(super) fn record<B: AutodiffBackend>(
    classifier: &Classifier<B>,
    tensors: &Weights,
    recipe: &OptimizerRecipe,
    device: &B::Device,
) -> Result<OptimizerRecord<B>, ModelError> {
    let blocks = classifier.network().architecture().blocks().len();
    let rate_factor = |name: &str| recipe.rate_factor(name, blocks);
    let mut writer = Writer::<B> {
        tensors,
        rate_factor: &rate_factor,
        device,
        record: OptimizerRecord::<B>::default(),
        failure: None,
    };
    visit_parameters(classifier, &mut writer);
    writer.failure.map_or(Ok(writer.record), Err)
}

/// A checkpointer that keeps the last record in memory.
struct InMemory<R>(Arc<Mutex<Option<R>>>);

impl<R> Default for InMemory<R> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(None)))
    }
}

impl<R> Clone for InMemory<R> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<R: Default> InMemory<R> {
    fn take(&self) -> R {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_default()
    }
}

impl<B: Backend, R: Record<B>> Checkpointer<R, B> for InMemory<R> {
    fn save(&self, _epoch: usize, record: R) -> Result<(), CheckpointerError> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(record);
        Ok(())
    }

    fn delete(&self, _epoch: usize) -> Result<(), CheckpointerError> {
        Ok(())
    }

    fn restore(&self, _epoch: usize, _device: &B::Device) -> Result<R, CheckpointerError> {
        Err(CheckpointerError::Unknown("a checkpointer in memory does not restore".to_owned()))
    }
}

/// Saves at every call.
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
    tensors: Weights,
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
        let ParameterState { first, second, steps, .. } = record.into_state::<D>();
        for (suffix, moment) in [("first", first), ("second", second)] {
            if let Some(moment) = moment {
                let name = format!("{name}.{suffix}");
                self.tensors.insert(name.clone(), HostTensor::read(&name, &moment)?);
            }
        }
        // Two halves of 24 bits: a 32-bit float represents whole numbers exactly up to 2^24.
        let steps = [steps >> 24, steps & 0xff_ffff].map(|half| half as f32).to_vec();
        self.tensors.insert(format!("{name}.steps"), HostTensor { shape: vec![2], values: steps });
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
    tensors: &'a Weights,
    rate_factor: &'a dyn Fn(&str) -> f64,
    device: &'a B::Device,
    record: OptimizerRecord<B>,
    failure: Option<ModelError>,
}

impl<B: AutodiffBackend> Writer<'_, B> {
    fn moments<const D: usize>(
        &self,
        name: &str,
        shape: &[usize],
    ) -> Result<Option<ParameterState<B::InnerBackend, D>>, ModelError> {
        let rate_factor = (self.rate_factor)(name);
        let Some(steps) = self.tensors.get(&format!("{name}.steps")) else {
            return Ok((rate_factor != 1.0).then(|| ParameterState::initial(rate_factor)));
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
            let Some(tensor) = self.tensors.get(&name) else {
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
        let (first, second) = (moment("first")?, moment("second")?);
        Ok(Some(ParameterState { first, second, steps, rate_factor }))
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

#[cfg(test)]
mod tests {
    use burn::backend::Autodiff;
    use burn::tensor::Int;
    use burn_flex::{Flex, FlexDevice};
    use nin_data::ImageBatch;
    use nin_model::NetworkInNetwork;

    use super::*;
    use crate::learner::StepLearner;
    use crate::recipe::{OptimizerKind, Recipe};
    use crate::sample;

    type Training = Autodiff<Flex>;

    /// Returns the change of each parameter in one step.
    fn moved(recipe: &OptimizerRecipe) -> Weights {
        let checkpoint = sample::checkpoint(5);
        let mut weights = checkpoint.weights;
        // Every layer's output is above 0, so that no ReLU is dead, and the classes differ.
        for (name, shape) in checkpoint.metadata.architecture.parameter_shapes() {
            let count = shape.iter().product::<usize>();
            let values = (0..count).map(|at| 0.3 + 0.1 * at as f32).collect();
            weights.insert(name, HostTensor { shape, values });
        }
        let network = NetworkInNetwork::from_weights(
            &checkpoint.metadata.architecture,
            &weights,
            &FlexDevice,
        )
        .unwrap();
        let classifier = Classifier::<Training>::new(network, 1);
        let recipe = Recipe { optimizer: recipe.clone(), ..Recipe::default() };
        let mut learner = StepLearner::new(classifier, &recipe, 1, &FlexDevice).unwrap();
        let targets: Tensor<Training, 1, Int> =
            Tensor::from_data(TensorData::new(vec![0_i64, 0], [2]), &FlexDevice);
        let batch = ImageBatch {
            images: Tensor::from_data(
                TensorData::new(vec![0.5_f32; 32], [2, 1, 4, 4]),
                &FlexDevice,
            ),
            targets,
            labels: vec![0, 0],
            mixed: None,
            indices: vec![0, 1],
            epoch: 1,
            step: 0,
            place: None,
        };
        learner.step(batch).unwrap();
        let after = learner.classifier().network().to_weights().unwrap();
        let moved = after.iter().map(|(name, HostTensor { shape, values })| {
            let before = &weights.get(name).unwrap().values;
            let values = values.iter().zip(before).map(|(after, before)| after - before);
            (name.to_owned(), HostTensor { shape: shape.clone(), values: values.collect() })
        });
        moved.collect()
    }

    #[test]
    fn each_parameter_moves_by_its_own_rate() {
        /// Rounding of differences of about 0.01 between 32-bit weights near 0.3.
        const TOLERANCE: f32 = 1e-4;
        let kinds =
            [OptimizerKind::Sgd { momentum: 0.9 }, OptimizerKind::ADAMW, OptimizerKind::MUON];
        for kind in kinds {
            let plain = OptimizerRecipe { kind, ..Recipe::default().optimizer };
            let rated = OptimizerRecipe { last_layer_rate: 0.1, bias_rate: 2.0, ..plain.clone() };
            let (plain, rated) = (moved(&plain), moved(&rated));
            for (name, factor) in [
                ("blocks.0.convolution.weight", 1.0),
                ("blocks.0.cccp1.bias", 2.0),
                ("blocks.0.cccp2.weight", 0.1),
                ("blocks.0.cccp2.bias", 0.2),
            ] {
                let value = |moved: &Weights| moved.get(name).unwrap().values[0];
                let (plain, rated) = (value(&plain), value(&rated));
                assert!(plain.abs() > 1e-4, "{name} does not move: {plain}");
                assert!((rated / plain / factor - 1.0).abs() < 20.0 * TOLERANCE, "{name} {rated}");
            }
        }
    }
}
