#!/usr/bin/env python3
"""Whether a training that was begun again has every figure of its record, to the last digit.

    python3 same.py RECORD/metrics.jsonl AGAIN/metrics.jsonl

Compares what the weights decide in each logged step, epoch and alarm: losses, accuracies, rate,
gradient norm, silent classes. What a machine decides (times, images a second) is left out. Where
one has fewer epochs, or no alarms because it knew none, it says how many events both have.
"""
import argparse
import json
import sys

DECIDED = ("train_loss", "train_accuracy", "test_loss", "test_accuracy", "learning_rate", "loss", "gradient_norm", "classes")


def figures(path):
    """The figures of each event, by its kind, epoch, step and what an alarm is about."""
    found = {}
    with open(path) as lines:
        for event in map(json.loads, lines):
            if event["event"] in ("step", "epoch", "alarm"):
                key = (event["event"], event["epoch"], event.get("step"), event.get("alarm"), event.get("over"))
                found[key] = {name: event[name] for name in DECIDED if name in event}
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("record")
    parser.add_argument("again")
    arguments = parser.parse_args()
    record, again = figures(arguments.record), figures(arguments.again)
    both = record.keys() & again.keys()
    differ = [
        (key, name, record[key][name], again[key][name])
        for key in sorted(both, key=str)
        for name in record[key].keys() & again[key].keys()
        if record[key][name] != again[key][name]
    ]
    for line in differ:
        print(*line)
    print(f"{len(both)} events of {len(record)} and {len(again)}: {len(differ)} figures differ")
    sys.exit(bool(differ) or not both)


if __name__ == "__main__":
    main()
