//! Fine-tuning: starts a run with the weights of another network.
//!
//! Layers are matched by name. A layer of the same shape is loaded. A channel of the last 1x1 layer is loaded if the
//! other network has a class of the same name. Any other layer with a width of `classes`, in or out, is initialized
//! anew, unless both networks have the same classes.

use std::collections::BTreeMap;

use nin_model::{
    Architecture, HostTensor, LayerPart, ModelError, ModelMetadata, Normalization, Preprocessing,
    Weights, Width,
};
use serde::{Deserialize, Serialize};

use crate::TrainError;
use crate::recipe::{NormalizationRecipe, Recipe, RecipeError};

/// Number of channels of a grey and of a colour image.
const GREY: usize = 1;
const COLOUR: usize = 3;

/// The network whose weights a run starts with.
#[derive(Debug, Clone, PartialEq)]
pub struct StartingWeights {
    /// Its metadata.
    pub metadata: ModelMetadata,
    /// Its weights.
    pub weights: Weights,
}

/// The layers that a run loaded from another network.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Transfer {
    /// Loaded layers, first to last.
    pub loaded: Vec<String>,
    /// Layers that are initialized anew. Of the last layer, it may be only some channels.
    pub initialized: Vec<String>,
    /// Loaded classes of the last layer, if other classes are initialized anew.
    pub kept_classes: Vec<String>,
    /// Unused layers of the other network.
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

/// Initial weights, some of them loaded.
pub(crate) struct Begun {
    pub(crate) weights: Weights,
    pub(crate) transfer: Transfer,
    /// The part of each layer that is initialized anew.
    new: BTreeMap<String, LayerPart>,
}

impl Begun {
    /// Returns the part of a layer that is initialized anew.
    pub(crate) fn new_part(&self, layer: &str) -> LayerPart {
        self.new.get(layer).cloned().unwrap_or(LayerPart::None)
    }
}

/// Returns whether a parameter, such as `blocks.0.cccp1.bias`, is in one of the frozen first blocks.
pub(crate) fn is_frozen(name: &str, frozen_blocks: usize) -> bool {
    let mut parts = name.split('.').skip_while(|part| *part != "blocks").skip(1);
    let block = parts.next().and_then(|block| block.parse::<usize>().ok());
    block.is_some_and(|block| block < frozen_blocks)
}

impl StartingWeights {
    /// Loads these weights into the `initial` weights of the target network.
    ///
    /// # Errors
    /// [`TrainError::StartingWeights`] if the shape of a layer differs for a reason other than classes or input
    /// channels; [`ModelError::MissingTensor`] if a tensor is missing.
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

    /// Loads one layer.
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

    /// Loads the channels of the classes that the other network knows.
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

    /// Returns the preprocessing of these weights, adapted to the channels of the target.
    ///
    /// # Errors
    /// [`RecipeError::Refused`] if it whitens images of another size or number of channels.
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

/// Checks that a recipe uses the preprocessing of a checkpoint only if it names a checkpoint.
///
/// # Errors
/// [`RecipeError::Refused`] otherwise.
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

/// What was loaded of a layer.
enum Taken {
    All,
    Nothing,
    /// The channels of these classes.
    Classes(Vec<usize>),
}

/// A convolution layer of a network.
struct Layer {
    name: String,
    /// Widths of input and output.
    widths: [Width; 2],
    is_first: bool,
    is_last: bool,
}

impl Layer {
    /// Returns the number of input channels of the first layer.
    fn channels(&self) -> usize {
        self.widths[0].channels(0)
    }
}

/// Returns every convolution layer, first to last.
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

/// Returns whether both have the same classes, in any order.
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

/// Adapts the weights of the first layer to another number of channels. From grey to colour, each colour gets a third
/// of the weights; from colour to grey, the weights are summed over the colours. Other weights stay as they are.
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

/// Adapts a statistic of each channel to another number of channels, by repeating its mean.
fn each_channel(values: &[f32], channels: usize) -> Vec<f32> {
    if values.len() == channels {
        return values.to_vec();
    }
    let mean = values.iter().sum::<f32>() / values.len().max(1) as f32;
    vec![mean; channels]
}

#[cfg(test)]
mod tests;
