#!/usr/bin/env python3
"""Peak memory of training steps next to PyTorch, each in a process of its own.

    cargo build --release -p nin-cli
    pip install torch numpy
    python benches/peers/memory.py target/release/nin-cli --row d2l-224 --output results/NEW.json

The peak is the largest resident set of the process (`ru_maxrss`), program, libraries and, for `torch.compile`, the compiler included;
the compiler's worker processes are not. nin runs `bench`, which measures inference and an epoch with its data loader as well. PyTorch runs
each variant of peer.py with plain SGD, which keeps no state, and nin the optimizer of its recipe.
"""
import argparse
import json
import os
import pathlib
import platform
import subprocess
import sys
import tempfile

from pairs import ROWS, architecture, printed
from peer import PYTORCH


def peak(process):
    """Waits for a process, and returns its largest resident set in bytes."""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(process.args)}: exit status {process.returncode}")
    return usage.ru_maxrss * 1024


def nin(args, config, backend, dtype):
    # A small data set: PyTorch has only the images of a batch.
    words = [args.program, "bench", "--config", config, "--batch-size", args.batch, "--backend", backend, "--threads", args.threads,
             "--steps", args.steps, "--set", f"training.precision={dtype}", "--set", "data.dataset=fashion-mnist-sample"]
    return peak(subprocess.Popen([str(word) for word in words], stdout=subprocess.DEVNULL))


def pytorch(args, network, shape, variant, dtype):
    words = [args.python, pathlib.Path(__file__).with_name("peer.py"), "--framework", "pytorch", "--phase", "training", "--network", network,
             "--shape", "x".join(map(str, shape)), "--threads", args.threads, "--dtype", dtype, "--variant", variant]
    # Without a request for rates it ends after the steps that warm up.
    return peak(subprocess.Popen([str(word) for word in words], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL))


def row(args, name, dtype, folder):
    config, input_shape, short = ROWS[name]
    run = folder / name
    network = folder / f"{name}.json"
    if not network.exists():
        printed([args.program, "train", "--config", config, *short, "--epochs", 1, "--batch-size", 8, "--run", run, "--no-report",
                 "--progress", "none", "--backend", args.backend[0]])
        network.write_text(json.dumps(architecture(run)))
    ours = {backend: nin(args, config, backend, dtype) for backend in args.backend}
    shape = [args.batch, *input_shape]
    theirs = {variant: pytorch(args, network, shape, variant, dtype) for variant in PYTORCH}
    least = min(theirs.values())
    ratios = {backend: round(bytes / least, 3) for backend, bytes in ours.items()}
    return {"row": name, "input": input_shape, "batch": args.batch, "dtype": dtype, "threads": args.threads, "nin_bytes": ours,
            "pytorch_bytes": theirs, "nin_over_least_of_pytorch": ratios}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", help="nin-cli, a release build")
    parser.add_argument("--row", choices=[name for name, (_, _, short) in ROWS.items() if short], action="append", help="default: d2l-224")
    parser.add_argument("--dtype", choices=["fp32", "bf16"], action="append", help="default: both")
    parser.add_argument("--backend", choices=["flex", "ndarray"], action="append", help="default: both")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=5, help="of nin; PyTorch takes three")
    parser.add_argument("--python", default=sys.executable, help="with PyTorch")
    parser.add_argument("--output", help="a JSON file")
    args = parser.parse_args()
    args.backend = args.backend or ["flex", "ndarray"]
    table = {"program": printed([args.program, "--version"]).strip(), "machine": platform.machine(),
             "pytorch": printed([args.python, "-c", "import torch; print(torch.__version__)"]).strip(),
             "devices": json.loads(printed([args.program, "devices", "--format", "json"])), "rows": []}
    with tempfile.TemporaryDirectory() as scratch:
        for name in args.row or ["d2l-224"]:
            for dtype in args.dtype or ["fp32", "bf16"]:
                found = row(args, name, dtype, pathlib.Path(scratch))
                table["rows"].append(found)
                if args.output:
                    pathlib.Path(args.output).write_text(json.dumps(table, indent=1) + "\n")
                print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
