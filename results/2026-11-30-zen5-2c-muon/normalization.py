#!/usr/bin/env python3
"""Trains the six blocks of record-large-fashion-mnist in PyTorch, with and without batch normalization after each hidden convolution,
by AdamW, or by Muon with AdamW for the first and last kernels, biases and normalization.

    pip install torch==2.15.0 numpy
    python normalization.py none 8 adamw.jsonl --threads 1
    python normalization.py batch 8 adamw-batch-normalization.jsonl --threads 1
    python normalization.py batch 8 muon-batch-normalization.jsonl --threads 1 --optimizer muon --rate 0.001

The recipe is record-large-fashion-mnist's, with its learning rate unless --rate says otherwise, and its weight decay, in bf16 (autocast) and with 5,000 training images held out. Initial weights
are Kaiming's instead of nin's open initialization; the last layer's are small, and it has no ReLU.
"""
import argparse
import gzip
import json
import math
import time

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("normalization", choices=["none", "batch"])
parser.add_argument("epochs", type=int)
parser.add_argument("output")
parser.add_argument("--data", default="/usr/share/datasets/fashion-mnist")
parser.add_argument("--seed", type=int, default=1)
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--optimizer", choices=["adamw", "muon"], default="adamw")
parser.add_argument("--rate", type=float, default=0.002)
options = parser.parse_args()
torch.set_num_threads(options.threads)
torch.manual_seed(options.seed)
rng = np.random.default_rng(options.seed)
BATCH, HELD_OUT, DECAY, WARM_UP, DROPOUT, MOMENTUM = 128, 5000, 0.05, 300, 0.3, 0.95


def read(name, header):
    with gzip.open(f"{options.data}/{name}.gz") as file:
        return np.frombuffer(file.read(), np.uint8, offset=header).copy()


class Block(nn.Module):
    def __init__(self, channels, widths, last=False):
        super().__init__()
        layers = []
        for at, (width, kernel) in enumerate(zip(widths, (3, 1, 1))):
            end = last and at == 2
            normalized = options.normalization == "batch" and not end
            layer = nn.Conv2d(channels, width, kernel, padding=kernel // 2, bias=not normalized)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            if end:
                nn.init.normal_(layer.weight, 0, 0.1 / math.sqrt(channels))
            layers.append(layer)
            if normalized:
                layers.append(nn.BatchNorm2d(width))
            if not end:
                layers.append(nn.ReLU(inplace=True))
            channels = width
        self.layers = nn.Sequential(*layers)

    def forward(self, x):
        return self.layers(x)


class Muon(torch.optim.Optimizer):
    """torch.optim.Muon with adjust_lr_fn="match_rms_adamw", in fp32 instead of bf16."""

    def __init__(self, kernels):
        super().__init__(kernels, {"lr": options.rate})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for kernel in group["params"]:
                mean = self.state[kernel].setdefault("mean", torch.zeros_like(kernel))
                mean.lerp_(kernel.grad, 1 - MOMENTUM)
                matrix = kernel.grad.lerp(mean, MOMENTUM).flatten(1)
                is_tall = matrix.shape[0] > matrix.shape[1]
                matrix = matrix.T if is_tall else matrix
                matrix = matrix / (matrix.norm() + 1e-7)
                for _ in range(5):
                    gram = matrix @ matrix.T
                    matrix = 3.4445 * matrix + (-4.7750 * gram + 2.0315 * gram @ gram) @ matrix
                matrix = matrix.T if is_tall else matrix
                kernel.mul_(1 - group["lr"] * DECAY)
                kernel.add_(matrix.reshape(kernel.shape), alpha=-group["lr"] * 0.2 * max(matrix.shape) ** 0.5)


def augment(images):
    """Flips, shifts by up to two pixels, and a rectangle of every fourth image erased."""
    count = len(images)
    x = images.float() / 255
    flipped = torch.rand(count) < 0.5
    x[flipped] = x[flipped].flip(-1)
    padded, shifted = F.pad(x, (2, 2, 2, 2)), torch.empty_like(x)
    dx, dy = torch.randint(0, 5, (2, count)).tolist()
    for at in range(count):
        shifted[at] = padded[at, :, dy[at]:dy[at] + 28, dx[at]:dx[at] + 28]
    for at in np.nonzero(rng.random(count) < 0.25)[0]:
        while True:
            area = rng.uniform(0.02, 0.33) * 784
            ratio = math.exp(rng.uniform(math.log(0.3), math.log(3.3)))
            height, width = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
            if height < 28 and width < 28:
                break
        top, left = rng.integers(0, 28 - height + 1), rng.integers(0, 28 - width + 1)
        shifted[at, :, top:top + height, left:left + width] = torch.from_numpy(
            rng.random((1, height, width), dtype=np.float32))
    return shifted


def rate_factor(step, steps):
    return min(1, (step + 1) / WARM_UP) * 0.5 * (1 + math.cos(math.pi * max(0, step - WARM_UP) / max(1, steps - WARM_UP)))


images = torch.from_numpy(read("train-images-idx3-ubyte", 16).reshape(-1, 1, 28, 28))
labels = torch.from_numpy(read("train-labels-idx1-ubyte", 8)).long()
held_out = images[-HELD_OUT:].float() / 255, labels[-HELD_OUT:]
images, labels = images[:-HELD_OUT], labels[:-HELD_OUT]
model = nn.Sequential(
    Block(1, [64] * 3), Block(64, [64] * 3), nn.MaxPool2d(3, 2, ceil_mode=True),
    Block(64, [128] * 3), Block(128, [128] * 3), nn.MaxPool2d(3, 2, ceil_mode=True), nn.Dropout(DROPOUT),
    Block(128, [192] * 3), nn.Dropout(DROPOUT), Block(192, [160, 160, 10], last=True),
    nn.AdaptiveAvgPool2d(1), nn.Flatten()).to(memory_format=torch.channels_last)
kernels = [parameter for parameter in model.parameters() if parameter.dim() > 1]
others = [parameter for parameter in model.parameters() if parameter.dim() == 1]
inner = kernels[1:-1] if options.optimizer == "muon" else []
outer = [kernels[0], kernels[-1]] if inner else kernels
optimizers = [torch.optim.AdamW([{"params": outer, "weight_decay": DECAY}, {"params": others, "weight_decay": 0.0}], lr=options.rate)]
if inner:
    optimizers.insert(0, Muon(inner))
per_epoch = math.ceil(len(images) / BATCH)
schedules = [torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate_factor(step, per_epoch * options.epochs))
             for optimizer in optimizers]
with open(options.output, "w") as log:
    for epoch in range(1, options.epochs + 1):
        model.train()
        begin, order, loss_sum, right = time.time(), torch.randperm(len(images)), torch.zeros(()), 0
        for step in range(per_epoch):
            chosen = order[step * BATCH:(step + 1) * BATCH]
            x, y = augment(images[chosen]).contiguous(memory_format=torch.channels_last), labels[chosen]
            with torch.autocast("cpu", torch.bfloat16):
                logits = model(x)
            loss = F.cross_entropy(logits.float(), y)
            model.zero_grad(set_to_none=True)
            loss.backward()
            for each in optimizers + schedules:
                each.step()
            loss_sum += loss.detach() * len(y)
            right += (logits.argmax(1) == y).sum().item()
        model.eval()
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            parts = held_out[0].split(500)
            answers = torch.cat([model(part.contiguous(memory_format=torch.channels_last)).float() for part in parts])
        line = {"epoch": epoch, "train_loss": loss_sum.item() / len(images), "train_accuracy": right / len(images),
                "held_out_loss": F.cross_entropy(answers, held_out[1]).item(),
                "held_out_accuracy": (answers.argmax(1) == held_out[1]).float().mean().item(),
                "seconds": time.time() - begin}
        log.write(json.dumps(line) + "\n")
        log.flush()
