#!/usr/bin/env python3
"""Measures peak memory and speed of the book's recipe at batch 128 by the number of micro-batches, in turns.

    python3 benches/ranks/accumulation.py PROGRAM [--rounds 3] > results/DATE-MACHINE-accumulation.json

One epoch over 1,280 images and its evaluation. The peak is the largest resident set, program and libraries included; the
speed is that of the steps, without loading.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

PARTS = (1, 2, 4, 8)


def measure(program, parts, folder):
    run = pathlib.Path(folder) / f"run-{parts}"
    command = [program, "train", "--config", "d2l-fashion-mnist", "--dataset", "fashion-mnist-sample", "--backend", "flex",
               "--threads", "2", "--epochs", "1", "--set", "data.limit=1280", "--set", f"training.micro_batches={parts}",
               "--run", str(run), "--progress", "none", "--no-report"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=sys.stderr)
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        sys.exit(f"error: {command}")
    events = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    rate = next(event["images_per_sec"] for event in events if event["event"] == "epoch")
    return usage.ru_maxrss * 1024, rate


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    program = str(pathlib.Path(arguments.program).resolve())
    found = {parts: [] for parts in PARTS}
    for _ in range(arguments.rounds):
        for parts in PARTS:
            with tempfile.TemporaryDirectory() as folder:
                found[parts].append(measure(program, parts, folder))
    rows = [{"micro_batches": parts, "peak_memory_bytes": max(peak for peak, _ in measured),
             "images_per_sec": [round(rate, 2) for _, rate in measured],
             "median_images_per_sec": round(statistics.median(rate for _, rate in measured), 2)}
            for parts, measured in found.items()]
    print(json.dumps({"command": f"python3 benches/ranks/accumulation.py PROGRAM --rounds {arguments.rounds}",
                      "recipe": "d2l-fashion-mnist", "batch_size": 128, "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
