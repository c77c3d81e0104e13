//! A network as data: its mlpconv blocks, each with its pool and its dropout, and its classes.

use serde::{Deserialize, Serialize};

use crate::ModelError;

// Upper limits that catch typos.

/// The largest kernel or stride.
const LARGEST_KERNEL: usize = 255;
/// The largest number of channels or classes.
const LARGEST_WIDTH: usize = 65_536;
/// The largest number of blocks.
const LARGEST_BLOCK_COUNT: usize = 64;

/// The output channels of one convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected a number of channels or `\"classes\"`")]
pub enum Width {
    /// A number of channels.
    Channels(usize),
    /// The number of classes; `"classes"` in a recipe.
    Classes(ClassesKeyword),
}

/// The keyword `classes`, which a recipe may use instead of a number of channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClassesKeyword {
    /// The keyword.
    Classes,
}

impl Width {
    /// As many channels as there are classes.
    pub const CLASSES: Self = Self::Classes(ClassesKeyword::Classes);

    /// Returns the number of channels in a network with `classes` classes.
    pub const fn channels(self, classes: usize) -> usize {
        match self {
            Self::Channels(channels) => channels,
            Self::Classes(_) => classes,
        }
    }
}

/// A max pool after a block. Values mean the same as in PyTorch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pool {
    /// The side of the window, in pixels.
    pub kernel: usize,
    /// The distance between windows, in pixels.
    pub stride: usize,
    /// Pixels of minus infinity added on each side, at most half the kernel.
    #[serde(default)]
    pub padding: usize,
    /// Whether a window that starts inside the input may extend past its end.
    #[serde(default)]
    pub ceil_mode: bool,
}

/// One mlpconv block (the paper's section 3.1, the book's `nin_block`): a convolution and two 1x1 convolutions, each with
/// bias and ReLU, followed by an optional max pool and dropout.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Block {
    /// The side of the convolution's kernel, in pixels.
    pub kernel: usize,
    /// The stride of the convolution, in pixels.
    #[serde(default = "one")]
    pub stride: usize,
    /// The zeros added on each side, in pixels.
    #[serde(default)]
    pub padding: usize,
    /// The output channels of the convolution and of the two 1x1 convolutions.
    pub widths: [Width; 3],
    /// The max pool after the block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<Pool>,
    /// The probability of dropout after the pool, in training; 0 for none.
    #[serde(default)]
    pub dropout: f64,
}

const fn one() -> usize {
    1
}

/// A whole network: its input channels, its blocks and its classes.
///
/// After the last block, every Network in Network computes the mean of each class map, which is the logit of the class
/// (section 3.2).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "UncheckedArchitecture")]
pub struct Architecture {
    name: String,
    input_channels: usize,
    classes: usize,
    blocks: Vec<Block>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UncheckedArchitecture {
    name: String,
    input_channels: usize,
    classes: usize,
    blocks: Vec<Block>,
}

impl TryFrom<UncheckedArchitecture> for Architecture {
    type Error = ModelError;

    fn try_from(unchecked: UncheckedArchitecture) -> Result<Self, ModelError> {
        let UncheckedArchitecture { name, input_channels, classes, blocks } = unchecked;
        Self::new(name, input_channels, classes, blocks)
    }
}

impl Architecture {
    /// Creates an architecture from its blocks.
    ///
    /// # Errors
    /// [`ModelError::Architecture`], which names the block, where a value is out of range or the last block does not have
    /// as many output channels as there are classes; [`ModelError::TooLarge`] where the number of parameters does not fit
    /// into 31 bits.
    pub fn new(
        name: impl Into<String>,
        input_channels: usize,
        classes: usize,
        blocks: Vec<Block>,
    ) -> Result<Self, ModelError> {
        let architecture = Self { name: name.into(), input_channels, classes, blocks };
        architecture.check()?;
        Ok(architecture)
    }

    /// Returns the name, which tables and checkpoints show.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the channels of an image: 1 for grey, 3 for colour.
    pub fn input_channels(&self) -> usize {
        self.input_channels
    }

    /// Returns the number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Returns the mlpconv blocks, first to last.
    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// Returns each block and its `[input, first, second, third]` channels, first to last.
    pub fn block_channels(&self) -> impl Iterator<Item = (&Block, [usize; 4])> {
        let mut input = self.input_channels;
        self.blocks.iter().map(move |block| {
            let [first, second, third] = block.widths.map(|width| width.channels(self.classes));
            let channels = [input, first, second, third];
            input = third;
            (block, channels)
        })
    }

    fn check(&self) -> Result<(), ModelError> {
        let model = || "model".to_owned();
        in_range(&model, "input_channels", self.input_channels, 1, LARGEST_WIDTH)?;
        in_range(&model, "classes", self.classes, 2, LARGEST_WIDTH)?;
        in_range(&model, "number of blocks", self.blocks.len(), 1, LARGEST_BLOCK_COUNT)?;
        for (index, block) in self.blocks.iter().enumerate() {
            self.check_block(index, block)?;
        }
        let last = self.blocks.len();
        let width = self.blocks[last - 1].widths[2].channels(self.classes);
        if width != self.classes {
            return Err(ModelError::Architecture {
                place: format!("block {last}"),
                what: "third of `widths`",
                expected: format!("the number of classes, {} (or `\"classes\"`)", self.classes),
                found: width.to_string(),
            });
        }
        self.check_parameter_count()
    }

    fn check_block(&self, index: usize, block: &Block) -> Result<(), ModelError> {
        let place = || format!("block {}", index + 1);
        in_range(&place, "kernel", block.kernel, 1, LARGEST_KERNEL)?;
        in_range(&place, "stride", block.stride, 1, LARGEST_KERNEL)?;
        in_range(&place, "padding", block.padding, 0, block.kernel - 1)?;
        for width in block.widths {
            in_range(&place, "widths", width.channels(self.classes), 1, LARGEST_WIDTH)?;
        }
        if let Some(pool) = block.pool {
            in_range(&place, "pool.kernel", pool.kernel, 1, LARGEST_KERNEL)?;
            in_range(&place, "pool.stride", pool.stride, 1, LARGEST_KERNEL)?;
            in_range(&place, "pool.padding", pool.padding, 0, pool.kernel / 2)?;
        }
        if !(0.0..1.0).contains(&block.dropout) {
            return Err(ModelError::Architecture {
                place: place(),
                what: "dropout",
                expected: "at least 0 and less than 1".to_owned(),
                found: block.dropout.to_string(),
            });
        }
        Ok(())
    }

    fn check_parameter_count(&self) -> Result<(), ModelError> {
        let mut total = 0_u64;
        for (index, (block, channels)) in self.block_channels().enumerate() {
            let [input, first, second, third] = channels.map(|count| count as u64);
            let area = (block.kernel * block.kernel) as u64;
            // Each factor is at most 2^16, so that no product exceeds 2^48.
            total += (input * area + 1) * first + (first + 1) * second + (second + 1) * third;
            if total > u64::from(u32::MAX >> 1) {
                return Err(ModelError::TooLarge {
                    layer: format!("block {}", index + 1),
                    what: "parameters",
                });
            }
        }
        Ok(())
    }
}

fn in_range(
    place: &dyn Fn() -> String,
    what: &'static str,
    found: usize,
    smallest: usize,
    largest: usize,
) -> Result<(), ModelError> {
    if (smallest..=largest).contains(&found) {
        return Ok(());
    }
    Err(ModelError::Architecture {
        place: place(),
        what,
        expected: format!("{smallest} to {largest}"),
        found: found.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(widths: [usize; 3]) -> Block {
        Block {
            kernel: 3,
            stride: 1,
            padding: 1,
            widths: widths.map(Width::Channels),
            pool: None,
            dropout: 0.0,
        }
    }

    #[test]
    fn errors_name_the_block() {
        let mut second = block([8, 8, 3]);
        second.stride = 0;
        let error = Architecture::new("bad", 1, 3, vec![block([8, 8, 8]), second]).unwrap_err();
        assert_eq!(error.to_string(), "block 2: stride is `0`, expected 1 to 255");
    }

    #[test]
    fn the_last_width_is_the_number_of_classes() {
        let error = Architecture::new("bad", 1, 10, vec![block([8, 8, 9])]).unwrap_err();
        assert!(error.to_string().starts_with("block 1: third of `widths` is `9`"), "{error}");
    }

    #[test]
    fn dropout_is_a_share() {
        for dropout in [-0.1, 1.0, f64::NAN, f64::INFINITY] {
            let bad = Block { dropout, ..block([8, 8, 2]) };
            assert!(Architecture::new("bad", 1, 2, vec![bad]).is_err(), "{dropout}");
        }
    }

    #[test]
    fn huge_networks_are_refused_before_anything_is_allocated() {
        let huge = Block { kernel: 255, padding: 0, ..block([65_536, 65_536, 2]) };
        let error = Architecture::new("huge", 65_536, 2, vec![huge]).unwrap_err();
        assert!(matches!(error, ModelError::TooLarge { .. }), "{error}");
    }

    #[test]
    fn a_stored_architecture_is_checked_like_a_new_one() {
        let text = r#"{"name":"x","input_channels":0,"classes":2,"blocks":[]}"#;
        let error = serde_json::from_str::<Architecture>(text).unwrap_err();
        assert!(error.to_string().contains("input_channels"), "{error}");
    }

    #[test]
    fn widths_may_say_classes() {
        let text = r#"{"kernel":3,"widths":[4,"classes","classes"]}"#;
        let block: Block = serde_json::from_str(text).unwrap();
        assert_eq!(block.widths.map(|width| width.channels(7)), [4, 7, 7]);
        assert_eq!(block.stride, 1);
    }
}
