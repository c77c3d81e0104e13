#!/usr/bin/env python3
"""A Network in Network in PyTorch: the peer of `nin-cli bench --compare pytorch`, on the CPU unless told otherwise.

Prints one JSON object with the median images per second of a training step (forward, backward, SGD
update) and of inference, and the process's peak memory, for one layout and precision.

    pip install torch                # the PyPI wheel runs on the CPU as it is
    python pytorch_nin.py --batch 32 --steps 5 --layout channels_last --dtype fp32

`--network` takes an architecture as `nin-cli` writes it into its recipes: JSON with `input_channels`,
`classes` and `blocks`. Without it the network is the book's. `bf16` is autocast. On a GPU (`--device cuda`)
cuDNN's convolutions round their operands to TF32, which is PyTorch's default, unless `--no-tf32` forbids it.
"""
import argparse
import json
import resource
import statistics
import time

import torch
from torch import nn

BOOK = {
    "input_channels": 1,
    "classes": 10,
    "blocks": [
        {"widths": [96] * 3, "kernel": 11, "stride": 4, "padding": 0, "pool": {"kernel": 3, "stride": 2}},
        {"widths": [256] * 3, "kernel": 5, "stride": 1, "padding": 2, "pool": {"kernel": 3, "stride": 2}},
        {"widths": [384] * 3, "kernel": 3, "stride": 1, "padding": 1, "pool": {"kernel": 3, "stride": 2},
         "dropout": 0.5},
        {"widths": [10] * 3, "kernel": 3, "stride": 1, "padding": 1},
    ],
}


def network(architecture):
    """The layers as an nn.Sequential."""
    layers, inputs = [], architecture["input_channels"]
    for block in architecture["blocks"]:
        first, second, third = (
            architecture["classes"] if width == "classes" else width for width in block["widths"])
        layers += [
            nn.Conv2d(inputs, first, block["kernel"], block.get("stride", 1),
                      block.get("padding", 0)), nn.ReLU(),
            nn.Conv2d(first, second, 1), nn.ReLU(),
            nn.Conv2d(second, third, 1), nn.ReLU()]
        inputs = third
        if pool := block.get("pool"):
            layers.append(nn.MaxPool2d(
                pool["kernel"], pool["stride"], pool.get("padding", 0), ceil_mode=pool.get("ceil_mode", False)))
        if block.get("dropout"):
            layers.append(nn.Dropout(block["dropout"]))
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten()), inputs


def median_rate(step, batch, steps, finish):
    """Images per second, after one step to warm up; `finish` waits for what a step has begun."""
    step()
    rates = []
    for _ in range(steps):
        finish()
        start = time.perf_counter()
        step()
        finish()
        rates.append(batch / (time.perf_counter() - start))
    return statistics.median(rates)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", type=json.loads, default=BOOK)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--layout", choices=["nchw", "channels_last"], default="channels_last")
    parser.add_argument("--dtype", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--no-tf32", action="store_true")
    args = parser.parse_args()

    torch.manual_seed(0)
    torch.set_num_threads(args.threads)
    torch.backends.cudnn.allow_tf32 = not args.no_tf32
    (net, classes), loss = network(args.network), nn.CrossEntropyLoss()
    images = torch.rand(args.batch, args.network["input_channels"], args.size, args.size)
    labels = torch.randint(0, classes, (args.batch,))
    net, images, labels = net.to(args.device), images.to(args.device), labels.to(args.device)
    if args.layout == "channels_last":
        net = net.to(memory_format=torch.channels_last)
        images = images.to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05)

    def autocast():
        return torch.autocast(args.device, dtype=torch.bfloat16, enabled=args.dtype == "bf16")

    def train_step():
        optimizer.zero_grad()
        with autocast():
            value = loss(net(images).float(), labels)
        value.backward()
        optimizer.step()

    def infer_step():
        with torch.no_grad(), autocast():
            net(images)

    finish = torch.cuda.synchronize if args.device == "cuda" else lambda: None
    net.train()
    train = median_rate(train_step, args.batch, args.steps, finish)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    net.eval()
    infer = median_rate(infer_step, args.batch, args.steps, finish)
    print(json.dumps({
        "peer": f"pytorch {torch.__version__}", "layout": args.layout, "dtype": args.dtype,
        "device": torch.cuda.get_device_name() if args.device == "cuda" else "cpu",
        "threads": args.threads, "batch": args.batch,
        "train_images_per_sec": round(train, 2), "infer_images_per_sec": round(infer, 2),
        "peak_memory_bytes": memory}))


if __name__ == "__main__":
    main()
