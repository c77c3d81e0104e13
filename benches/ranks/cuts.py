#!/usr/bin/env python3
"""Cuts trainings on several processes at random, resumes them with another number, and compares the weights.

    python3 benches/ranks/cuts.py PROGRAM [--cuts 20] [--seed 1] > results/DATE-MACHINE-rank-cuts.json

PROGRAM is a nin-cli built with the feature `mpi`. A cut terminates mpirun, kills mpirun, or kills one rank. Each
training is cut until it finishes; its weights, optimizer state and figures must be those of a training on one process.
"""
import argparse
import hashlib
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time

FLAGS = ["train", "--config", "quickstart", "--epochs", "40", "--batch-size", "48", "--backend", "flex",
         "--set", "data.limit=480", "--set", "training.micro_batches=8", "--set", "training.ema_decay=0.9",
         "--set", "checkpoint.every_steps=3", "--progress", "json", "--no-report"]
OPEN_MPI = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
            "OMPI_MCA_rmaps_base_oversubscribe": "1", "OMPI_MCA_odls_base_sigkill_timeout": "3",
            "OMPI_MCA_btl_vader_single_copy_mechanism": "none", "OMPI_MCA_mpi_yield_when_idle": "1"}
CLOCK = {"images_per_sec", "epoch_images_per_sec", "secs_left", "train_secs", "bookkeeping_secs", "test_secs"}


def command(program, ranks, run):
    resume = ["--resume"] if (run / "recipe.toml").exists() else []
    prefix = ["mpirun", "-n", str(ranks)] if ranks > 1 else []
    return prefix + [program, *FLAGS, "--run", str(run), *resume]


def outcome(run):
    """Returns what must not depend on cuts: checksums of the last checkpoint and the figures of steps and epochs."""
    latest = run / "checkpoints/latest"
    sums = [hashlib.sha256((latest / name).read_bytes()).hexdigest()
            for name in ("model.safetensors", "optimizer.safetensors")]
    events = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    figures = [{key: value for key, value in event.items() if key not in CLOCK}
               for event in events if event["event"] in ("step", "epoch")]
    return sums, figures


def ranks_of(parent):
    """Returns the processes of the program that mpirun started."""
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(parent)], capture_output=True, text=True).stdout
    return [int(pid) for pid in listed.split()]


def cut(program, ranks, run, way, after):
    """Starts or resumes a training, and cuts it a while after its first step. Returns whether it was cut, and how it ended."""
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command(program, ranks, run), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                   env={**os.environ, **OPEN_MPI})
        for line in process.stderr:
            output.write(line)
            if b'"event":"step"' in line:
                break
        time.sleep(after)
        begun = time.monotonic()
        is_cut = process.poll() is None
        if is_cut:
            if way == "terminate":
                process.send_signal(signal.SIGTERM)
            elif way == "kill a rank" and (found := ranks_of(process.pid)):
                os.kill(random.choice(found), signal.SIGKILL)
            else:
                found = ranks_of(process.pid)
                process.kill()
                # Without mpirun, its ranks may live on for a moment.
                deadline = time.monotonic() + 30
                while any(pathlib.Path(f"/proc/{pid}").exists() for pid in found) and time.monotonic() < deadline:
                    time.sleep(0.1)
        process.stderr.read()
        code = process.wait()
        return is_cut, {"ranks": ranks, "way": way, "code": code, "seconds_to_end": round(time.monotonic() - begun, 1)}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--cuts", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    program = str(pathlib.Path(arguments.program).resolve())
    random.seed(arguments.seed)
    cuts, runs = [], []
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        whole = folder / "whole"
        subprocess.run(command(program, 1, whole), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        expected = outcome(whole)
        while len(cuts) < arguments.cuts:
            run = folder / f"run-{len(runs)}"
            for _ in range(3):
                way = random.choice(["terminate", "kill a rank", "kill mpirun"])
                is_cut, ended = cut(program, random.choice([2, 4]), run, way, random.uniform(0.0, 1.5))
                if not is_cut:
                    break
                cuts.append(ended)
                print(ended, file=sys.stderr, flush=True)
            last = random.choice([1, 2, 4])
            finished = subprocess.run(command(program, last, run), stdout=subprocess.DEVNULL,
                                      stderr=subprocess.PIPE, env={**os.environ, **OPEN_MPI})
            equal = finished.returncode == 0 and outcome(run) == expected
            runs.append({"finished_on": last, "equal": equal})
            if not equal:
                sys.exit(f"error: {run} differs after {cuts[-3:]}: {finished.stderr.decode()[-500:]}")
    print(json.dumps({"command": f"python3 benches/ranks/cuts.py --cuts {arguments.cuts} --seed {arguments.seed}",
                      "model_sha256": expected[0][0], "cuts": cuts, "runs": runs}, indent=1))


if __name__ == "__main__":
    main()
