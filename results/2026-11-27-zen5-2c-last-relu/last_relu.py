#!/usr/bin/env python3
"""The book's network with the ReLU behind its last layer and without, in PyTorch.

    pip install torch==2.15.0 numpy pillow==11.3.0
    python last_relu.py --data /usr/share/datasets/fashion-mnist --seeds 2 > 6000-images.json
    python last_relu.py --data /usr/share/datasets/fashion-mnist --seeds 2 --images 55000 --recipes book > 55000-images.json

Size, epochs and batches are those of the ablation's ablation.sh: the first so many training images at 96x96, three epochs
of batches of 128, tested on the last 5,000 of the training set; the rate is constant. Recipes: the book's (Xavier,
SGD at 0.1) and PyTorch's own weights with AdamW at 0.001. nin has no such network, so this is PyTorch's.
"""
import argparse
import gzip
import json
import pathlib
import sys

import numpy
import torch
from PIL import Image
from torch import nn

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "crates/nin-cli/src/commands/bench/compare"))
import pytorch_nin  # noqa: E402


def network(last_relu):
    net, _ = pytorch_nin.network(pytorch_nin.BOOK)
    if not last_relu:
        del net[-3]  # what is left behind it: the mean over the map, flattened
    return net


def idx(path):
    content = gzip.decompress(path.read_bytes())
    dimensions = content[3]
    shape = [int.from_bytes(content[4 + 4 * at:8 + 4 * at], "big") for at in range(dimensions)]
    return numpy.frombuffer(content, numpy.uint8, offset=4 + 4 * dimensions).reshape(shape)


def resized(images):
    sides = [numpy.asarray(Image.fromarray(image).resize((96, 96), Image.Resampling.BILINEAR)) for image in images]
    return torch.from_numpy(numpy.stack(sides)[:, None].astype(numpy.float32)).div(255)


def tested(net, images, labels):
    """Accuracy, and how many classes answer 0 to every image."""
    net.eval()
    with torch.no_grad():
        logits = torch.cat([net(part) for part in images.split(250)])
    net.train()
    return (logits.argmax(1) == labels).float().mean().item(), int((logits.abs().amax(0) == 0).sum())


def train(data, recipe, last_relu, seed):
    torch.manual_seed(seed)
    images, labels, test_images, test_labels = data
    net = network(last_relu)
    if recipe == "book":
        for layer in net:
            if isinstance(layer, nn.Conv2d):
                nn.init.xavier_uniform_(layer.weight)
        optimizer = torch.optim.SGD(net.parameters(), 0.1)
    else:
        optimizer = torch.optim.AdamW(net.parameters(), 0.001, weight_decay=0.01)
    row = {"recipe": recipe, "last_relu": last_relu, "seed": seed, "train_loss": [], "held_out_accuracy": []}
    for _ in range(3):
        losses = []
        for at in torch.randperm(len(labels)).split(128):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(net(images[at]), labels[at])
            loss.backward()
            optimizer.step()
            losses.append(loss.item() * len(at))
        accuracy, silent = tested(net, test_images, test_labels)
        row["train_loss"].append(round(sum(losses) / len(labels), 4))
        row["held_out_accuracy"].append(round(accuracy, 4))
    return row | {"silent_classes": silent}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--images", type=int, default=6000)
    parser.add_argument("--recipes", nargs="+", choices=["book", "adamw"], default=["book", "adamw"])
    arguments = parser.parse_args()
    images = idx(arguments.data / "train-images-idx3-ubyte.gz")
    labels = torch.from_numpy(idx(arguments.data / "train-labels-idx1-ubyte.gz").astype(numpy.int64))
    count = arguments.images
    if not 0 < count <= len(labels) - 5000:
        parser.error(f"--images: from 1 to {len(labels) - 5000}, for the last 5,000 are tested on")
    data = resized(images[:count]), labels[:count], resized(images[-5000:]), labels[-5000:]
    rows = []
    for recipe in arguments.recipes:
        for last_relu in (True, False):
            for seed in range(1, arguments.seeds + 1):
                rows.append(train(data, recipe, last_relu, seed))
                print(rows[-1], file=sys.stderr, flush=True)
    print(json.dumps({"torch": torch.__version__, "threads": torch.get_num_threads(), "images": count, "runs": rows}, indent=1))


if __name__ == "__main__":
    main()
