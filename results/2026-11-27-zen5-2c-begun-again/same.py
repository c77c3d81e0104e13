#!/usr/bin/env python3
"""Whether trainings that were begun again have every figure of their records, to the last digit.

    python same.py RECORD/metrics.jsonl AGAIN/metrics.jsonl

Compares what the weights decide in each step and epoch that both have: losses, accuracies, rate, gradient norm. What a machine
decides (times, images a second) and what one of the two does not have is left out.
"""
import json
import sys

DECIDED = ("train_loss", "train_accuracy", "test_loss", "test_accuracy", "learning_rate", "gradient_norm")


def figures(path):
    """The figures of each event, by what it is of."""
    found = {}
    with open(path) as lines:
        for event in map(json.loads, lines):
            if event["event"] in ("step", "epoch"):
                of = (event["event"], event["epoch"], event.get("step"))
                found[of] = {name: event[name] for name in DECIDED if name in event}
    return found


def main():
    record, again = map(figures, sys.argv[1:])
    both = record.keys() & again.keys()
    differ = [
        (of, name, record[of][name], again[of][name])
        for of in sorted(both, key=str)
        for name in record[of].keys() & again[of].keys()
        if record[of][name] != again[of][name]
    ]
    for line in differ:
        print(*line)
    print(f"{len(both)} events of {len(record)} and {len(again)}: {len(differ)} figures differ")
    sys.exit(bool(differ) or not both)


if __name__ == "__main__":
    main()
