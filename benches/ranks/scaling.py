#!/usr/bin/env python3
"""Images per second of the book's network at 224x224 by processes and threads, next to PyTorch's DistributedDataParallel,
in turns on one machine.

    python3 benches/ranks/scaling.py PROGRAM --python VENV/bin/python [--rounds 3] > results/DATE-MACHINE-scaling.json

PROGRAM is a release build with the feature `mpi`. The speed is that of the training steps, without loading; the batch of 32
images is the same for any number of processes. Needs Open MPI, and two idle cores.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

BATCH = 32
IMAGES = 640

# Processes and threads of each.
OURS = {"1 process, 1 thread": (1, 1), "1 process, 2 threads": (1, 2), "2 processes, 1 thread each": (2, 1)}

MPI = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "OMPI_MCA_btl_vader_single_copy_mechanism": "none"}


def ours(program, ranks, threads):
    with tempfile.TemporaryDirectory() as folder:
        run = pathlib.Path(folder) / "run"
        start = ["mpirun", "--bind-to", "core" if threads == 1 else "none", "-n", str(ranks)] if ranks > 1 else []
        command = [*start, program, "train", "--config", "d2l-fashion-mnist", "--dataset", "fashion-mnist-sample", "--backend",
                   "flex", "--threads", str(threads), "--epochs", "1", "--batch-size", str(BATCH), "--set", f"data.limit={IMAGES}",
                   "--set", "training.micro_batches=2", "--run", str(run), "--progress", "none", "--no-report"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env={**os.environ, **MPI})
        events = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        return next(event["images_per_sec"] for event in events if event["event"] == "epoch")


def peer(python, ranks, threads, layout):
    script = str(pathlib.Path(__file__).with_name("ddp.py"))
    start = [python, "-m", "torch.distributed.run", "--nproc-per-node", str(ranks)] if ranks > 1 else [python]
    command = [*start, script, "--threads", str(threads), "--batch", str(BATCH), *layout]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return json.loads(output.strip().splitlines()[-1])["images_per_sec"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--python", default="python3")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    program = str(pathlib.Path(arguments.program).resolve())
    found = {}
    for _ in range(arguments.rounds):
        for name, (ranks, threads) in OURS.items():
            found.setdefault(f"nin, {name}", []).append(ours(program, ranks, threads))
            print(name, found[f"nin, {name}"][-1], file=sys.stderr)
        for layout, flags in {"contiguous": [], "channels last": ["--channels-last"]}.items():
            for ranks, threads, name in [(1, 2, "1 process, 2 threads"), (2, 1, "2 processes, 1 thread each")]:
                key = f"PyTorch, {layout}, {name}"
                found.setdefault(key, []).append(peer(arguments.python, ranks, threads, flags))
                print(key, found[key][-1], file=sys.stderr)
    median = {name: statistics.median(rates) for name, rates in found.items()}
    two = median["nin, 2 processes, 1 thread each"]
    best = max(rate for name, rate in median.items() if name.startswith("PyTorch") and "2 processes" in name)
    print(json.dumps({
        "command": f"python3 benches/ranks/scaling.py PROGRAM --rounds {arguments.rounds}",
        "network": "d2l at 224x224, fp32, batches of 32", "images_per_sec": found, "median_images_per_sec": median,
        "ratios": {"2 processes to 1 process, 1 thread each": round(two / median["nin, 1 process, 1 thread"], 3),
                   "2 processes of 1 thread to 1 process of 2": round(two / median["nin, 1 process, 2 threads"], 3),
                   "2 processes to PyTorch's DistributedDataParallel at its best": round(two / best, 3)}}, indent=1))


if __name__ == "__main__":
    main()
