#!/usr/bin/env python3
"""Computes how long the ranks of a training exchange per step, by the network between them. Measures nothing.

    python3 benches/ranks/model.py [--parameters 1992166] [--latency-ms 0.1]

A step has three collectives (status, answers, gradients). Each takes two messages per level of the tree, one after the
other, and there are log2 K levels. A rank sends 2 (K - 1) / K times its gradients, 4 bytes a parameter in fp32 and in
bf16, and receives as much at the same time. Answers are a few kilobytes and not counted.
"""
import argparse
import math


def exchange_ms(ranks, parameters, gigabits, latency_ms):
    levels = math.log2(ranks)
    sent = 2 * (ranks - 1) / ranks * 4 * parameters
    return 6 * levels * latency_ms + sent * 8 / (gigabits * 1e9) * 1e3


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--parameters", type=int, default=1_992_166)
    parser.add_argument("--latency-ms", type=float, default=0.1)
    arguments = parser.parse_args()
    print("| ranks | 1 Gbit/s | 10 Gbit/s | 100 Gbit/s |\n| --- | --- | --- | --- |")
    for ranks in (2, 4, 8, 16, 64, 256, 1024):
        times = [exchange_ms(ranks, arguments.parameters, gigabits, arguments.latency_ms) for gigabits in (1, 10, 100)]
        print(f"| {ranks} | " + " | ".join(f"{time:.0f} ms" for time in times) + " |")


if __name__ == "__main__":
    main()
