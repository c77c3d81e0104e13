#!/usr/bin/env python3
"""How many times as fast two threads train as one, and two processes of one thread each, in alternating measurements.

    cargo build --release -p nin-cli
    python3 benches/peers/threads.py target/release/nin-cli --output results/NEW.json

Each network of pairs.py trains by `bench` with one thread, with two, and in two processes at once, in turn, `--pairs` times, in new
processes each time. The number of steps fills `--secs` seconds with two threads. Two processes share nothing but the machine: where they
are less than twice as fast as one, the machine is what keeps them back.
"""
import argparse
import json
import pathlib
import platform
import statistics
import subprocess
import sys

from pairs import ROWS, printed


def words(args, config, threads, steps):
    return [args.program, "bench", "--config", config, "--batch-size", args.batch, "--backend", args.backend, "--threads", threads,
            "--steps", steps, "--format", "json", "--set", f"training.precision={args.dtype}"]


def rate(args, config, threads, steps):
    return json.loads(printed(words(args, config, threads, steps)))["train_images_per_sec"]


def rate_of_two(args, config, steps):
    """Returns the rates of two processes of one thread, added up. Linux keeps each on a core of its own."""
    command = [str(word) for word in words(args, config, 1, steps)]
    processes = [subprocess.Popen(["taskset", "-c", str(core), *command], stdout=subprocess.PIPE, text=True) for core in range(2)]
    texts = [process.communicate()[0] for process in processes]
    if any(process.returncode for process in processes):
        sys.exit("error: a process failed")
    return sum(json.loads(text)["train_images_per_sec"] for text in texts)


def spread(ratios):
    return {"median": round(statistics.median(ratios), 3), "least": round(min(ratios), 3), "most": round(max(ratios), 3)}


def row(args, name):
    config, _, _ = ROWS[name]
    steps = max(3, round(args.secs * rate(args, config, 2, 3) / args.batch))
    rounds = []
    for _ in range(args.pairs):
        one, two = (rate(args, config, threads, steps) for threads in (1, 2))
        rounds.append([round(it, 2) for it in (one, two, rate_of_two(args, config, steps))])
    return {"row": name, "batch": args.batch, "dtype": args.dtype, "backend": args.backend, "steps": steps,
            "images_per_sec": {"columns": ["one thread", "two threads", "two processes"], "rounds": rounds},
            "two_over_one": spread([two / one for one, two, _ in rounds]),
            "two_processes_over_one": spread([both / one for one, _, both in rounds])}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", help="nin-cli, a release build")
    parser.add_argument("--row", choices=ROWS, action="append", help="default: all")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--backend", choices=["flex", "ndarray"], default="flex")
    parser.add_argument("--dtype", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--secs", type=float, default=1)
    parser.add_argument("--output", help="a JSON file, to which rows are added")
    args = parser.parse_args()
    output = pathlib.Path(args.output) if args.output else None
    table = json.loads(output.read_text()) if output and output.exists() else {
        "program": printed([args.program, "--version"]).strip(), "machine": platform.machine(),
        "devices": json.loads(printed([args.program, "devices", "--format", "json"])), "rows": []}
    for name in args.row or ROWS:
        found = row(args, name)
        table["rows"] = [one for one in table["rows"] if (one["row"], one["dtype"]) != (name, args.dtype)] + [found]
        if output:
            output.write_text(json.dumps(table, indent=1) + "\n")
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
