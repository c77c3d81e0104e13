#!/usr/bin/env python3
"""Writes resize_golden.txt: hashes of PIL's bilinear resize for fixed and random sizes.

    pip install pillow==11.3.0
    python resize_golden.py > resize_golden.txt

Pillow 13 resizes columns before rows for some sizes that shrink in height. From square images to square
sizes, which data sets need, both versions give the same bytes.

Each line: height width new_height new_width hash. The pixels and the hash are simple integer functions
that the Rust test computes too.
"""
import random

from PIL import Image

FIXED = [(28, 28, 96, 96), (28, 28, 224, 224), (28, 28, 67, 67), (32, 32, 28, 28),
         (224, 224, 28, 28), (28, 28, 14, 14), (28, 28, 1, 1), (1, 1, 28, 28), (20, 20, 28, 28),
         (28, 28, 28, 56), (28, 28, 56, 28), (7, 5, 3, 11)]
RANDOM = 500


def pixels(height, width):
    return bytes((((at * 2654435761) & 0xffffffff) >> 13) & 0xff for at in range(height * width))


def fnv1a(data):
    value = 0xcbf29ce484222325
    for byte in data:
        value = ((value ^ byte) * 0x100000001b3) & 0xffffffffffffffff
    return value


def main():
    draw = random.Random(28)
    sizes = FIXED + [tuple(draw.randint(1, 80) for _ in range(4)) for _ in range(RANDOM)]
    for height, width, new_height, new_width in sizes:
        image = Image.frombytes("L", (width, height), pixels(height, width))
        resized = image.resize((new_width, new_height), Image.BILINEAR)
        print(height, width, new_height, new_width, f"{fnv1a(resized.tobytes()):016x}")


if __name__ == "__main__":
    main()
