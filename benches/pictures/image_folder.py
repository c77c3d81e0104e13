#!/usr/bin/env python3
"""Pictures per second that torchvision's ImageFolder and PyTorch's DataLoader decode and prepare.

The peer of nin's loader: each JPEG is decoded, its shorter side resized to `--size`, the middle cropped, and made
a tensor, by `--workers` processes. The files come from the page cache after the first pass, which does not count.

    pip install torch torchvision pillow==11.3.0
    python benches/pictures/draw_photos.py /tmp/photos-500x375
    python benches/pictures/image_folder.py /tmp/photos-500x375

Prints one JSON object: `pictures_per_sec` is the median of the passes.
"""
import argparse
import json
import os
import statistics
import time

import PIL
import torch
import torchvision
from torch.utils.data import DataLoader
from torchvision import datasets, transforms
from torchvision.transforms import InterpolationMode


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", help="with a folder per class")
    parser.add_argument("--size", type=int, default=96)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--passes", type=int, default=3)
    parser.add_argument("--augment", action="store_true", help="RandomResizedCrop instead of Resize and CenterCrop")
    options = parser.parse_args()
    if options.augment:
        fit = [transforms.RandomResizedCrop(options.size, scale=(0.5, 1.0))]
    else:
        fit = [transforms.Resize(options.size, InterpolationMode.BILINEAR), transforms.CenterCrop(options.size)]
    pictures = datasets.ImageFolder(options.folder, transforms.Compose([*fit, transforms.ToTensor()]))
    loader = DataLoader(pictures, options.batch, num_workers=options.workers, persistent_workers=True)
    torch.set_num_threads(1)  # nothing is computed here but the sum of a batch

    for path, _ in pictures.samples:  # into the page cache
        with open(path, "rb") as file:
            while file.read(1 << 20):
                pass
    rates = []
    for number in range(options.passes + 1):
        start, count = time.perf_counter(), 0
        for images, _ in loader:
            count += len(images)
        if number > 0:  # the workers start in the first pass
            rates.append(count / (time.perf_counter() - start))
    print(json.dumps({
        "pictures_per_sec": statistics.median(rates), "passes": rates, "pictures": len(pictures),
        "size": options.size, "batch": options.batch, "workers": options.workers, "augment": options.augment,
        "torch": torch.__version__, "torchvision": torchvision.__version__, "pillow": PIL.__version__,
        "cores": os.cpu_count(),
    }))


if __name__ == "__main__":
    main()
