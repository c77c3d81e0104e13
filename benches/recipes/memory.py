#!/usr/bin/env python3
"""Measures the peak memory of a training by each built-in recipe: one epoch over 1,280 images and its evaluation.

    python3 benches/recipes/memory.py target/release/nin-cli > results/DATE-MACHINE-memory.jsonl

Prints one JSON object per recipe. The peak is the largest resident set, program and libraries included. With all of
Fashion-MNIST, 70,000 images of 784 bytes, it is at most 0.06 GB higher.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import tomllib

RECIPES = pathlib.Path(__file__).parents[2] / "crates/nin-train/configs"
# Not measured: `paper-cifar10` and `paper-cifar10-augmented` without their data set, and `pictures`, which depends on the pictures
# (results/2026-11-29-zen5-2c-pictures).
LEFT_OUT = {"paper-cifar10", "paper-cifar10-augmented", "pictures"}


def measure(program, recipe, folder):
    """Trains in a folder, and returns the peak resident set in bytes and the seconds."""
    command = [program, "train", "--config", recipe, "--backend", "flex", "--threads", "2", "--epochs", "1",
               "--set", "data.limit=1280", "--run", recipe, "--progress", "none", "--no-report"]
    if recipe == "paper-mnist":
        command += ["--dataset", "fashion-mnist"]
    begun = time.time()
    process = subprocess.Popen(command, cwd=folder, stdout=sys.stderr)
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        sys.exit(f"error: {recipe} failed")
    return usage.ru_maxrss * 1024, round(time.time() - begun, 1)


def main():
    program = str(pathlib.Path(sys.argv[1]).resolve())
    with tempfile.TemporaryDirectory() as folder:
        for path in sorted(RECIPES.glob("*.toml")):
            if path.stem in LEFT_OUT:
                continue
            peak, seconds = measure(program, path.stem, folder)
            resolved = tomllib.loads((pathlib.Path(folder) / path.stem / "recipe.toml").read_text())
            print(json.dumps({
                "recipe": path.stem, "input_size": resolved["data"]["input_size"],
                "batch_size": resolved["training"]["batch_size"], "peak_memory_bytes": peak, "seconds": seconds,
            }), flush=True)


if __name__ == "__main__":
    main()
