//! Joins the answers and gradients that the ranks computed for their shares of a batch.

use burn::module::Param;
use burn::optim::GradientsParams;
use burn::tensor::backend::AutodiffBackend;
use burn::tensor::{Tensor, TensorData};
use nin_model::{HostTensor, ModelError, ParameterVisitor, visit_parameters};

use super::Ranks;
use super::agreement::unreadable;
use super::collectives::{add_up, all_gather};
use crate::TrainError;
use crate::classifier::Classifier;
use crate::fine_tuning::is_frozen;
use crate::score::Answers;

impl Ranks {
    /// Returns the answers and gradients of a whole batch from those of this rank's share; `None` if the share is
    /// empty. `images` is the number of images of the batch, `frozen_blocks` that of blocks without gradients.
    ///
    /// # Errors
    /// [`TrainError::Communication`] if a rank cannot be reached; [`ModelError::Device`] if a gradient cannot be read.
    pub(crate) fn joined<B: AutodiffBackend>(
        &self,
        own: Option<(Answers, GradientsParams)>,
        images: usize,
        (classifier, frozen_blocks): (&Classifier<B>, usize),
        device: &B::Device,
    ) -> Result<(Answers, GradientsParams), TrainError> {
        let (answers, gradients) = match own {
            Some((answers, gradients)) => (answers.to_bytes(), Some(gradients)),
            None => (Vec::new(), None),
        };
        let answers = all_gather(&*self.0, answers)?
            .iter()
            .filter_map(|bytes| Answers::from_bytes(bytes))
            .reduce(Answers::followed_by)
            .ok_or_else(unreadable)?;
        let mut flat = Flat { gradients, frozen_blocks, values: Vec::new(), failure: None };
        visit_parameters(classifier.network(), &mut flat);
        if let Some(error) = flat.failure {
            return Err(error.into());
        }
        let mut values = flat.values;
        add_up(&*self.0, &mut values, images)?;
        let sums = GradientsParams::new();
        let mut split = Split::<B> { values: &values, frozen_blocks, device, sums };
        visit_parameters(classifier.network(), &mut split);
        Ok((answers, split.sums))
    }
}

/// Collects the gradients of all trained parameters, one after the other; zeros in an empty share.
struct Flat {
    gradients: Option<GradientsParams>,
    frozen_blocks: usize,
    values: Vec<f32>,
    failure: Option<ModelError>,
}

impl<B: AutodiffBackend> ParameterVisitor<B> for Flat {
    fn visit<const D: usize>(&mut self, name: &str, parameter: &Param<Tensor<B, D>>) {
        if is_frozen(name, self.frozen_blocks) {
            return;
        }
        let count: usize = parameter.val().dims().iter().product();
        let gradient = self
            .gradients
            .as_mut()
            .and_then(|gradients| gradients.remove::<B::InnerBackend, D>(parameter.id));
        match gradient.map(|gradient| HostTensor::read(name, &gradient)) {
            Some(Ok(HostTensor { values, .. })) => self.values.extend(values),
            Some(Err(error)) => {
                self.failure.get_or_insert(error);
            }
            None => self.values.resize(self.values.len() + count, 0.0),
        }
    }
}

/// Makes gradients of values in the order of [`Flat`].
struct Split<'a, B: AutodiffBackend> {
    values: &'a [f32],
    frozen_blocks: usize,
    device: &'a B::Device,
    sums: GradientsParams,
}

impl<B: AutodiffBackend> ParameterVisitor<B> for Split<'_, B> {
    fn visit<const D: usize>(&mut self, name: &str, parameter: &Param<Tensor<B, D>>) {
        if is_frozen(name, self.frozen_blocks) {
            return;
        }
        let shape = parameter.val().dims();
        let (values, rest) = self.values.split_at(shape.iter().product());
        self.values = rest;
        let sum = TensorData::new(values.to_vec(), shape);
        let sum = Tensor::<B::InnerBackend, D>::from_data(sum, self.device);
        self.sums.register(parameter.id, sum);
    }
}
