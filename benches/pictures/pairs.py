#!/usr/bin/env python3
"""Pictures a second of nin's loader next to torchvision's ImageFolder, in alternating pairs on one folder.

    cargo build --release -p nin-data --example picture_rate
    python benches/pictures/pairs.py FOLDER --python PYTHON-WITH-TORCHVISION --pairs 3 --output FILE.json

Both decode with two workers and bring pictures to 96x96 (shorter side, then the middle). The ratio is of medians.
"""
import argparse
import json
import pathlib
import statistics
import subprocess

HERE = pathlib.Path(__file__).parent


def run(command):
    """Returns the JSON object that a command prints last."""
    output = subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True).stdout
    return json.loads(output.strip().splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--program", default=HERE / "../../target/release/examples/picture_rate", type=pathlib.Path)
    parser.add_argument("--python", default="python3", help="a Python that has torchvision")
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--output", type=pathlib.Path)
    arguments = parser.parse_args()
    ours, theirs = [], []
    for _ in range(arguments.pairs):
        ours.append(run([arguments.program, arguments.folder, 96, 2]))
        theirs.append(run([arguments.python, HERE / "image_folder.py", arguments.folder]))
    rates = {
        "nin": [result["pictures_per_sec"] for result in ours],
        "nin_cached": [result["cached_pictures_per_sec"] for result in ours],
        "image_folder": [result["pictures_per_sec"] for result in theirs],
    }
    medians = {name: statistics.median(values) for name, values in rates.items()}
    report = {
        "pictures_per_sec": rates,
        "medians": medians,
        "ratio": medians["nin"] / medians["image_folder"],
        "ratio_cached": medians["nin_cached"] / medians["image_folder"],
        "open_secs": [result["open_secs"] for result in ours],
        "fill_cache_secs": [result["fill_cache_secs"] for result in ours],
    }
    text = json.dumps(report, indent=1)
    print(text)
    if arguments.output:
        arguments.output.write_text(text + "\n")


if __name__ == "__main__":
    main()
