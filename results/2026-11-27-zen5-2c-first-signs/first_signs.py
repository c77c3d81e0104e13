#!/usr/bin/env python3
"""What the last layer of the book's network gives before its ReLU, before the first step.

    for seed in $(seq 1 15); do
      nin-cli train --config d2l-fashion-mnist-96 --backend flex --data /usr/share/datasets/fashion-mnist --seed $seed \\
        --set training.epochs=1 --set data.limit=128 --set optimizer.learning_rate=1e-30 --run initial/$seed
    done
    pip install torch==2.15.0 numpy pillow==11.3.0 safetensors
    python first_signs.py --data /usr/share/datasets/fashion-mnist --runs initial > first_signs.json

One step at a rate of 1e-30 leaves the initial weights as they are. 256 training images at 96x96, in PyTorch. `silent_at_step_20`
are the classes that the sentinel named in the recorded runs of the same seeds at step 20, the first at which it can.
"""
import argparse
import json
import pathlib
import sys

import torch
from safetensors.torch import load_file
from torch import nn

RESULTS = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(RESULTS / "2026-11-27-zen5-2c-last-relu"))
from last_relu import idx, network, resized  # noqa: E402
CLASSES = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"]


def before_the_last_relu(weights):
    """The network up to its last ReLU and the mean over the map behind it, with these weights."""
    net = network(last_relu=False).eval()
    convolutions = [layer for layer in net if isinstance(layer, nn.Conv2d)]
    names = [f"blocks.{block}.{layer}" for block in range(4) for layer in ("convolution", "cccp1", "cccp2")]
    for layer, name in zip(convolutions, names, strict=True):
        layer.load_state_dict({key: weights[f"{name}.{key}"] for key in ("weight", "bias")})
    return net


def silent_at_first(seed):
    """The classes that the sentinel named at step 20 of the recorded run of this seed."""
    for folder in ("2026-11-27-xeon-amx-2c-d2l-fashion-mnist-96-seeds", "2026-11-27-zen5-2c-d2l-fashion-mnist-96-seeds",
                   "2026-11-27-zen5-2c-d2l-fashion-mnist-96-starts"):
        record = RESULTS / folder / f"seed{seed}" / "metrics.jsonl"
        if record.exists():
            for event in map(json.loads, record.read_text().splitlines()):
                if event["event"] == "alarm" and (event["epoch"], event["step"]) == (1, 20):
                    return event["classes"]
            return []
    raise FileNotFoundError(f"no record of seed {seed}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--runs", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    batch = resized(idx(arguments.data / "train-images-idx3-ubyte.gz")[:256])
    rows = []
    for folder in sorted(arguments.runs.iterdir(), key=lambda folder: int(folder.name)):
        seed = int(folder.name)
        weights = load_file(folder / "checkpoints/latest/model.safetensors")
        bias = weights["blocks.3.cccp2.bias"]
        with torch.no_grad():
            value = before_the_last_relu(weights)(batch)
        closed = [CLASSES[at] for at in range(10) if value[:, at].max() <= 0]
        rows.append({
            "seed": seed,
            "bias": [round(one, 4) for one in bias.tolist()],
            "mean_over_images": [round(one, 4) for one in value.mean(0).tolist()],
            "deviation_over_images": [round(one, 6) for one in value.std(0).tolist()],
            "negative_bias": [CLASSES[at] for at in range(10) if bias[at] < 0],
            "closed_for_all": closed,
            "silent_at_step_20": silent_at_first(seed),
        })
    print(json.dumps({"torch": torch.__version__, "images": len(batch), "runs": rows}, indent=1))


if __name__ == "__main__":
    main()
