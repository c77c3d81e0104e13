//! Gradient accumulation: the gradients of a batch, computed part by part.
//!
//! The gradients of the parts are added up in a fixed binary tree: those of each half of the batch first, then both
//! sums. Floating-point sums depend on their order, so the tree is part of the result. It is the same whether one
//! process computes all parts or several processes compute a subtree each.

use burn::module::Param;
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use burn::tensor::backend::AutodiffBackend;
use nin_data::{HostBatch, Share};
use nin_model::{ModelError, ParameterVisitor, visit_parameters};

use super::step::StepLearner;
use crate::classifier::Classifier;
use crate::score::Answers;

impl<B: AutodiffBackend> StepLearner<B> {
    /// Computes the answers and the gradients of a share of a batch, in the parts of it that are among `micro_batches`
    /// of the whole batch; `None` if the share is empty. Holds the activations of one part at a time.
    ///
    /// # Errors
    /// As [`gradients`](Self::gradients).
    pub(crate) fn accumulated(
        &self,
        batch: &HostBatch,
        share: Share,
        micro_batches: usize,
        device: &B::Device,
    ) -> Result<Option<(Answers, GradientsParams)>, ModelError> {
        if share.of >= micro_batches {
            let part = batch.share(share);
            return part.map(|part| self.gradients(part.to_device(device))).transpose();
        }
        let [left, right] =
            share.halves().map(|half| self.accumulated(batch, half, micro_batches, device));
        Ok(match (left?, right?) {
            (Some((answers, gradients)), Some((next, others))) => {
                let sum = added(&self.classifier(), gradients, others);
                Some((answers.followed_by(next), sum))
            }
            (left, right) => left.or(right),
        })
    }
}

/// Adds up the gradients of two parts of a batch.
fn added<B: AutodiffBackend>(
    classifier: &Classifier<B>,
    left: GradientsParams,
    right: GradientsParams,
) -> GradientsParams {
    let mut sums = Sums { left, right };
    visit_parameters(classifier.network(), &mut sums);
    sums.left
}

/// Two sets of gradients. A visited parameter moves from `right` into the sum in `left`.
struct Sums {
    left: GradientsParams,
    right: GradientsParams,
}

impl<B: AutodiffBackend> ParameterVisitor<B> for Sums {
    fn visit<const D: usize>(&mut self, _name: &str, parameter: &Param<Tensor<B, D>>) {
        let Self { left, right } = self;
        let Some(addend) = right.remove::<B::InnerBackend, D>(parameter.id) else { return };
        let sum = match left.remove::<B::InnerBackend, D>(parameter.id) {
            Some(gradient) => gradient + addend,
            None => addend,
        };
        left.register(parameter.id, sum);
    }
}

#[cfg(test)]
mod tests {
    use burn::backend::Autodiff;
    use burn_flex::{Flex, FlexDevice};
    use nin_data::{DataSet, FASHION_MNIST_SAMPLE, Locations, Mixing, OrderedLoader};
    use nin_model::{HostTensor, NetworkInNetwork};

    use super::*;
    use crate::recipe::RecipeBuilder;

    type Training = Autodiff<Flex>;

    /// Rounding of sums of some thousand 32-bit products in another order, relative to the largest value.
    const TOLERANCE: f32 = 2e-6;

    /// Blocks with dropout between them. Their biases are not 0: where a layer sees only zeros, its rounding error would
    /// decide whether the ReLU passes a gradient.
    const RECIPE: &str = r#"
[model]
initialization = "xavier"
blocks = [
  { kernel = 5, stride = 3, widths = [8, 8, 8], dropout = 0.5 },
  { kernel = 3, padding = 1, widths = [8, 8, "classes"] },
]
"#;

    /// What the loss and the images of a batch depend on.
    #[derive(Debug, Clone, Copy)]
    struct Case {
        mixing: Mixing,
        smoothing: f64,
        is_weighted: bool,
    }

    const CASES: [Case; 5] = {
        let plain =
            Case { mixing: Mixing { mixup: 0.0, cutmix: 0.0 }, smoothing: 0.0, is_weighted: false };
        let mixing = Mixing { mixup: 0.4, cutmix: 1.0 };
        [
            plain,
            Case { smoothing: 0.1, ..plain },
            Case { is_weighted: true, ..plain },
            Case { mixing, smoothing: 0.1, ..plain },
            Case { mixing, is_weighted: true, ..plain },
        ]
    };

    fn learner(case: Case) -> StepLearner<Training> {
        let recipe = RecipeBuilder::from_text("two", "two", RECIPE).unwrap().build().unwrap();
        let architecture = recipe.architecture(1, 10).unwrap();
        let weights = recipe.model.initialization.weights(&architecture, 5);
        let network = NetworkInNetwork::from_weights(&architecture, &weights, &FlexDevice).unwrap();
        let class_weights = (0..10).map(|class| 0.5 + f64::from(class)).collect();
        let classifier = Classifier::new(network, 7)
            .with_label_smoothing(case.smoothing)
            .with_class_weights(case.is_weighted.then_some(class_weights));
        StepLearner::new(classifier, &recipe, 1, &FlexDevice).unwrap()
    }

    fn batch(case: Case, images: usize, share: Share) -> HostBatch {
        let data = DataSet::open(FASHION_MNIST_SAMPLE, None, &Locations::default()).unwrap();
        let loader = OrderedLoader::<Training>::shuffled(data.train, images, 3, &FlexDevice)
            .with_mixing(case.mixing)
            .with_share(share);
        loader.epoch(2, 1).next_on_host().unwrap().unwrap()
    }

    struct Read<'a>(&'a GradientsParams, Vec<HostTensor>);

    impl ParameterVisitor<Training> for Read<'_> {
        fn visit<const D: usize>(&mut self, name: &str, parameter: &Param<Tensor<Training, D>>) {
            let gradient = self.0.get::<Flex, D>(parameter.id).unwrap();
            self.1.push(HostTensor::read(name, &gradient).unwrap());
        }
    }

    fn read(learner: &StepLearner<Training>, gradients: &GradientsParams) -> Vec<HostTensor> {
        let mut read = Read(gradients, Vec::new());
        visit_parameters(learner.classifier().network(), &mut read);
        read.1
    }

    #[test]
    fn parts_add_up_to_the_gradient_of_the_batch() {
        for case in CASES {
            let learner = learner(case);
            for images in [3, 26] {
                let whole = batch(case, images, Share::WHOLE);
                let (answers, gradients) =
                    learner.gradients(whole.clone().to_device(&FlexDevice)).unwrap();
                let expected = read(&learner, &gradients);
                assert!(expected.iter().all(|tensor| tensor.values.iter().any(|&v| v != 0.0)));
                for micro_batches in [2, 4, 8] {
                    let (found, gradients) = learner
                        .accumulated(&whole, Share::WHOLE, micro_batches, &FlexDevice)
                        .unwrap()
                        .unwrap();
                    let (score, of_parts) = (answers.score(), found.score());
                    assert_eq!((of_parts.images, of_parts.correct), (images, score.correct));
                    assert!((of_parts.loss() - score.loss()).abs() < f64::from(TOLERANCE));
                    for (found, expected) in read(&learner, &gradients).iter().zip(&expected) {
                        let most =
                            expected.values.iter().fold(0.0_f32, |most, v| most.max(v.abs()));
                        for (found, expected) in found.values.iter().zip(&expected.values) {
                            let difference = (found - expected).abs();
                            assert!(
                                difference <= TOLERANCE * most,
                                "{found}, {expected} of {most}: {case:?}, {micro_batches}"
                            );
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn halves_of_a_batch_hold_the_subtrees_of_the_whole_one() {
        for case in CASES {
            let learner = learner(case);
            for images in [1, 3, 26] {
                let of = |batch: &HostBatch, share| {
                    learner.accumulated(batch, share, 8, &FlexDevice).unwrap()
                };
                let whole = batch(case, images, Share::WHOLE);
                let (answers, gradients) = of(&whole, Share::WHOLE).unwrap();
                let halves = Share::WHOLE
                    .halves()
                    .map(|half| of(&batch(case, images, half), half))
                    .into_iter()
                    .flatten();
                let (found, sum) = halves
                    .reduce(|(answers, left), (next, right)| {
                        (answers.followed_by(next), added(&learner.classifier(), left, right))
                    })
                    .unwrap();
                assert_eq!(found, answers);
                assert_eq!(read(&learner, &sum), read(&learner, &gradients));
            }
        }
    }
}
