#!/usr/bin/env python3
"""Trains the book's network by PyTorch's DistributedDataParallel over gloo, and prints its images per second.

    torchrun --nproc-per-node 2 benches/ranks/ddp.py --threads 1 --batch 32     # of all processes together
    python3 benches/ranks/ddp.py --threads 2 --batch 32                         # one process

The better of the two memory formats is the caller's choice; PyTorch is given images that are already in memory.
"""
import argparse
import json
import os
import statistics
import time

import torch
import torch.distributed
from torch import nn
from torch.nn.parallel import DistributedDataParallel


def block(channels, widths, kernel, stride, padding):
    return [nn.Conv2d(channels, widths[0], kernel, stride, padding), nn.ReLU(), nn.Conv2d(widths[0], widths[1], 1), nn.ReLU(),
            nn.Conv2d(widths[1], widths[2], 1), nn.ReLU()]


def network():
    pool = lambda: nn.MaxPool2d(3, 2)
    return nn.Sequential(*block(1, [96] * 3, 11, 4, 0), pool(), *block(96, [256] * 3, 5, 1, 2), pool(),
                         *block(256, [384] * 3, 3, 1, 1), pool(), nn.Dropout(0.5), *block(384, [10] * 3, 3, 1, 1),
                         nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch", type=int, default=32, help="images of all processes together")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--secs", type=float, default=10)
    parser.add_argument("--channels-last", action="store_true")
    arguments = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(arguments.threads)
    ranks = int(os.environ.get("WORLD_SIZE", 1))
    layout = torch.channels_last if arguments.channels_last else torch.contiguous_format
    net = network().to(memory_format=layout)
    if ranks > 1:
        torch.distributed.init_process_group("gloo")
        net = DistributedDataParallel(net)
    share = arguments.batch // ranks
    images = torch.rand(share, 1, arguments.size, arguments.size).to(memory_format=layout)
    labels = torch.randint(0, 10, (share,))
    optimizer, loss = torch.optim.SGD(net.parameters(), lr=0.05), nn.CrossEntropyLoss()

    def step():
        optimizer.zero_grad()
        loss(net(images), labels).backward()
        optimizer.step()

    for _ in range(3):
        step()
    # The same number of steps on each rank: they wait for each other.
    begun = time.perf_counter()
    step()
    steps = torch.tensor(max(5, int(arguments.secs / (time.perf_counter() - begun))))
    if ranks > 1:
        torch.distributed.broadcast(steps, 0)
    rates = []
    for _ in range(int(steps)):
        begun = time.perf_counter()
        step()
        rates.append(arguments.batch / (time.perf_counter() - begun))
    if ranks == 1 or torch.distributed.get_rank() == 0:
        print(json.dumps({"torch": torch.__version__, "ranks": ranks, "threads": arguments.threads,
                          "images_per_sec": round(statistics.median(rates), 2)}))
    if ranks > 1:
        torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main()
