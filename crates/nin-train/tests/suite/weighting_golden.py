"""Writes weighting_golden.json, PyTorch's weighted cross-entropy.

    python crates/nin-train/tests/suite/weighting_golden.py

Needs torch 2. Targets are plain, smoothed, or mixed, which are class probabilities.
"""
import json
from pathlib import Path

import torch
from torch.nn.functional import cross_entropy, one_hot

WEIGHTS = {
    "uneven": [0.5, 2.0, 1.25],
    "with a zero": [1.0, 0.0, 3.0],
    "ones": [1.0, 1.0, 1.0],
}


def case(name, weights, labels, second=None, share=0.0, smoothing=0.0):
    generator = torch.Generator().manual_seed(len(name))
    logits = (torch.randn(len(labels), 3, generator=generator) * 2).requires_grad_()
    targets = torch.tensor(labels)
    if second is not None:
        ours, others = (one_hot(torch.tensor(part), 3).float() for part in (labels, second))
        targets = (1 - share) * ours + share * others
    loss = cross_entropy(
        logits, targets, weight=torch.tensor(weights), label_smoothing=smoothing
    )
    loss.backward()
    return {
        "name": name,
        "logits": logits.detach().flatten().tolist(),
        "labels": labels,
        "second": second,
        "share": share,
        "smoothing": smoothing,
        "weights": weights,
        "loss": loss.item(),
        "gradient": logits.grad.flatten().tolist(),
    }


def main():
    labels, second = [0, 1, 2, 2, 0], [1, 1, 0, 2, 2]
    cases = []
    for kind, weights in WEIGHTS.items():
        for smoothing in (0.0, 0.1):
            name = f"{kind}, smoothing {smoothing}"
            cases.append(case(name, weights, labels, smoothing=smoothing))
            cases.append(case(f"{name}, mixed", weights, labels, second, 0.3, smoothing))
    path = Path(__file__).with_suffix(".json")
    path.write_text(json.dumps(cases, indent=1) + "\n")


if __name__ == "__main__":
    main()
