#!/usr/bin/env python3
"""PyTorch's answers on a checkpoint of ours, over a data set's test images, beside `nin-cli eval`'s.

    pip install torch==2.15.0 numpy pillow==11.3.0 safetensors
    python answers.py runs/NAME/checkpoints/best/model.safetensors --nin-cli target/release/nin-cli

Images are read from the IDX files, resized by PIL and divided by 255; the network is PyTorch's. It
prints the number of right answers, the confusion matrix and the closest call, and exits with 1 where
the two confusion matrices differ by more than the images whose two largest logits are within `--tie`
of each other. `--size` evaluates the same weights on images of another size, on both sides.
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
    """The bytes of an IDX file, gzipped or not, in its dimensions."""
    plain = folder / name
    content = plain.read_bytes() if plain.exists() else gzip.decompress((folder / f"{name}.gz").read_bytes())
    dimensions = content[3]
    shape = [int.from_bytes(content[4 + 4 * at:8 + 4 * at], "big") for at in range(dimensions)]
    return numpy.frombuffer(content, numpy.uint8, offset=4 + 4 * dimensions).reshape(shape)


def network_of(path):
    """Network and metadata of a `model.safetensors`."""
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
        # A division, as torchvision's ToTensor has it.
        yield torch.from_numpy(numpy.stack(resized)[:, None].astype(numpy.float32)).div(255)


def answers(network, metadata, images, batch_size):
    """Each image's answer, and by how much its largest logit leads."""
    size = metadata["preprocessing"]["input_size"]
    found, leads = [], []
    with torch.no_grad():
        for batch in batches(images, size, batch_size):
            logits = network(batch)
            best = logits.topk(2).values
            # As argmax on a CPU: the first of equals.
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
    parser = argparse.ArgumentParser(description="PyTorch's answers on a checkpoint of ours")
    parser.add_argument("model", type=pathlib.Path, help="a model.safetensors")
    parser.add_argument("--nin-cli", default="nin-cli", help="the program")
    parser.add_argument("--backend", default="flex")
    parser.add_argument("--size", type=int, help="side of the images, in place of the checkpoint's")
    parser.add_argument("--data", type=pathlib.Path, default="/usr/share/datasets/fashion-mnist")
    parser.add_argument("--batch-size", type=int, default=100)
    parser.add_argument("--tie", type=float, default=1e-5, help="a lead that rounding may turn")
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
    # An image that moves to another answer shows twice in the difference of the matrices.
    theirs = numpy.array(evaluation["confusion"])
    moved = int(abs(theirs - counts).sum()) // 2
    print(counts)
    print(f"{len(labels)} images at {metadata['preprocessing']['input_size']}: PyTorch has {counts.trace()} right "
          f"answers, nin-cli on {evaluation['backend']} {theirs.trace()}; {moved} answers differ; smallest lead "
          f"{leads.min():.3g}, {ties} leads within {arguments.tie}")
    return 0 if evaluation["images"] == len(labels) and moved <= ties else 1


if __name__ == "__main__":
    sys.exit(main())
