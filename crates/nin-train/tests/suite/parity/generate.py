#!/usr/bin/env python3
"""Writes golden/*.json, PyTorch's results for the Rust test `parity`.

    pip install torch==2.15.0 numpy
    python generate.py [CASE...]

Stores only results: the loss of each step, the logits and gradients of the first step, and the movement
of the weights after each step.

If rounding decides a ReLU or a maximum, implementations differ there and then diverge. So every case also
runs in 64-bit floats, and the script stops if the results differ; then draw images and labels with another
salt. With the salts below, the rounding of our kernels (Winograd transforms, other orders of summation)
and of wgpu flips nothing either. At 224x224, where one of the many maxima usually flips within ten steps,
this holds for the first step only.
"""
import inspect
import json
import math
import pathlib
import sys

import numpy
import torch
from torch import nn
from torch.optim import _muon

from reference import Network, dropout_mask, hashed, uniform

SEED = 7
EPOCH = 1
POSITIONS = 64


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
    # Not a published network: widths that do not fill a panel, a padded pool in ceil mode, even kernels.
    "unusual": [block(7, 3, 3, (17, 33, 19), (3, 2, 1, True), 0.3), block(4, 1, 1, (5, 18, 20), (2, 2, 0, False)),
                block(2, 1, 0, (24, 7, 3))],
}
SGD = {"kind": "sgd", "learning_rate": 0.002, "momentum": 0.9, "weight_decay": 0.001}
# At 224, a tie is likely to flip within ten steps. Smaller steps limit the effect.
SMALL_SGD = SGD | {"learning_rate": 0.0004}
# With the default epsilon of 1e-8, gradients that are only rounding errors cause full steps.
ADAMW = {"kind": "adamw", "learning_rate": 0.0002, "momentum": 0.0, "weight_decay": 0.01, "epsilon": 1e-4}
MUON = {"kind": "muon", "learning_rate": 0.0002, "momentum": 0.95, "weight_decay": 0.01, "epsilon": 1e-4}
# Limits on the rounding errors of 32 bits without a close tie, far below the tolerances of the test: relative
# to the largest logit, to a loss, and to norm and largest value of gradients and movements.
ROUNDING = {"logits": 5e-6, "losses": 1e-6, "gradients": (2e-6, 1e-5), "movements": (2e-4, 1e-3)}
# name, network, input, batch size of each step, optimizer, salt of images and labels
CASES = [
    ("d2l-96", "d2l", (1, 96, 96), [4] * 9 + [3], SGD, 20),
    ("d2l-224", "d2l", (1, 224, 224), [2] * 9 + [1], SMALL_SGD, 2),
    # A single step, for wgpu on llvmpipe, which takes seconds per image.
    ("d2l-224-once", "d2l", (1, 224, 224), [2], SGD, 3),
    ("paper-mnist", "paper-mnist", (1, 28, 28), [4] * 9 + [3], SGD, 0),
    ("paper-mnist-adamw", "paper-mnist", (1, 28, 28), [4] * 9 + [3], ADAMW, 6),
    ("paper-mnist-muon", "paper-mnist", (1, 28, 28), [4] * 9 + [3], MUON, 0),
    ("paper-cifar10", "paper-cifar10", (3, 32, 32), [2] * 9 + [1], SGD, 2),
    ("paper-cifar100", "paper-cifar100", (3, 32, 32), [2] * 9 + [1], SGD, 5),
    ("paper-svhn", "paper-svhn", (3, 32, 32), [2] * 9 + [1], SGD, 9),
    ("imagenet", "imagenet", (3, 224, 224), [1] * 10, SMALL_SGD, 1),
    ("unusual", "unusual", (2, 61, 47), [5] * 9 + [2], SGD, 0),
]


def rounded(value):
    """Rounds to nine digits, which identify a 32-bit float."""
    return float(f"{torch.as_tensor(value).detach().item():.9g}")


def digest(tensor, salt):
    """Returns norm, largest value, and the values at hashed positions in millionths of the largest."""
    flat = tensor.detach().double().flatten()
    at = torch.from_numpy(hashed(min(POSITIONS, flat.numel()), salt).astype(numpy.int64) % flat.numel())
    largest = flat.abs().max()
    values = flat[at] * (1e6 / largest) if largest else flat[at]
    return {"norm": rounded(flat.norm()), "largest": rounded(largest), "values": values.round().int().tolist()}


def movement(parameter, initial, salt):
    """Returns the change of a parameter since its initial values, which is the work of the steps."""
    moved = parameter.detach().double() - initial.double()
    return digest(moved, salt)


class Muon:
    """torch.optim.Muon for kernels, flattened to matrices with a row per output channel, and AdamW for biases."""

    def __init__(self, parameters, momentum, epsilon, lr, weight_decay):
        parameters = list(parameters)
        self.kernels = [parameter for parameter in parameters if parameter.dim() > 1]
        # They share the memory of the kernels.
        self.matrices = [nn.Parameter(kernel.detach().flatten(1)) for kernel in self.kernels]
        biases = [parameter for parameter in parameters if parameter.dim() == 1]
        self.optimizers = [
            torch.optim.Muon(self.matrices, lr=lr, weight_decay=weight_decay, momentum=momentum,
                             adjust_lr_fn="match_rms_adamw"),
            torch.optim.AdamW(biases, lr=lr, weight_decay=weight_decay, eps=epsilon)]

    def zero_grad(self):
        for parameter in self.kernels:
            parameter.grad = None
        self.optimizers[1].zero_grad()

    def step(self):
        for kernel, matrix in zip(self.kernels, self.matrices):
            matrix.grad = kernel.grad.flatten(1)
        for optimizer in self.optimizers:
            optimizer.step()


def orthogonalize_in_full_precision():
    """Replaces torch.optim.Muon's Newton-Schulz iteration, which rounds to bf16, by the same code without the rounding."""
    source = inspect.getsource(_muon._zeropower_via_newtonschulz)
    full = source.replace("torch.bfloat16", "grad.dtype")
    assert full != source
    exec(full, vars(_muon))


def run(architecture, shape, batches, optimizer, salt, dtype):
    network = Network(architecture)
    arguments = {"lr": optimizer["learning_rate"], "weight_decay": optimizer["weight_decay"]}
    network.set_hashed()
    network.to(dtype)
    initial = {name: parameter.detach().clone() for name, parameter in network.named()}
    optim = (torch.optim.SGD(network.parameters(), momentum=optimizer["momentum"], **arguments)
             if optimizer["kind"] == "sgd" else
             Muon(network.parameters(), optimizer["momentum"], optimizer["epsilon"], **arguments)
             if optimizer["kind"] == "muon" else
             torch.optim.AdamW(network.parameters(), eps=optimizer["epsilon"], **arguments))
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
                name: digest(parameter.grad, 3000 + at)
                for at, (name, parameter) in enumerate(network.named())}
        optim.step()
        result["movements"].append({
            name: movement(parameter, initial[name], 4000 + at)
            for at, (name, parameter) in enumerate(network.named())})
    return result


def share(found, expected, whole):
    return max(abs(numpy.array(found) - numpy.array(expected)).max() / whole if whole else 0.0, 0.0)


def rounding(single, double):
    """Returns the errors of 32-bit results relative to 64-bit ones, in the units of the test's tolerances."""
    def digests(found, expected):
        errors = [(share(found[name]["norm"], digest["norm"], digest["norm"]),
                   share(found[name]["values"], digest["values"], 1e6))
                  for name, digest in expected.items()]
        return tuple(float(max(error)) for error in zip(*errors))

    steps = [digests(*pair) for pair in zip(single["movements"], double["movements"])]
    return {"logits": float(share(single["logits"], double["logits"], max(map(abs, double["logits"])))),
            "losses": max(float(share(*pair, pair[1])) for pair in zip(single["losses"], double["losses"])),
            "gradients": digests(single["gradients"], double["gradients"]),
            "movements": tuple(max(errors) for errors in zip(*steps))}


def main():
    torch.set_num_threads(1)
    orthogonalize_in_full_precision()
    folder = pathlib.Path(__file__).parent / "golden"
    for name, network, shape, batches, optimizer, salt in CASES:
        if sys.argv[1:] and name not in sys.argv[1:]:
            continue
        blocks = NETWORKS[network]
        architecture = {"name": network, "input_channels": shape[0], "classes": blocks[-1]["widths"][2],
                        "blocks": blocks}
        case = {"architecture": architecture, "input": shape, "batches": batches, "optimizer": optimizer,
                "salt": salt}
        single, double = (run(*case.values(), dtype) for dtype in (torch.float32, torch.float64))
        errors = rounding(single, double)
        print(name, single["losses"][-1], errors)
        if any(numpy.any(numpy.array(errors[what]) > limit) for what, limit in ROUNDING.items()):
            raise SystemExit(f"{name} depends on rounding: {errors}, expected at most {ROUNDING}")
        (folder / f"{name}.json").write_text(json.dumps(case | single, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
