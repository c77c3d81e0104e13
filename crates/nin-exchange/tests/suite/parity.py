"""Compares exported networks with PyTorch and onnxruntime over a whole test set.

    parity.py CHECKPOINT [--nin PATH] [--data FOLDER] [--limit N] [--json FILE]

Needs torch, onnx, onnxruntime, safetensors, numpy and pillow. Exports CHECKPOINT to both formats, checks
the ONNX file with onnx.checker, runs it in onnxruntime and the generated model.py in PyTorch. For every
test image, the class must be equal and the logits within TOLERANCE of those that nin-cli predict prints
for the same image as a PNG file. Then imports a state dict from PyTorch and checks that eval counts as
many correct answers as PyTorch. Exits with 1 on the first difference.
"""
import argparse
import gzip
import importlib.util
import json
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np
import onnx
import onnxruntime
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

TOLERANCE = 1e-4  # logits are sums of a few thousand products in 32-bit floats, in another order
BATCH = 100


def read_idx(folder, name, offset):
    path = folder / name
    data = path.read_bytes() if path.exists() else gzip.open(f"{path}.gz").read()
    return np.frombuffer(data, np.uint8, offset=offset)


def run(*command):
    return subprocess.run([str(part) for part in command], check=True, stdout=subprocess.PIPE).stdout


def own_logits(nin, checkpoint, images, folder, classes):
    """Returns nin-cli's logits, [images, classes], for PNG files of the images."""
    folder.mkdir()
    for at, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{at:05}.png")
    answers = json.loads(run(nin, "predict", "--checkpoint", checkpoint, folder, "--format", "json",
                             "--top", len(classes)))["images"]
    place = {name: at for at, name in enumerate(classes)}
    logits = np.zeros((len(images), len(classes)), np.float32)
    for at, answer in enumerate(answers):
        for entry in answer["top"]:
            logits[at, place[entry["class"]]] = entry["logit"]
    return logits


def compare(name, logits, own, labels, seconds):
    difference = float(np.abs(logits - own).max())
    unequal = int((logits.argmax(1) != own.argmax(1)).sum())
    result = {
        "against": name,
        "images": len(own),
        "unequal_classes": unequal,
        "largest_logit_difference": difference,
        "accuracy": float((logits.argmax(1) == labels).mean()),
        "images_per_sec": len(own) / seconds,
    }
    print(json.dumps(result))
    if unequal or not difference <= TOLERANCE:
        sys.exit(f"{name}: {unequal} classes differ, logits by up to {difference}")
    return result


def in_batches(inputs, answer):
    begun = time.perf_counter()
    logits = np.concatenate([answer(inputs[at:at + BATCH]) for at in range(0, len(inputs), BATCH)])
    return logits, time.perf_counter() - begun


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("checkpoint")
    parser.add_argument("--nin", default="nin-cli")
    parser.add_argument("--data", default="/usr/share/datasets/fashion-mnist", type=pathlib.Path)
    parser.add_argument("--dataset", default="fashion-mnist")
    parser.add_argument("--config", help="recipe or architecture for the import")
    parser.add_argument("--set", action="append", default=[], help="passed on to import")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--json", type=pathlib.Path)
    arguments = parser.parse_args()
    torch.set_num_threads(2)

    labels = read_idx(arguments.data, "t10k-labels-idx1-ubyte", 8)[:arguments.limit]
    header = np.frombuffer(read_idx(arguments.data, "t10k-images-idx3-ubyte", 0)[:16].tobytes(), ">i4")
    images = read_idx(arguments.data, "t10k-images-idx3-ubyte", 16)
    images = images.reshape(-1, header[2], header[3])[:len(labels)]

    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        nin, checkpoint = arguments.nin, arguments.checkpoint
        run(nin, "export", "--checkpoint", checkpoint, "--to", "onnx", "--output", folder / "net.onnx")
        run(nin, "export", "--checkpoint", checkpoint, "--to", "safetensors",
            "--output", folder / "net.safetensors")
        specification = importlib.util.spec_from_file_location("model", folder / "model.py")
        module = importlib.util.module_from_spec(specification)
        specification.loader.exec_module(module)

        model = onnx.load(folder / "net.onnx")
        onnx.checker.check_model(model, full_check=True)
        properties = {entry.key: entry.value for entry in model.metadata_props}
        assert json.loads(properties["classes"]) == module.CLASSES
        dimensions = [d.dim_param or d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim]
        assert dimensions == ["batch", module.CHANNELS, "height", "width"], dimensions

        own = own_logits(nin, checkpoint, images, folder / "images", module.CLASSES)
        inputs = np.concatenate([module.inputs(Image.fromarray(image)).numpy() for image in images])

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 2
        session = onnxruntime.InferenceSession(folder / "net.onnx", options,
                                               providers=["CPUExecutionProvider"])
        results = []
        logits, seconds = in_batches(
            inputs, lambda batch: session.run(["logits"], {"images": batch})[0])
        results.append(compare("onnxruntime", logits, own, labels, seconds))

        net = module.load()
        with torch.inference_mode():
            logits, seconds = in_batches(
                inputs, lambda batch: net(torch.from_numpy(batch)).numpy())
            results.append(compare("PyTorch, model.py", logits, own, labels, seconds))

            # The graph is fully convolutional, so it accepts sizes other than the training size.
            height, width = module.INPUT_SIZE
            odd = torch.rand(3, module.CHANNELS, height + 37, width + 21)
            found = session.run(["logits"], {"images": odd.numpy()})[0]
            assert np.abs(found - net(odd).numpy()).max() <= TOLERANCE

        if arguments.config:
            # Imports a network that PyTorch trained for a few more steps, named as in later editions of the book.
            torch.manual_seed(7)
            fresh = module.load().train()
            optimizer = torch.optim.SGD(fresh.parameters(), lr=0.01)
            for _ in range(10):
                chosen = torch.randint(len(inputs), (64,))
                targets = torch.from_numpy(labels.astype(np.int64))[chosen]
                loss = torch.nn.functional.cross_entropy(fresh(torch.from_numpy(inputs)[chosen]), targets)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            fresh.eval()
            save_file({f"net.{k}": v for k, v in fresh.state_dict().items()}, folder / "fresh.safetensors")
            run(nin, "import", "--from", folder / "fresh.safetensors", "--config", arguments.config,
                *[part for value in arguments.set for part in ("--set", value)],
                "--output", folder / "imported.safetensors")
            own = own_logits(nin, folder / "imported.safetensors", images, folder / "again", module.CLASSES)
            with torch.inference_mode():
                logits, seconds = in_batches(
                    inputs, lambda batch: fresh(torch.from_numpy(batch)).numpy())
            results.append(compare("PyTorch, imported", logits, own, labels, seconds))
            evaluation = json.loads(run(nin, "eval", "--checkpoint", folder / "imported.safetensors",
                                        "--data", arguments.data, "--dataset", arguments.dataset,
                                        "--format", "json"))
            if arguments.limit is None:
                counted = int((logits.argmax(1) == labels).sum())
                assert round(evaluation["accuracy"] * evaluation["images"]) == counted, counted
            state = load_file(folder / "imported.safetensors")
            assert torch.equal(state["blocks.0.convolution.weight"], fresh.state_dict()["0.0.weight"])
        if arguments.json:
            arguments.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
