"""The networks in PyTorch, with the inputs of the Rust tests.

Weights, images and labels come from an integer hash, dropout masks from the counter-based generator of
nin-random. Both are implemented here and in Rust (`inputs.rs`, `nin-random`), so that both sides start
from the same bits and no weights have to be committed.
"""
import math

import numpy
import torch
from torch import nn

numpy.seterr(over="ignore")

LAYERS = ("convolution", "cccp1", "cccp2")


def hashed(count, salt):
    """Returns 24-bit integers, by the mixer of Wellons' hash-prospector (lowbias32)."""
    x = numpy.arange(count, dtype=numpy.uint32) + numpy.uint32(salt * 0x9E3779B9 & 0xFFFFFFFF)
    x ^= x >> numpy.uint32(16)
    x *= numpy.uint32(0x7FEB352D)
    x ^= x >> numpy.uint32(15)
    x *= numpy.uint32(0x846CA68B)
    x ^= x >> numpy.uint32(16)
    return x >> numpy.uint32(8)


def uniform(count, salt):
    """Returns numbers in [0, 1), 24-bit integers over 2^24, which are exact in 32-bit floats."""
    return hashed(count, salt).astype(numpy.float32) / numpy.float32(1 << 24)


def philox(counter, key):
    """Philox4x32-10 over arrays of counters."""
    counter = [numpy.asarray(word, dtype=numpy.uint64) for word in counter]
    key = [int(word) for word in key]
    mask = numpy.uint64(0xFFFFFFFF)
    shift = numpy.uint64(32)
    for _ in range(10):
        first = numpy.uint64(0xD2511F53) * counter[0]
        second = numpy.uint64(0xCD9E8D57) * counter[2]
        counter = [(second >> shift) ^ counter[1] ^ numpy.uint64(key[0]), second & mask,
                   (first >> shift) ^ counter[3] ^ numpy.uint64(key[1]), first & mask]
        key = [(key[0] + 0x9E3779B9) & 0xFFFFFFFF, (key[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return counter


def halves(word):
    return [word & 0xFFFFFFFF, word >> 32]


def dropout_mask(count, probability, seed, epoch, step, block):
    """Returns nin-model's dropout mask, from nin-random's stream of purpose 3."""
    place, purpose, seed = halves(epoch) + halves(step << 8 | block), 3, halves(seed)
    a, b, c, d = (int(word) for word in philox(place, seed))
    e, f, g, h = (int(word) for word in philox([a, b, c, d ^ purpose], [seed[0] ^ purpose, seed[1]]))
    positions = numpy.arange((count + 3) // 4, dtype=numpy.uint64)
    words = philox([positions, numpy.zeros_like(positions), g, h], [e, f])
    words = numpy.stack([numpy.broadcast_to(word, positions.shape) for word in words], 1).ravel()[:count]
    scale = numpy.float32(1.0 / (1.0 - probability))
    return numpy.where(words < int(probability * 2**32), numpy.float32(0), scale).astype(numpy.float32)


class Network(nn.Module):
    """A Network in Network, from an architecture in nin's JSON form."""

    def __init__(self, architecture):
        super().__init__()
        self.blocks = architecture["blocks"]
        self.layers = nn.ModuleList()
        channels, classes = architecture["input_channels"], architecture["classes"]
        for block in self.blocks:
            first, second, third = (classes if width == "classes" else width for width in block["widths"])
            self.layers += [nn.Conv2d(channels, first, block["kernel"], block["stride"], block["padding"]),
                            nn.Conv2d(first, second, 1), nn.Conv2d(second, third, 1)]
            channels = third

    def named(self):
        """Returns the parameters with nin's names, first layer to last, weight before bias."""
        for at, layer in enumerate(self.layers):
            name = f"blocks.{at // 3}.{LAYERS[at % 3]}"
            yield f"{name}.weight", layer.weight
            yield f"{name}.bias", layer.bias

    def set_hashed(self):
        """Sets He-uniform weights, which keep signals alive, and small positive biases."""
        for salt, (name, parameter) in enumerate(self.named(), 1):
            values = uniform(parameter.numel(), salt)
            if name.endswith("weight"):
                bound = numpy.float32(math.sqrt(6.0 / parameter[0].numel()))
                values = (values * numpy.float32(2) - numpy.float32(1)) * bound
            else:
                values = values * numpy.float32(0.125)
            parameter.data = torch.from_numpy(values).reshape(parameter.shape)

    def forward(self, x, masks=None):
        """Returns the logits. If given, `masks(count, probability, block)` draws dropout masks."""
        for index, block in enumerate(self.blocks):
            for layer in self.layers[3 * index:3 * index + 3]:
                x = torch.relu(layer(x))
            if block.get("pool"):
                pool = block["pool"]
                x = nn.functional.max_pool2d(x, pool["kernel"], pool["stride"], pool["padding"],
                                             ceil_mode=pool["ceil_mode"])
            if block["dropout"] and masks:
                x = x * masks(x.numel(), block["dropout"], index).reshape(x.shape)
        return x.mean((2, 3))
