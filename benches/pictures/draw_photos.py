#!/usr/bin/env python3
"""Draws JPEGs that cost what photos cost to decode: smooth noise at several scales, shades and grain.

    pip install pillow==11.3.0
    python3 benches/pictures/draw_photos.py /tmp/photos-500x375                            # 5,000, quality 90
    python3 benches/pictures/draw_photos.py /tmp/photos-64x64 --count 100000 --size 64x64  # for tests of memory

The pictures lie in a folder per class (`--classes`), but the classes mean nothing. Every file has content of
its own. It depends on the seed and its number alone, not on `--jobs`.
"""
import argparse
import os
import pathlib
import random
import sys
from multiprocessing import Pool

from PIL import Image, ImageChops, ImageFilter

# The scales of the noise: the cell in parts of the longer side, and the share of the picture.
OCTAVES = [(0.25, 0.5), (0.1, 0.35), (0.04, 0.3), (0.012, 0.25), (0.005, 0.2)]
GRAIN = 0.06  # as of a sensor indoors; a file has 64 kB or so


def noise(rng, size, cell):
    """Returns RGB noise whose blobs are about `cell` pixels wide."""
    width, height = (max(2, round(side / cell) + 1) for side in size)
    small = Image.frombytes("RGB", (width, height), rng.randbytes(3 * width * height))
    return small.resize(size, Image.Resampling.BICUBIC)


def draw_photo(rng, size):
    """Returns a picture with smooth areas, edges of several sharpnesses, and grain."""
    longer = max(size)
    picture = noise(rng, size, 0.5 * longer)
    for cell, share in OCTAVES:
        if cell * longer >= 1.5:
            picture = Image.blend(picture, noise(rng, size, cell * longer), share)
    # Hard edges, as objects before a background have them: two scenes, divided by a thresholded blob.
    scene = ImageChops.offset(picture, size[0] // 3, size[1] // 3).transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    edge = noise(rng, size, 0.2 * longer).convert("L").point(lambda level: 255 if level > 140 else 0)
    edge = edge.filter(ImageFilter.BoxBlur(rng.choice([0, 0.5, 2])))
    picture = Image.composite(ImageChops.invert(scene), picture, edge)
    return Image.blend(picture, noise(rng, size, 1), GRAIN)


def write_photo(job):
    """Draws one picture into its file."""
    key, size, quality, path = job
    draw_photo(random.Random(key), size).save(path, "JPEG", quality=quality)
    return os.path.getsize(path)


def size_of(text):
    """Parses `500x375`."""
    width, height = (int(side) for side in text.split("x"))
    return width, height


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", help="where to write; refused where it exists and is not empty")
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--size", type=size_of, default=(500, 375), help="WIDTHxHEIGHT")
    parser.add_argument("--quality", type=int, default=90)
    parser.add_argument("--classes", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    options = parser.parse_args()
    root = pathlib.Path(options.folder)
    if root.exists() and any(root.iterdir()):
        sys.exit(f"`{root}` is not empty")
    for place in range(options.classes):
        (root / f"class-{place}").mkdir(parents=True)
    jobs = ((f"{options.seed}/{number}", options.size, options.quality,
             str(root / f"class-{number % options.classes}" / f"{number:06}.jpg")) for number in range(options.count))
    with Pool(options.jobs) as pool:
        written = sum(pool.imap_unordered(write_photo, jobs, chunksize=64))
    print(f"{options.count} pictures of {options.size[0]}x{options.size[1]}, {written / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
