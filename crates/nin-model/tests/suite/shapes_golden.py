#!/usr/bin/env python3
"""Writes shapes_golden.json: the shapes that PyTorch's own layers put out for random architectures.

    pip install torch==2.15.0
    python shapes_golden.py

Padding, strides and ceil mode are drawn freely, and a fifth of the inputs are too small, where
PyTorch refuses and so should we: their `outputs` are null.
"""
import json
import pathlib
import random

import torch
from torch import nn

COUNT = 50
REFUSED = 10


def random_block(draw, last_width):
    kernel = draw.randint(1, 7)
    pool_kernel = draw.randint(1, 5)
    pool = {"kernel": pool_kernel, "stride": draw.randint(1, 4),
            "padding": draw.randint(0, pool_kernel // 2), "ceil_mode": draw.random() < 0.5}
    block = {"kernel": kernel, "stride": draw.randint(1, 3), "padding": draw.randint(0, kernel - 1),
             "widths": [draw.randint(1, 20), draw.randint(1, 20), last_width or draw.randint(1, 20)],
             "dropout": draw.choice([0.0, 0.5])}
    if draw.random() < 0.8:
        block["pool"] = pool
    return block


def random_case(draw, number):
    classes, count = draw.randint(2, 5), draw.randint(1, 3)
    blocks = [random_block(draw, classes if at + 1 == count else None) for at in range(count)]
    architecture = {"name": f"random {number}", "input_channels": draw.randint(1, 3),
                    "classes": classes, "blocks": blocks}
    shape = [architecture["input_channels"], draw.randint(1, 40), draw.randint(1, 40)]
    return {"architecture": architecture, "input": shape, "outputs": outputs(architecture, shape)}


def layers(architecture):
    channels = architecture["input_channels"]
    for block in architecture["blocks"]:
        first, second, third = block["widths"]
        yield nn.Sequential(
            nn.Conv2d(channels, first, block["kernel"], block["stride"], block["padding"]), nn.ReLU(),
            nn.Conv2d(first, second, 1), nn.ReLU(), nn.Conv2d(second, third, 1), nn.ReLU())
        if "pool" in block:
            pool = block["pool"]
            yield nn.MaxPool2d(pool["kernel"], pool["stride"], pool["padding"], ceil_mode=pool["ceil_mode"])
        if block["dropout"]:
            yield nn.Dropout(block["dropout"])
        channels = third
    yield nn.AdaptiveAvgPool2d((1, 1))
    yield nn.Flatten()


def outputs(architecture, shape):
    """Every layer's output shape, or None where PyTorch refuses the input."""
    x, shapes = torch.zeros(1, *shape), []
    try:
        for layer in layers(architecture):
            x = layer(x)
            shapes.append(list(x.shape))
    except RuntimeError as error:
        assert "size" in str(error), error
        return None
    return shapes


def main():
    draw = random.Random(50)
    accepted, refused, number = [], [], 0
    while len(accepted) + len(refused) < COUNT:
        case = random_case(draw, number)
        number += 1
        kept, most = (refused, REFUSED) if case["outputs"] is None else (accepted, COUNT - REFUSED)
        if len(kept) < most:
            kept.append(case)
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in accepted + refused)
    pathlib.Path(__file__).with_name("shapes_golden.json").write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main()
