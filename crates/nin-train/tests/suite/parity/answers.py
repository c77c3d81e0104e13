#!/usr/bin/env python3
"""Compares PyTorch's answers for a checkpoint with those of `nin-cli eval`, over the test images of a data set.

    pip install torch==2.15.0 numpy pillow==11.3.0 safetensors
    python answers.py runs/NAME/checkpoints/best/model.safetensors --nin-cli target/release/nin-cli

Reads the images from IDX files, resizes them with PIL, divides by 255, and runs the network in PyTorch.
Prints the confusion matrix, the number of correct answers and the smallest lead of a largest logit. Exits
with 1 if more answers differ than there are images whose two largest logits are within `--tie` of each
other. `--size` evaluates the same weights on images of another size, on both sides.
"""
import argparse
import gzip
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy
import torch
from PIL import Image
from safetensors import safe_open

from reference import Network


def idx(folder, name):
    """Reads an IDX file, gzipped or not, as an array."""
    plain = folder / name
    content = plain.read_bytes() if plain.exists() else gzip.decompress((folder / f"{name}.gz").read_bytes())
    dimensions = content[3]
    shape = [int.from_bytes(content[4 + 4 * at:8 + 4 * at], "big") for at in range(dimensions)]
    return numpy.frombuffer(content, numpy.uint8, offset=4 + 4 * dimensions).reshape(shape)


def network_of(path):
    """Reads the network and the metadata of a `model.safetensors`."""
    with safe_open(path, "pt") as file:
        metadata = json.loads(file.metadata()["nin"])
        network = Network(metadata["architecture"])
        for name, parameter in network.named():
            parameter.data = file.get_tensor(name)
    return network, metadata


def batches(images, size, batch_size):
    height, width = size
    for start in range(0, len(images), batch_size):
        resized = [numpy.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR))
                   for image in images[start:start + batch_size]]
        # Divides, like torchvision's ToTensor.
        yield torch.from_numpy(numpy.stack(resized)[:, None].astype(numpy.float32)).div(255)


def answers(network, metadata, images, batch_size):
    """Returns the answer for each image, and the lead of its largest logit."""
    size = metadata["preprocessing"]["input_size"]
    found, leads = [], []
    with torch.no_grad():
        for batch in batches(images, size, batch_size):
            logits = network(batch)
            best = logits.topk(2).values
            # On a CPU, argmax returns the first of equals.
            found.append(logits.argmax(1))
            leads.append(best[:, 0] - best[:, 1])
    return torch.cat(found).numpy(), torch.cat(leads).numpy()


def confusion_of(labels, found, classes):
    counts = numpy.zeros((classes, classes), numpy.int64)
    numpy.add.at(counts, (labels, found), 1)
    return counts


def resized(model, size, path):
    """Writes the same weights with another input size in their metadata."""
    content = model.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8:8 + length])
    metadata = json.loads(header["__metadata__"]["nin"])
    metadata["preprocessing"]["input_size"] = [size, size]
    header["__metadata__"]["nin"] = json.dumps(metadata)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + content[8 + length:])


def ours(program, model, data, backend):
    arguments = [program, "eval", "--checkpoint", model, "--data", data, "--backend", backend, "--format", "json"]
    return json.loads(subprocess.run(arguments, check=True, stdout=subprocess.PIPE).stdout)


def main():
    parser = argparse.ArgumentParser(description="compares PyTorch's answers for a checkpoint with nin-cli's")
    parser.add_argument("model", type=pathlib.Path, help="a model.safetensors")
    parser.add_argument("--nin-cli", default="nin-cli", help="path of nin-cli")
    parser.add_argument("--backend", default="flex")
    parser.add_argument("--size", type=int, help="side of the images, instead of the checkpoint's")
    parser.add_argument("--data", type=pathlib.Path, default="/usr/share/datasets/fashion-mnist")
    parser.add_argument("--batch-size", type=int, default=100)
    parser.add_argument("--tie", type=float, default=1e-5, help="largest lead that rounding may flip")
    arguments = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        model = arguments.model
        if arguments.size:
            model = pathlib.Path(folder) / "model.safetensors"
            resized(arguments.model, arguments.size, model)
        network, metadata = network_of(model)
        evaluation = ours(arguments.nin_cli, model, arguments.data, arguments.backend)
    images = idx(arguments.data, "t10k-images-idx3-ubyte")
    labels = idx(arguments.data, "t10k-labels-idx1-ubyte")
    found, leads = answers(network, metadata, images, arguments.batch_size)
    counts = confusion_of(labels, found, metadata["architecture"]["classes"])
    ties = int((leads <= arguments.tie).sum())
    # An image with another answer counts twice in the difference of the matrices.
    theirs = numpy.array(evaluation["confusion"])
    moved = int(abs(theirs - counts).sum()) // 2
    print(counts)
    print(f"{len(labels)} images at {metadata['preprocessing']['input_size']}: PyTorch has {counts.trace()} correct "
          f"answers, nin-cli on {evaluation['backend']} {theirs.trace()}; {moved} answers differ; smallest lead "
          f"{leads.min():.3g}, {ties} leads within {arguments.tie}")
    return 0 if evaluation["images"] == len(labels) and moved <= ties else 1


if __name__ == "__main__":
    sys.exit(main())
