#!/usr/bin/env python3
"""torchvision's `resnet18` from scratch on a folder of pictures: the peer of `nin-cli train --data FOLDER`.

The folder has `train`, `val` and `test` with a folder per class, or a `labels.csv` with `path,label,split`; for an
unsplit folder `--list` names the table that a run of nin wrote.
Each learning rate is tried with the first seed; the one with the best validation accuracy is trained with
the other seeds. A run's test accuracy is that of its best epoch on the validation part.

    pip install torch torchvision pillow==11.3.0
    python benches/pictures/resnet18.py /tmp/letters --epochs 20 --scale 0.5 1 --jitter 0.3 0.3 0.3 0.05

Pictures are decoded once, shrunk to twice the input at most and kept in memory (as nin keeps them on disk);
`--decode-each-epoch` reads the files anew. The convolutions run channels_last, on as many threads as there are
cores, beside the loader's workers.

Prints one JSON object: `runs` (rate, seed, `test_accuracy`, `best_epoch`, minutes), `test_accuracy` (each seed of the
best rate), `images_per_sec` (training with its loader, from the second epoch on) and `images_per_sec_bare` (the
steps alone, on one batch over and over). `--output` also writes it after each run.
"""
import argparse
import csv
import json
import pathlib
import statistics
import sys
import time

import torch
import torchvision
from PIL import Image, ImageOps
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms
from torchvision.transforms import InterpolationMode

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"}
PARTS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}


def listed(root, table):
    """Returns the classes, and the (path, class) pairs of each part."""
    rows = []
    table = table or root / "labels.csv"
    if table.exists():
        with open(table, newline="", encoding="utf-8-sig") as file:
            rows = [(root / row["path"], row["label"], PARTS[row["split"]]) for row in csv.DictReader(file)]
    else:
        for part in root.iterdir():
            if part.name in PARTS:
                for path in sorted(part.glob("*/*")):
                    if path.suffix.lower() in SUFFIXES:
                        rows.append((path, path.parent.name, PARTS[part.name]))
    classes = sorted({label for _, label, _ in rows}, key=lambda name: name.encode())
    parts = {"train": [], "val": [], "test": []}
    for path, label, part in rows:
        parts[part].append((path, classes.index(label)))
    for part, pairs in parts.items():
        if not pairs:
            sys.exit(f"`{root}` has no {part} pictures")
    return classes, parts


def decoded(path, limit):
    """Returns an upright RGB picture whose shorter side is `limit` pixels at most."""
    picture = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
    shorter = min(picture.size)
    if limit and shorter > limit:
        size = [max(1, round(side * limit / shorter)) for side in picture.size]
        picture = picture.resize(size, Image.Resampling.BILINEAR)
    return picture


class Pictures(Dataset):
    """The pictures of one part, kept in memory or read anew each time."""

    def __init__(self, pairs, transform, limit, keep):
        self.pairs, self.transform, self.limit = pairs, transform, limit
        self.kept = [decoded(path, limit) for path, _ in pairs] if keep else None

    def __len__(self):
        return len(self.pairs)

    def __getitem__(self, index):
        picture = self.kept[index] if self.kept else decoded(self.pairs[index][0], self.limit)
        return self.transform(picture), self.pairs[index][1]


def augmentation(options):
    """Returns the training transform, in the order in which nin does these."""
    steps = [transforms.RandomResizedCrop(options.size, scale=options.scale, ratio=options.ratio)]
    if options.flip:
        steps.append(transforms.RandomHorizontalFlip())
    if options.rotation:
        steps.append(transforms.RandomRotation(options.rotation))
    if any(options.jitter):
        steps.append(transforms.ColorJitter(*options.jitter))
    return transforms.Compose([*steps, transforms.ToTensor(), normalization()])


def fitting(options):
    """Returns the transform of pictures that are only looked at."""
    bilinear = InterpolationMode.BILINEAR
    if options.fit == "crop":
        fit = [transforms.Resize(options.size, bilinear), transforms.CenterCrop(options.size)]
    else:
        fit = [transforms.Resize((options.size, options.size), bilinear)]
    return transforms.Compose([*fit, transforms.ToTensor(), normalization()])


def normalization():
    return transforms.Normalize([0.5] * 3, [0.25] * 3)


def accuracy(network, loader, autocast):
    """Returns the share of the loader's pictures whose class is found."""
    network.eval()
    right = total = 0
    with torch.no_grad():
        for images, labels in loader:
            with autocast():
                answers = network(images.contiguous(memory_format=torch.channels_last)).argmax(1)
            right += int((answers == labels).sum())
            total += len(labels)
    return right / total


def train(options, sets, classes, rate, seed, autocast):
    """Trains one network, and returns its record."""
    torch.manual_seed(seed)
    network = torchvision.models.resnet18(num_classes=len(classes)).to(memory_format=torch.channels_last)
    if options.optimizer == "adamw":
        optimizer = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=options.weight_decay)
    else:
        optimizer = torch.optim.SGD(network.parameters(), lr=rate, momentum=0.9, nesterov=True,
                                    weight_decay=options.weight_decay)
    shuffled = torch.Generator().manual_seed(seed)
    loader = DataLoader(sets["train"], options.batch, shuffle=True, drop_last=True, generator=shuffled,
                        num_workers=options.workers, persistent_workers=options.workers > 0)
    plain = {part: DataLoader(sets[part], 256, num_workers=options.workers) for part in ("val", "test")}
    steps = options.max_steps or options.epochs * len(loader)
    warmup = max(1, min(len(loader), steps // 10))
    schedule = torch.optim.lr_scheduler.SequentialLR(optimizer, [
        torch.optim.lr_scheduler.LinearLR(optimizer, 0.1, total_iters=warmup),
        torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(1, steps - warmup)),
    ], [warmup])
    loss_of = nn.CrossEntropyLoss(label_smoothing=options.label_smoothing)
    best, rates, done, begun = (-1.0, 0, None), [], 0, time.perf_counter()
    for epoch in range(1, options.epochs + 1):
        network.train()
        start, before, total = time.perf_counter(), done, 0.0
        for images, labels in loader:
            with autocast():
                loss = loss_of(network(images.contiguous(memory_format=torch.channels_last)), labels)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
            done += 1
            if done == steps:
                break
        speed = (done - before) * options.batch / (time.perf_counter() - start)
        if epoch > 1:
            rates.append(speed)
        val = accuracy(network, plain["val"], autocast)
        print(f"rate {rate:g} seed {seed} epoch {epoch}: loss {total / (done - before):.3f}, val acc {val:.3f}, "
              f"{speed:.1f} images/s", file=sys.stderr, flush=True)
        if val > best[0]:
            best = (val, epoch, {name: value.clone() for name, value in network.state_dict().items()})
        if done == steps:
            break
    network.load_state_dict(best[2])
    return {
        "learning_rate": rate, "seed": seed, "best_epoch": best[1], "validation_accuracy": best[0],
        "test_accuracy": accuracy(network, plain["test"], autocast),
        "images_per_sec": statistics.median(rates) if rates else None,
        "minutes": (time.perf_counter() - begun) / 60,
    }


def bare_rate(options, classes, autocast, steps=12):
    """Returns the images per second of training steps on one batch that lies in memory."""
    network = torchvision.models.resnet18(num_classes=len(classes)).to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9)
    images = torch.rand(options.batch, 3, options.size, options.size).contiguous(memory_format=torch.channels_last)
    labels = torch.randint(len(classes), (options.batch,))
    seconds = []
    for _ in range(steps):
        start = time.perf_counter()
        with autocast():
            loss = nn.functional.cross_entropy(network(images), labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        seconds.append(time.perf_counter() - start)
    return options.batch / statistics.median(seconds[2:])


def numbers(kind):
    return lambda text: [kind(part) for part in text.split(",")]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--list", type=pathlib.Path, default=None,
                        help="the `pictures.csv` of a run of nin, for the same split of an unsplit folder")
    parser.add_argument("--size", type=int, default=96, help="the input's side")
    parser.add_argument("--fit", choices=["stretch", "crop"], default="stretch", help="of validation and test pictures")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--optimizer", choices=["sgd", "adamw"], default="sgd", help="sgd: momentum 0.9, Nesterov's")
    parser.add_argument("--learning-rates", type=numbers(float), default=None, metavar="A,B,C",
                        help="default: 0.02,0.05,0.15 for sgd; 0.0003,0.001,0.003 for adamw")
    parser.add_argument("--weight-decay", type=float, default=None, help="default: 0.0005 for sgd, 0.05 for adamw")
    parser.add_argument("--label-smoothing", type=float, default=0.0)
    parser.add_argument("--seeds", type=numbers(int), default=[1, 2, 3], metavar="1,2,3")
    parser.add_argument("--scale", type=float, nargs=2, default=[0.5, 1.0], help="of the area that a crop keeps")
    parser.add_argument("--ratio", type=float, nargs=2, default=[3 / 4, 4 / 3], help="width to height of a crop")
    parser.add_argument("--flip", action="store_true", help="mirror half of the pictures")
    parser.add_argument("--rotation", type=float, default=0.0, help="degrees, to each side")
    parser.add_argument("--jitter", type=float, nargs=4, default=[0, 0, 0, 0],
                        metavar=("BRIGHTNESS", "CONTRAST", "SATURATION", "HUE"))
    parser.add_argument("--dtype", choices=["fp32", "bf16"], default="fp32", help="bf16 is autocast")
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--decode-each-epoch", action="store_true")
    parser.add_argument("--max-steps", type=int, default=None, help="end each run after so many steps: for a first try")
    parser.add_argument("--output", type=pathlib.Path, default=None, help="also write the JSON here, after each run")
    options = parser.parse_args()
    adamw = options.optimizer == "adamw"
    if options.learning_rates is None:
        options.learning_rates = [0.0003, 0.001, 0.003] if adamw else [0.02, 0.05, 0.15]
    if options.weight_decay is None:
        options.weight_decay = 0.05 if adamw else 0.0005
    if options.threads:
        torch.set_num_threads(options.threads)

    def autocast():
        return torch.autocast("cpu", dtype=torch.bfloat16, enabled=options.dtype == "bf16")

    classes, parts = listed(options.folder, options.list)
    transform = {"train": augmentation(options), "val": fitting(options), "test": fitting(options)}
    sets = {part: Pictures(pairs, transform[part], 2 * options.size, not options.decode_each_epoch)
            for part, pairs in parts.items()}
    answer = {
        "network": "resnet18", "torch": torch.__version__, "torchvision": torchvision.__version__,
        "threads": torch.get_num_threads(),
        "classes": len(classes), "pictures": {part: len(pairs) for part, pairs in parts.items()},
        "options": {name: value for name, value in vars(options).items() if name not in ("folder", "list", "output")},
        "images_per_sec_bare": bare_rate(options, classes, autocast),
        "runs": [],
    }

    def run(rate, seed):
        answer["runs"].append(train(options, sets, classes, rate, seed, autocast))
        if options.output:
            options.output.write_text(json.dumps(answer, indent=2) + "\n")

    for rate in options.learning_rates:
        run(rate, options.seeds[0])
    best = max(answer["runs"], key=lambda record: record["validation_accuracy"])["learning_rate"]
    for seed in options.seeds[1:]:
        run(best, seed)
    chosen = [record for record in answer["runs"] if record["learning_rate"] == best]
    answer["learning_rate"] = best
    answer["test_accuracy"] = [record["test_accuracy"] for record in chosen]
    answer["mean_test_accuracy"] = statistics.mean(answer["test_accuracy"])
    answer["images_per_sec"] = statistics.median([record["images_per_sec"] or 0 for record in chosen])
    if options.output:
        options.output.write_text(json.dumps(answer, indent=2) + "\n")
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
