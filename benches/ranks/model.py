#!/usr/bin/env python3
"""Computes how long the ranks of a training exchange per step, by the network between them, and which part of a step is
left for computing. Measures nothing.

    python3 benches/ranks/model.py --images-per-sec FP32 BF16 [--images 16] [--parameters 1992166] [--latency-ms 0.1]

--images-per-sec is what one rank trains by itself, in batches of --images (`nin-cli bench`).

A step has three collectives (status, answers, gradients). Each takes two messages per level of the tree, one after the
other, and there are log2 K levels. A rank sends 2 (K - 1) / K times its gradients, 4 bytes a parameter in fp32 and in
bf16, and receives as much at the same time. Answers are a few kilobytes and not counted. Nothing is exchanged while the
rank computes.
"""
import argparse
import math

RANKS = (2, 4, 8, 16, 64, 256, 1024)
GIGABITS = (1, 10, 100)


def exchange_ms(ranks, parameters, gigabits, latency_ms):
    levels = math.log2(ranks)
    sent = 2 * (ranks - 1) / ranks * 4 * parameters
    return 6 * levels * latency_ms + sent * 8 / (gigabits * 1e9) * 1e3


def table(title, cell):
    """Prints a table: a row for each number of ranks, a column for each network."""
    columns = " | ".join(f"{gigabits} Gbit/s" for gigabits in GIGABITS)
    print(f"\n{title}\n\n| ranks | {columns} |\n|{' --- |' * (1 + len(GIGABITS))}")
    for ranks in RANKS:
        print(f"| {ranks} | " + " | ".join(cell(ranks, gigabits) for gigabits in GIGABITS) + " |")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--parameters", type=int, default=1_992_166)
    parser.add_argument("--latency-ms", type=float, default=0.1)
    parser.add_argument("--images", type=int, default=16)
    parser.add_argument("--images-per-sec", type=float, nargs=2, required=True, metavar=("FP32", "BF16"))
    arguments = parser.parse_args()

    def exchange(ranks, gigabits):
        return exchange_ms(ranks, arguments.parameters, gigabits, arguments.latency_ms)

    def computing(ranks, gigabits):
        computed = [1e3 * arguments.images / rate for rate in arguments.images_per_sec]
        return " / ".join(f"{time / (time + exchange(ranks, gigabits)):.2f}" for time in computed)

    def least(ranks, gigabits):
        per_ms = [rate / 1e3 for rate in arguments.images_per_sec]
        return " / ".join(f"{math.ceil(exchange(ranks, gigabits) * images)}" for images in per_ms)

    table("Exchange per step", lambda ranks, gigabits: f"{exchange(ranks, gigabits):.0f} ms")
    table(f"Part of a step that computes, {arguments.images} images per rank, fp32 / bf16", computing)
    table("Images per rank below which a step exchanges longer than it computes, fp32 / bf16", least)


if __name__ == "__main__":
    main()
