#!/usr/bin/env python3
"""Writes golden/*.json: what PyTorch computes where the Rust test `parity` computes the same.

    pip install torch==2.15.0 numpy
    python generate.py [CASE...]

Only results are stored: losses of each step, the first step's logits and gradients, and how far the
weights have moved after each step.

Every case runs in 64-bit floats too, and from weights that differ in their last bits. Where one of
these gives other numbers than the 32-bit run, a ReLU or a maximum hangs on rounding, and no other
program can be expected to agree: images and labels are drawn with the next salt.
"""
import itertools
import json
import math
import pathlib
import sys

import numpy
import torch
from torch import nn

from reference import Network, dropout_mask, hashed, uniform

SEED = 7
EPOCH = 1
GRADIENT_POSITIONS = 64
WEIGHT_POSITIONS = 12


def block(kernel, stride, padding, widths, pool=None, dropout=0.0):
    pool = pool and dict(zip(("kernel", "stride", "padding", "ceil_mode"), pool))
    return {"kernel": kernel, "stride": stride, "padding": padding, "widths": widths, "pool": pool,
            "dropout": dropout}


FLOOR, CEIL = (3, 2, 0, False), (3, 2, 0, True)
PAPER_CIFAR = [block(5, 1, 2, (192, 160, 96), CEIL, 0.5), block(5, 1, 2, (192, 192, 192), CEIL, 0.5)]
NETWORKS = {
    "d2l": [block(11, 4, 0, (96, 96, 96), FLOOR), block(5, 1, 2, (256, 256, 256), FLOOR),
            block(3, 1, 1, (384, 384, 384), FLOOR, 0.5), block(3, 1, 1, (10, 10, 10))],
    "paper-mnist": [block(5, 1, 2, (96, 64, 48), CEIL, 0.5), block(5, 1, 2, (128, 96, 48), CEIL, 0.5),
                    block(5, 1, 2, (128, 96, 10))],
    "paper-cifar10": PAPER_CIFAR + [block(3, 1, 1, (192, 192, 10))],
    "paper-cifar100": PAPER_CIFAR + [block(3, 1, 1, (192, 192, 100))],
    "paper-svhn": [block(5, 1, 2, (128, 96, 64), CEIL, 0.5), block(5, 1, 2, (320, 256, 128), CEIL, 0.5),
                   block(5, 1, 2, (384, 256, 10))],
    "imagenet": [block(11, 4, 0, (96, 96, 96), CEIL), block(5, 1, 2, (256, 256, 256), CEIL),
                 block(3, 1, 1, (384, 384, 384), CEIL, 0.5), block(3, 1, 1, (1024, 1024, 1000))],
    # No published network: widths that fill no panel, a padded pool in ceil mode, even kernels.
    "unusual": [block(7, 3, 3, (17, 33, 19), (3, 2, 1, True), 0.3), block(4, 1, 1, (5, 18, 20), (2, 2, 0, False)),
                block(2, 1, 0, (24, 7, 3))],
}
SGD = {"kind": "sgd", "learning_rate": 0.002, "momentum": 0.9, "weight_decay": 0.001}
ADAMW = {"kind": "adamw", "learning_rate": 0.0002, "momentum": 0.0, "weight_decay": 0.01}
# What 32 bits may change where no tie is near, far below the test's tolerances: of the largest logit,
# of a loss, and of norm and largest value of gradients and of movements.
ROUNDING = {"logits": 5e-6, "losses": 1e-6, "gradients": (2e-6, 1e-5), "movements": (2e-4, 1e-3)}
# Runs from weights that are off by up to so much of themselves: a few units in the last place.
DISTURBANCES, DISTURBANCE = 4, 2.0**-21
# name, network, input, batch sizes of the steps, optimiser
CASES = [
    ("d2l-96", "d2l", (1, 96, 96), [4] * 9 + [3], SGD),
    ("d2l-224", "d2l", (1, 224, 224), [2], SGD),
    ("paper-mnist", "paper-mnist", (1, 28, 28), [4] * 9 + [3], SGD),
    ("paper-mnist-adamw", "paper-mnist", (1, 28, 28), [4] * 9 + [3], ADAMW),
    ("paper-cifar10", "paper-cifar10", (3, 32, 32), [2] * 9 + [1], SGD),
    ("paper-cifar100", "paper-cifar100", (3, 32, 32), [2] * 9 + [1], SGD),
    ("paper-svhn", "paper-svhn", (3, 32, 32), [2] * 9 + [1], SGD),
    ("imagenet", "imagenet", (3, 224, 224), [2, 1], SGD),
    ("unusual", "unusual", (2, 61, 47), [5] * 9 + [2], SGD),
]


def rounded(value, digits=9):
    """Nine digits give a 32-bit float back."""
    return float(f"{torch.as_tensor(value).detach().item():.{digits}g}")


def digest(tensor, positions, salt):
    flat = tensor.detach().flatten()
    at = torch.from_numpy(hashed(positions, salt).astype(numpy.int64) % flat.numel())
    return {"norm": rounded(flat.double().norm()), "largest": rounded(flat.abs().max()),
            "values": [rounded(value) for value in flat[at]]}


def movement(parameter, initial, salt):
    """How far a parameter is from its initial values: that, not its size, is what steps made."""
    moved = parameter.detach().double() - initial.double()
    return digest(moved, WEIGHT_POSITIONS, salt)


def run(architecture, shape, batches, optimizer, salt, dtype, disturbance=None):
    network = Network(architecture)
    arguments = {"lr": optimizer["learning_rate"], "weight_decay": optimizer["weight_decay"]}
    network.set_hashed()
    network.to(dtype)
    if disturbance is not None:
        noise = torch.Generator().manual_seed(disturbance)
        for parameter in network.parameters():
            shares = torch.rand(parameter.shape, generator=noise) * 2 - 1
            parameter.data *= 1 + DISTURBANCE * shares
    initial = {name: parameter.detach().clone() for name, parameter in network.named()}
    optim = (torch.optim.SGD(network.parameters(), momentum=optimizer["momentum"], **arguments)
             if optimizer["kind"] == "sgd" else torch.optim.AdamW(network.parameters(), **arguments))
    classes = network.layers[-1].out_channels
    result = {"losses": [], "logits": [], "gradients": {}, "movements": []}
    for step, batch in enumerate(batches):
        images = torch.from_numpy(uniform(batch * math.prod(shape), 1000 + 100 * salt + step)).reshape(batch, *shape)
        labels = torch.from_numpy(hashed(batch, 2000 + 100 * salt + step).astype(numpy.int64) % classes)
        optim.zero_grad()
        logits = network(images.to(dtype), lambda count, probability, block: torch.from_numpy(
            dropout_mask(count, probability, SEED, EPOCH, step, block)).to(dtype))
        loss = nn.functional.cross_entropy(logits, labels)
        loss.backward()
        result["losses"].append(rounded(loss))
        if step == 0:
            result["logits"] = [rounded(value) for value in logits.detach().flatten()]
            result["gradients"] = {
                name: digest(parameter.grad, GRADIENT_POSITIONS, 3000 + at)
                for at, (name, parameter) in enumerate(network.named())}
        optim.step()
        result["movements"].append({
            name: movement(parameter, initial[name], 4000 + at)
            for at, (name, parameter) in enumerate(network.named())})
    return result


def share(found, expected, whole):
    return max(abs(numpy.array(found) - numpy.array(expected)).max() / whole if whole else 0.0, 0.0)


def rounding(single, double):
    """How far 32-bit results are from 64-bit ones, in the units of the test's tolerances."""
    def digests(found, expected):
        errors = [(share(found[name]["norm"], digest["norm"], digest["norm"]),
                   share(found[name]["values"], digest["values"], digest["largest"]))
                  for name, digest in expected.items()]
        return tuple(float(max(error)) for error in zip(*errors))

    steps = [digests(*pair) for pair in zip(single["movements"], double["movements"])]
    return {"logits": float(share(single["logits"], double["logits"], max(map(abs, double["logits"])))),
            "losses": max(float(share(*pair, pair[1])) for pair in zip(single["losses"], double["losses"])),
            "gradients": digests(single["gradients"], double["gradients"]),
            "movements": tuple(max(errors) for errors in zip(*steps))}


def hangs_on_rounding(case, single):
    others = [run(*case.values(), torch.float64)]
    others += [run(*case.values(), torch.float32, seed) for seed in range(DISTURBANCES)]
    for other in others:
        errors = rounding(single, other)
        if any(numpy.any(numpy.array(errors[what]) > limit) for what, limit in ROUNDING.items()):
            return errors
    return None


def main():
    torch.set_num_threads(1)
    folder = pathlib.Path(__file__).parent / "golden"
    for name, network, shape, batches, optimizer in CASES:
        if sys.argv[1:] and name not in sys.argv[1:]:
            continue
        blocks = NETWORKS[network]
        architecture = {"name": network, "input_channels": shape[0], "classes": blocks[-1]["widths"][2],
                        "blocks": blocks}
        for salt in itertools.count():
            case = {"architecture": architecture, "input": shape, "batches": batches, "optimizer": optimizer,
                    "salt": salt}
            single = run(*case.values(), torch.float32)
            errors = hangs_on_rounding(case, single)
            print(name, salt, single["losses"][-1], errors or "holds", flush=True)
            if errors is None:
                break
        (folder / f"{name}.json").write_text(json.dumps(case | single, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
