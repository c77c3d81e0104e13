//! Fine-tuning: a run that begins with the weights of another network.
//!
//! Layers are matched by name. A layer of the same shape is loaded. A channel of the last 1x1 layer is
//! loaded where the other network has a class of the same name. Every other layer that is as wide as
//! there are classes, or reads one that is, begins anew, unless both networks have the same classes.

use std::collections::BTreeMap;

use nin_model::{
    Architecture, HostTensor, LayerPart, ModelError, ModelMetadata, Normalization, Preprocessing,
    Weights, Width,
};
use serde::{Deserialize, Serialize};

use crate::TrainError;
use crate::recipe::{NormalizationRecipe, Recipe, RecipeError};

/// Channels of a grey and of a colour image.
const GREY: usize = 1;
const COLOUR: usize = 3;

/// The network whose weights a run begins with.
#[derive(Debug, Clone, PartialEq)]
pub struct StartingWeights {
    /// What the file says about itself.
    pub metadata: ModelMetadata,
    /// Its weights.
    pub weights: Weights,
}

/// Which layers a run took from another network.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Transfer {
    /// Layers that were loaded, first to last.
    pub loaded: Vec<String>,
    /// Layers that begin anew; of the last one, perhaps only some channels.
    pub initialized: Vec<String>,
    /// Classes of the last layer that were loaded, where others begin anew.
    pub kept_classes: Vec<String>,
    /// Layers of the other network of which nothing was taken.
    pub unused: Vec<String>,
}

impl std::fmt::Display for Transfer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let listed = |names: &[String]| match names {
            [] => "none".to_owned(),
            names => names.join(", "),
        };
        write!(formatter, "weights loaded: {}", listed(&self.loaded))?;
        write!(formatter, "\n  initialized anew: {}", listed(&self.initialized))?;
        if !self.kept_classes.is_empty() {
            write!(formatter, ", except for the classes {}", listed(&self.kept_classes))?;
        }
        write!(formatter, "\n  unused: {}", listed(&self.unused))
    }
}

/// Weights to begin with.
pub(crate) struct Begun {
    pub(crate) weights: Weights,
    pub(crate) transfer: Transfer,
    /// What of each layer is new.
    new: BTreeMap<String, LayerPart>,
}

impl Begun {
    /// What of a layer is new.
    pub(crate) fn new_part(&self, layer: &str) -> LayerPart {
        self.new.get(layer).cloned().unwrap_or(LayerPart::None)
    }
}

/// Whether the parameter of this name, such as `blocks.0.cccp1.bias`, is in one of the first blocks.
pub(crate) fn is_frozen(name: &str, frozen_blocks: usize) -> bool {
    let mut parts = name.split('.').skip_while(|part| *part != "blocks").skip(1);
    let block = parts.next().and_then(|block| block.parse::<usize>().ok());
    block.is_some_and(|block| block < frozen_blocks)
}

impl StartingWeights {
    /// The weights of a network that begins with these, the rest of them from `initial`.
    ///
    /// # Errors
    /// [`ModelError::TensorShape`] where a layer has another shape than the one of its name here, for
    /// no reason that is known; [`ModelError::MissingTensor`] where the weights are not whole.
    pub(crate) fn begin(
        &self,
        target: &ModelMetadata,
        initial: Weights,
    ) -> Result<Begun, TrainError> {
        let theirs: BTreeMap<_, _> = layers(&self.metadata.architecture)
            .into_iter()
            .map(|layer| (layer.name.clone(), layer))
            .collect();
        let carries_classes = same_classes(&self.metadata.classes, &target.classes);
        let mut begun =
            Begun { weights: initial, transfer: Transfer::default(), new: BTreeMap::new() };
        for ours in layers(&target.architecture) {
            let taken = match theirs.get(&ours.name) {
                None => Taken::Nothing,
                Some(theirs) => self.take([&ours, theirs], target, carries_classes, &mut begun)?,
            };
            let Begun { transfer, new, .. } = &mut begun;
            let name = ours.name;
            match taken {
                Taken::All => transfer.loaded.push(name),
                Taken::Nothing => {
                    transfer.initialized.push(name.clone());
                    new.insert(name, LayerPart::Whole);
                }
                Taken::Classes(kept) => {
                    let is_new = |channel: &usize| !kept.contains(channel);
                    let channels = (0..target.classes.len()).filter(is_new).collect();
                    transfer.kept_classes =
                        kept.iter().map(|&class| target.classes[class].clone()).collect();
                    transfer.initialized.push(name.clone());
                    new.insert(name, LayerPart::Channels(channels));
                }
            }
        }
        let Transfer { loaded, kept_classes, unused, .. } = &mut begun.transfer;
        let last = theirs.values().find(|layer| layer.is_last).map(|layer| layer.name.clone());
        for name in theirs.into_keys() {
            let is_kept = Some(&name) == last.as_ref() && !kept_classes.is_empty();
            if !is_kept && !loaded.contains(&name) {
                unused.push(name);
            }
        }
        Ok(begun)
    }

    /// Puts what a layer takes into the weights.
    fn take(
        &self,
        [ours, theirs]: [&Layer; 2],
        target: &ModelMetadata,
        carries_classes: bool,
        begun: &mut Begun,
    ) -> Result<Taken, TrainError> {
        let [weight, bias] = ["weight", "bias"].map(|kind| format!("{}.{kind}", ours.name));
        let follows_classes = |layer: &Layer| {
            let widths = if layer.is_last { &layer.widths[..1] } else { &layer.widths };
            widths.contains(&Width::CLASSES)
        };
        let is_kind_new = ours.is_last != theirs.is_last;
        let depends = follows_classes(ours) || follows_classes(theirs);
        if is_kind_new || depends && !carries_classes {
            return Ok(Taken::Nothing);
        }
        if ours.is_last {
            return self.take_classes([&weight, &bias], target, begun);
        }
        for name in [&weight, &bias] {
            let expected = tensor(&begun.weights, name)?.shape.clone();
            let mut found = tensor(&self.weights, name)?.clone();
            if ours.is_first && found.shape != expected {
                found = of_channels(found, ours.channels());
            }
            if found.shape != expected {
                let name = name.clone();
                return Err(mismatch(name, expected, found.shape));
            }
            begun.weights.insert(name.clone(), found);
        }
        Ok(Taken::All)
    }

    /// The channels of the classes that the other network knows.
    fn take_classes(
        &self,
        [weight, bias]: [&str; 2],
        target: &ModelMetadata,
        begun: &mut Begun,
    ) -> Result<Taken, TrainError> {
        let (their_weight, their_bias) =
            (tensor(&self.weights, weight)?, tensor(&self.weights, bias)?);
        let mut our_weight = tensor(&begun.weights, weight)?.clone();
        let mut our_bias = tensor(&begun.weights, bias)?.clone();
        let inputs = |tensor: &HostTensor| tensor.shape.get(1).copied().unwrap_or(1);
        let length = inputs(&our_weight);
        if inputs(their_weight) != length {
            let (expected, found) = (our_weight.shape, their_weight.shape.clone());
            return Err(mismatch(weight.to_owned(), expected, found));
        }
        let mut kept = Vec::new();
        for (class, name) in target.classes.iter().enumerate() {
            let Some(their_class) = self.metadata.classes.iter().position(|known| known == name)
            else {
                continue;
            };
            let row = |class: usize| class * length..(class + 1) * length;
            our_weight.values[row(class)].copy_from_slice(&their_weight.values[row(their_class)]);
            our_bias.values[class] = their_bias.values[their_class];
            kept.push(class);
        }
        begun.weights.insert(weight, our_weight);
        begun.weights.insert(bias, our_bias);
        Ok(match kept.len() {
            0 => Taken::Nothing,
            all if all == target.classes.len() => Taken::All,
            _ => Taken::Classes(kept),
        })
    }

    /// Its preprocessing, for images of these channels.
    ///
    /// # Errors
    /// [`RecipeError::Refused`] where it whitens images of another size or of other channels.
    pub(crate) fn preprocessing(
        &self,
        target: &ModelMetadata,
    ) -> Result<Preprocessing, TrainError> {
        let Preprocessing { normalization, whitening, .. } = &self.metadata.preprocessing;
        if whitening.is_some() && self.metadata.input() != target.input() {
            let sizes =
                |[channels, height, width]: [usize; 3]| format!("{channels}x{height}x{width}");
            return Err(TrainError::Recipe(RecipeError::Refused {
                key: "preprocessing.normalization".to_owned(),
                expected: format!(
                    "`none`, `channels` or `contrast`: model.weights whitens images of {}, not of {}",
                    sizes(self.metadata.input()),
                    sizes(target.input())
                ),
                found: "weights".to_owned(),
            }));
        }
        let normalization = match normalization {
            Normalization::Channels { mean, deviation } => {
                let [channels, ..] = target.input();
                let [mean, deviation] =
                    [mean, deviation].map(|values| each_channel(values, channels));
                Normalization::Channels { mean, deviation }
            }
            other => other.clone(),
        };
        let whitening = whitening.clone();
        Ok(Preprocessing { normalization, whitening, ..target.preprocessing.clone() })
    }
}

/// That a recipe asks for the preprocessing of a checkpoint only where it names one.
///
/// # Errors
/// [`RecipeError::Refused`].
pub(crate) fn check(recipe: &Recipe) -> Result<(), TrainError> {
    let refused = |key: &str, expected: &str, found: &str| {
        Err(TrainError::Recipe(RecipeError::Refused {
            key: key.to_owned(),
            expected: expected.to_owned(),
            found: found.to_owned(),
        }))
    };
    if recipe.preprocessing.normalization != NormalizationRecipe::Weights {
        return Ok(());
    }
    if recipe.model.weights.is_none() {
        let expected = "`none`, `channels` or `contrast` without model.weights";
        return refused("preprocessing.normalization", expected, "weights");
    }
    if recipe.preprocessing.whitening.is_some() {
        let expected = "false: `preprocessing.normalization = \"weights\"` includes the whitening of model.weights";
        return refused("preprocessing.whitening", expected, "true");
    }
    Ok(())
}

/// What a layer took.
enum Taken {
    All,
    Nothing,
    /// The channels of these classes.
    Classes(Vec<usize>),
}

/// A convolution of a network.
struct Layer {
    name: String,
    /// Of input and output.
    widths: [Width; 2],
    is_first: bool,
    is_last: bool,
}

impl Layer {
    /// Input channels, of the first layer.
    fn channels(&self) -> usize {
        self.widths[0].channels(0)
    }
}

/// Every convolution, first to last.
fn layers(architecture: &Architecture) -> Vec<Layer> {
    let count = architecture.blocks().len();
    let mut input = Width::Channels(architecture.input_channels());
    let mut layers = Vec::new();
    for (index, block) in architecture.blocks().iter().enumerate() {
        let names = ["convolution", "cccp1", "cccp2"];
        for (place, (layer, output)) in names.into_iter().zip(block.widths).enumerate() {
            layers.push(Layer {
                name: format!("blocks.{index}.{layer}"),
                widths: [input, output],
                is_first: index == 0 && place == 0,
                is_last: index + 1 == count && place + 1 == names.len(),
            });
            input = output;
        }
    }
    layers
}

/// Whether both name the same classes, in any order.
fn same_classes(ours: &[String], theirs: &[String]) -> bool {
    let sorted = |names: &[String]| {
        let mut names = names.to_vec();
        names.sort();
        names
    };
    sorted(ours) == sorted(theirs)
}

fn tensor<'a>(weights: &'a Weights, name: &str) -> Result<&'a HostTensor, TrainError> {
    let missing = || TrainError::Model(ModelError::MissingTensor { name: name.to_owned() });
    weights.get(name).ok_or_else(missing)
}

fn mismatch(name: String, expected: Vec<usize>, found: Vec<usize>) -> TrainError {
    TrainError::StartingWeights { name, expected, found }
}

/// The first layer's weights for images of other channels: from grey to colour each colour has a third
/// of them, from colour to grey they are the sum over the colours. Anything else stays as it is.
fn of_channels(tensor: HostTensor, channels: usize) -> HostTensor {
    let HostTensor { shape, values } = &tensor;
    let [outputs, inputs, height, width] = shape[..] else { return tensor };
    let area = height * width;
    let values: Vec<f32> = match (inputs, channels) {
        (GREY, COLOUR) => values
            .chunks_exact(area)
            .flat_map(|kernel| {
                let third: Vec<_> = kernel.iter().map(|value| value / COLOUR as f32).collect();
                third.repeat(COLOUR)
            })
            .collect(),
        (COLOUR, GREY) => values
            .chunks_exact(COLOUR * area)
            .flat_map(|kernel| {
                let sum = |at: usize| kernel.iter().skip(at).step_by(area).sum::<f32>();
                (0..area).map(sum).collect::<Vec<_>>()
            })
            .collect(),
        _ => return tensor,
    };
    HostTensor { shape: vec![outputs, channels, height, width], values }
}

/// A statistic of each channel, for images of other channels: their mean, for each.
fn each_channel(values: &[f32], channels: usize) -> Vec<f32> {
    if values.len() == channels {
        return values.to_vec();
    }
    let mean = values.iter().sum::<f32>() / values.len().max(1) as f32;
    vec![mean; channels]
}

#[cfg(test)]
mod tests;
