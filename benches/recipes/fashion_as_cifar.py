#!/usr/bin/env python3
"""Writes Fashion-MNIST as CIFAR-10's binary files, to try recipes for CIFAR-10 where it is not at hand.

    python3 benches/recipes/fashion_as_cifar.py FOLDER [--source /usr/share/datasets/fashion-mnist]

The first 50,000 training images and all test images, in a black border of two pixels. Each has a tint of its own in the three
planes, drawn from its position, so colour says nothing of the class.
"""
import argparse
import gzip
import pathlib
import random

SIDE, BORDER = 28, 2
FILES = {"train": [f"data_batch_{number}.bin" for number in range(1, 6)], "t10k": ["test_batch.bin"]}
PER_FILE = 10_000


def read(source, split):
    images = gzip.decompress((source / f"{split}-images-idx3-ubyte.gz").read_bytes())[16:]
    labels = gzip.decompress((source / f"{split}-labels-idx1-ubyte.gz").read_bytes())[8:]
    return images, labels


def record(pixels, label, seed):
    """One image: its label, then its red, green and blue plane."""
    edge = bytes(BORDER * (SIDE + 2 * BORDER))
    rows = (bytes(BORDER) + pixels[row * SIDE:][:SIDE] + bytes(BORDER) for row in range(SIDE))
    grey = edge + b"".join(rows) + edge
    tints = random.Random(seed)
    planes = (grey.translate(bytes(round(value * tint) for value in range(256)))
              for tint in (tints.uniform(0.4, 1.0) for _ in range(3)))
    return bytes([label]) + b"".join(planes)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--source", type=pathlib.Path, default=pathlib.Path("/usr/share/datasets/fashion-mnist"))
    arguments = parser.parse_args()
    folder = arguments.folder / "cifar-10-batches-bin"
    folder.mkdir(parents=True)
    for split, names in FILES.items():
        images, labels = read(arguments.source, split)
        for number, name in enumerate(names):
            with open(folder / name, "wb") as file:
                for at in range(number * PER_FILE, (number + 1) * PER_FILE):
                    file.write(record(images[at * SIDE * SIDE:(at + 1) * SIDE * SIDE], labels[at], f"{split}-{at}"))


if __name__ == "__main__":
    main()
