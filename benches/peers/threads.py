#!/usr/bin/env python3
"""How many times as fast two threads train as one, in alternating measurements.

    cargo build --release -p nin-cli
    python3 benches/peers/threads.py target/release/nin-cli --output results/NEW.json

Each network of pairs.py trains by `bench` with one thread and with two, in turn, `--pairs` times, in a new process each time. The number
of steps fills `--secs` seconds with two threads.
"""
import argparse
import json
import pathlib
import platform
import statistics

from pairs import ROWS, printed


def rate(args, config, threads, steps):
    words = [args.program, "bench", "--config", config, "--batch-size", args.batch, "--backend", args.backend, "--threads", threads,
             "--steps", steps, "--format", "json", "--set", f"training.precision={args.dtype}"]
    return json.loads(printed(words))["train_images_per_sec"]


def row(args, name):
    config, _, _ = ROWS[name]
    steps = max(3, round(args.secs * rate(args, config, 2, 3) / args.batch))
    pairs = [[round(rate(args, config, threads, steps), 2) for threads in (1, 2)] for _ in range(args.pairs)]
    ratios = sorted(two / one for one, two in pairs)
    return {"row": name, "batch": args.batch, "dtype": args.dtype, "backend": args.backend, "steps": steps, "images_per_sec": pairs,
            "two_over_one": {"median": round(statistics.median(ratios), 3), "least": round(ratios[0], 3), "most": round(ratios[-1], 3)}}


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
