#!/usr/bin/env python3
"""Writes golden/*.json: what PyTorch computes where the test `parity` computes the same.

    pip install torch numpy
    python generate_parity.py

Weights, images and labels come from one integer hash and dropout masks from our own counter-based
generator, both written again in the test, so that only results are stored: losses of each step, the
first step's logits and gradients (norm, largest value, and some positions), and the weights after
the last step.
"""
import json
import math
import pathlib

import numpy
import torch
from torch import nn

SEED = 7
POSITIONS = 64

PAPER_CIFAR = [(5, 1, 2, (192, 160, 96), "ceil", 0.5), (5, 1, 2, (192, 192, 192), "ceil", 0.5)]
NETWORKS = {
    "d2l": [(11, 4, 0, (96, 96, 96), "floor", 0.0), (5, 1, 2, (256, 256, 256), "floor", 0.0),
            (3, 1, 1, (384, 384, 384), "floor", 0.5), (3, 1, 1, (10, 10, 10), None, 0.0)],
    "paper-mnist": [(5, 1, 2, (96, 64, 48), "ceil", 0.5), (5, 1, 2, (128, 96, 48), "ceil", 0.5),
                    (5, 1, 2, (128, 96, 10), None, 0.0)],
    "paper-cifar10": PAPER_CIFAR + [(3, 1, 1, (192, 192, 10), None, 0.0)],
    "paper-cifar100": PAPER_CIFAR + [(3, 1, 1, (192, 192, 100), None, 0.0)],
    "paper-svhn": [(5, 1, 2, (128, 96, 64), "ceil", 0.5), (5, 1, 2, (320, 256, 128), "ceil", 0.5),
                   (5, 1, 2, (384, 256, 10), None, 0.0)],
    "imagenet": [(11, 4, 0, (96, 96, 96), "ceil", 0.0), (5, 1, 2, (256, 256, 256), "ceil", 0.0),
                 (3, 1, 1, (384, 384, 384), "ceil", 0.5), (3, 1, 1, (1024, 1024, 1000), None, 0.0)],
}
SGD = {"kind": "sgd", "learning_rate": 0.002, "momentum": 0.9, "weight_decay": 0.001}
SLOW = {**SGD, "learning_rate": 0.0002}
ADAMW = {"kind": "adamw", "learning_rate": 0.0002, "momentum": 0.0, "weight_decay": 0.01}
# name, network, input, batch sizes of the steps, optimiser, first salt of the images: one for which no
# ReLU stands so near zero that another order of summation turns it, after which all figures part
CASES = [
    ("d2l-96", "d2l", (1, 96, 96), [4] * 9 + [3], SGD, 1050),
    ("d2l-224", "d2l", (1, 224, 224), [2], SGD, 1000),
    ("paper-mnist", "paper-mnist", (1, 28, 28), [4] * 9 + [3], SGD, 1000),
    ("paper-mnist-adamw", "paper-mnist", (1, 28, 28), [4] * 9 + [3], ADAMW, 1000),
    ("paper-cifar10", "paper-cifar10", (3, 32, 32), [3] * 4 + [2], SLOW, 1200),
    ("paper-cifar100", "paper-cifar100", (3, 32, 32), [2] * 2, SGD, 1000),
    ("paper-svhn", "paper-svhn", (3, 32, 32), [2] * 2, SGD, 1000),
    ("imagenet", "imagenet", (3, 224, 224), [1], SGD, 1000),
]


def hashed(count, salt):
    """24-bit integers, by the mixer of Wellons' hash-prospector (lowbias32)."""
    x = numpy.arange(count, dtype=numpy.uint32) + numpy.uint32(salt * 0x9E3779B9 & 0xFFFFFFFF)
    x ^= x >> numpy.uint32(16)
    x *= numpy.uint32(0x7FEB352D)
    x ^= x >> numpy.uint32(15)
    x *= numpy.uint32(0x846CA68B)
    x ^= x >> numpy.uint32(16)
    return x >> numpy.uint32(8)


def uniform(count, salt):
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


def dropout_mask(count, probability, block, epoch, step):
    """nin-model's dropout mask, by nin-random's stream of purpose 3."""
    place, purpose, seed = halves(epoch) + halves(step << 8 | block), 3, halves(SEED)
    a, b, c, d = (int(word) for word in philox(place, seed))
    e, f, g, h = (int(word) for word in philox([a, b, c, d ^ purpose], [seed[0] ^ purpose, seed[1]]))
    positions = numpy.arange((count + 3) // 4, dtype=numpy.uint64)
    words = philox([positions, numpy.zeros_like(positions), g, h], [e, f])
    words = numpy.stack([numpy.broadcast_to(word, positions.shape) for word in words], 1).ravel()[:count]
    scale = numpy.float32(1.0 / (1.0 - probability))
    return numpy.where(words < int(probability * 2**32), numpy.float32(0), scale).astype(numpy.float32)


class Network(nn.Module):
    def __init__(self, blocks, channels):
        super().__init__()
        self.table = blocks
        self.layers = nn.ModuleList()
        for kernel, stride, padding, widths, _, _ in blocks:
            first, second, third = widths
            self.layers += [nn.Conv2d(channels, first, kernel, stride, padding),
                            nn.Conv2d(first, second, 1), nn.Conv2d(second, third, 1)]
            channels = third
        for salt, parameter in enumerate(self.parameters()):
            weight_like = self.layers[salt // 2].weight
            bound = numpy.float32(math.sqrt(6.0 / weight_like[0].numel()))
            values = uniform(parameter.numel(), salt + 1)
            if salt % 2 == 0:
                values = (values * numpy.float32(2) - numpy.float32(1)) * bound
            else:
                values = values * numpy.float32(0.125)
            parameter.data = torch.from_numpy(values).reshape(parameter.shape)

    def forward(self, x, step):
        for index, (_, _, _, _, pool, dropout) in enumerate(self.table):
            for layer in self.layers[3 * index:3 * index + 3]:
                x = torch.relu(layer(x))
            if pool:
                x = nn.functional.max_pool2d(x, 3, 2, ceil_mode=pool == "ceil")
            if dropout:
                mask = dropout_mask(x.numel(), dropout, index, 1, step)
                x = x * torch.from_numpy(mask).reshape(x.shape)
        return x.mean((2, 3))


def digest(tensor, salt):
    flat = tensor.detach().flatten()
    at = torch.from_numpy(hashed(POSITIONS, salt).astype(numpy.int64) % flat.numel())
    return {"norm": flat.double().norm().item(), "largest": flat.abs().max().item(),
            "values": [float(value) for value in flat[at]]}


def names(count):
    layers = ["convolution", "cccp1", "cccp2"]
    return [f"blocks.{at // 6}.{layers[at // 2 % 3]}.{'weight' if at % 2 == 0 else 'bias'}"
            for at in range(count)]


def run(network, shape, batches, optimizer, salt):
    net = Network(NETWORKS[network], shape[0])
    arguments = {"lr": optimizer["learning_rate"], "weight_decay": optimizer["weight_decay"]}
    optim = (torch.optim.SGD(net.parameters(), momentum=optimizer["momentum"], **arguments)
             if optimizer["kind"] == "sgd" else torch.optim.AdamW(net.parameters(), **arguments))
    classes = NETWORKS[network][-1][3][2]
    result = {"losses": []}
    for step, batch in enumerate(batches):
        pixels = batch * math.prod(shape)
        images = torch.from_numpy(uniform(pixels, salt + step)).reshape(batch, *shape)
        labels = torch.from_numpy(hashed(batch, 2000 + step).astype(numpy.int64) % classes)
        optim.zero_grad()
        logits = net(images, step)
        loss = nn.functional.cross_entropy(logits, labels)
        loss.backward()
        result["losses"].append(loss.item())
        if step == 0:
            result["logits"] = [float(value) for value in logits.detach().flatten()]
            result["gradients"] = {name: digest(parameter.grad, 3000 + at) for at, (name, parameter)
                                   in enumerate(zip(names(999), net.parameters()))}
        optim.step()
    result["weights"] = {name: digest(parameter, 4000 + at) for at, (name, parameter)
                         in enumerate(zip(names(999), net.parameters()))}
    return result


def main():
    torch.set_num_threads(1)
    folder = pathlib.Path(__file__).parent / "golden"
    for name, network, shape, batches, optimizer, salt in CASES:
        case = {"network": network, "input": shape, "batches": batches, "optimizer": optimizer,
                "salt": salt}
        case.update(run(network, shape, batches, optimizer, salt))
        (folder / f"{name}.json").write_text(json.dumps(case) + "\n")
        print(name, case["losses"])


if __name__ == "__main__":
    numpy.seterr(over="ignore")
    main()
