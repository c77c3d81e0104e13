#!/usr/bin/env python3
"""Inference next to onnxruntime, OpenVINO and PyTorch, or training next to PyTorch, each at its best, in alternating measurements of
one run.

    cargo build --release -p nin-cli
    pip install torch numpy onnx onnxruntime openvino
    python benches/peers/pairs.py target/release/nin-cli --row d2l-96 --batch 1 --output results/NEW.json
    python benches/peers/pairs.py target/release/nin-cli --phase training --batch 32 --output results/NEW.json

Each row trains its recipe for one small epoch, exports it with `nin-cli export --to onnx`, and starts one process per framework
(peer.py), which builds and warms up its variants. Then nin (`bench --inference` or `bench`, in a new process each time) and the
frameworks take turns, `--pairs` times, `--secs` seconds each. A framework counts with its fastest variant. Rows are added to `--output`.
"""
import argparse
import json
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile

# Recipe, and what makes its training short and independent of other data.
SAMPLE = ["--dataset", "fashion-mnist-sample", "--set", "data.limit=16", "--set", "data.held_out=8"]
ROWS = {
    "d2l-224": ("d2l-fashion-mnist", [1, 224, 224], SAMPLE),
    "d2l-96": ("d2l-fashion-mnist-96", [1, 96, 96], SAMPLE),
    "quickstart": ("quickstart", [1, 28, 28], SAMPLE),
    "paper-cifar10": ("paper-cifar10", [3, 32, 32], None),
}


def printed(command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(str(word) for word in command)}: {done.stderr.strip()}")
    return done.stdout


class Peer:
    """A framework in a process of its own."""

    def __init__(self, args, framework, files, shape):
        words = ["--framework", framework, "--shape", "x".join(map(str, shape)), "--dtype", args.dtype,
                 "--phase", args.phase]
        words += ["--threads", str(args.threads)] + files
        script = pathlib.Path(__file__).with_name("peer.py")
        self.process = subprocess.Popen(
            [args.python, str(script), *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.name = self.read()["peer"]
        self.rates = []

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            sys.exit("a framework ended before it answered")
        return json.loads(line)

    def measure(self, secs):
        self.process.stdin.write(f"{secs}\n")
        self.process.stdin.flush()
        self.rates.append(self.read())

    def close(self):
        self.process.stdin.close()
        self.process.wait()

    def best(self):
        """The fastest variant, and its images per second in each pair."""
        variants = {name: [rates[name] for rates in self.rates] for name in self.rates[0]}
        name = max(variants, key=lambda variant: statistics.median(variants[variant]))
        return name, variants[name]


def nin_rate(args, config, shape, backend, steps):
    words = ["bench", *(["--inference"] if args.phase == "inference" else []), "--config", config, "--batch-size", shape[0], "--backend", backend]
    words += ["--threads", args.threads, "--steps", steps, "--format", "json", "--set", f"training.precision={args.dtype}"]
    figures = json.loads(printed([args.program, *words]))
    return figures["infer_images_per_sec" if args.phase == "inference" else "train_images_per_sec"]


def row(args, name, batch, folder):
    config, input_shape, short = ROWS[name]
    shape = [batch, *input_shape]
    model = folder / f"{name}.onnx"
    network = folder / f"{name}.json"
    if not model.exists():
        run = folder / name
        if short is None:
            short = colours(folder)
        printed([args.program, "train", "--config", config, *short, "--epochs", 1, "--batch-size", 8, "--run", run,
                 "--no-report", "--progress", "none", "--backend", args.backend[0]])
        printed([args.program, "export", "--checkpoint", run, "--to", "onnx", "--output", model])
        network.write_text(json.dumps(architecture(run)))
    frameworks = args.framework if args.dtype == "fp32" else [one for one in args.framework if one != "onnxruntime"]
    if args.phase == "training":
        frameworks = ["pytorch"]
    files = {"pytorch": ["--network", str(network)]}
    peers = [Peer(args, one, files.get(one, ["--model", str(model)]), shape) for one in frameworks]
    # As many steps as fill the seconds.
    steps = max(3, round(args.secs * nin_rate(args, config, shape, args.backend[0], 5) / batch))
    ours = {backend: [] for backend in args.backend}
    for _ in range(args.pairs):
        for backend in args.backend:
            ours[backend].append(round(nin_rate(args, config, shape, backend, steps), 2))
        for peer in peers:
            peer.measure(args.secs)
    for peer in peers:
        peer.close()
    found = {"row": name, "phase": args.phase, "input": input_shape, "batch": batch, "dtype": args.dtype, "threads": args.threads,
             "pairs": args.pairs, "secs": args.secs, "nin": {}, "peers": {}}
    for backend, rates in ours.items():
        found["nin"][backend] = {"images_per_sec": rates, "median": statistics.median(rates)}
    for peer in peers:
        variant, rates = peer.best()
        found["peers"][peer.name] = {"best": variant, "images_per_sec": rates, "median": statistics.median(rates),
                                     "variants": peer.rates}
    best = max(found["peers"].values(), key=lambda peer: peer["median"])["images_per_sec"]
    for backend, rates in ours.items():
        ratios = sorted(our / their for our, their in zip(rates, best))
        found["nin"][backend]["over_best_peer"] = {
            "median": round(statistics.median(ratios), 3), "least": round(ratios[0], 3), "most": round(ratios[-1], 3)}
    return found


def architecture(run):
    """The architecture of a run, from the metadata of its weights."""
    weights = next(run.glob("checkpoints/epoch-*/model.safetensors"))
    with weights.open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    return json.loads(header["__metadata__"]["nin"])["architecture"]


def colours(folder):
    """Writes four small pictures of noise for each of ten classes, and returns the arguments to train on them."""
    import numpy
    pictures, random = folder / "pictures", numpy.random.default_rng(0)
    for label in range(10):
        (pictures / f"class-{label}").mkdir(parents=True, exist_ok=True)
        for index in range(4):
            pixels = random.integers(0, 256, (32, 32, 3), dtype=numpy.uint8)
            (pictures / f"class-{label}" / f"{index}.bmp").write_bytes(bitmap(pixels))
    # Without the preprocessing of the recipe, which would be in the exported file and is no part of the network.
    return ["--data", pictures, "--set", "preprocessing.whitening=false", "--set", "preprocessing.normalization=none"]


def bitmap(pixels):
    """A BMP file of 24-bit colours."""
    height, width, _ = pixels.shape
    size = (54 + pixels.size).to_bytes(4, "little")
    header = b"BM" + size + bytes(4) + (54).to_bytes(4, "little") + (40).to_bytes(4, "little")
    header += width.to_bytes(4, "little") + height.to_bytes(4, "little") + (1).to_bytes(2, "little")
    return header + (24).to_bytes(2, "little") + bytes(24) + pixels.tobytes()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", help="nin-cli, a release build")
    parser.add_argument("--row", choices=ROWS, action="append", help="default: all")
    parser.add_argument("--batch", type=int, action="append", help="default: 1, 32 and 128")
    parser.add_argument("--framework", choices=["onnxruntime", "openvino", "pytorch"], action="append", help="default: all")
    parser.add_argument("--backend", choices=["flex", "ndarray"], action="append", help="default: both")
    parser.add_argument("--dtype", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--phase", choices=["inference", "training"], default="inference")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--secs", type=float, default=3)
    parser.add_argument("--python", default=sys.executable, help="with the frameworks")
    parser.add_argument("--models", help="a folder that keeps the exported networks for another run")
    parser.add_argument("--output", help="a JSON file")
    args = parser.parse_args()
    args.framework = args.framework or ["onnxruntime", "openvino", "pytorch"]
    args.backend = args.backend or ["flex", "ndarray"]
    output = pathlib.Path(args.output) if args.output else None
    table = json.loads(output.read_text()) if output and output.exists() else {
        "program": printed([args.program, "--version"]).strip(), "machine": platform.machine(),
        "devices": json.loads(printed([args.program, "devices", "--format", "json"])), "rows": []}
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(args.models or scratch)
        folder.mkdir(parents=True, exist_ok=True)
        for name in args.row or ROWS:
            for batch in args.batch or [1, 32, 128]:
                found = row(args, name, batch, folder)
                same = lambda one: all(one.get(key, "inference") == found[key] for key in ("row", "phase", "batch", "dtype", "threads"))
                table["rows"] = [one for one in table["rows"] if not same(one)] + [found]
                if output:
                    output.write_text(json.dumps(table, indent=1) + "\n")
                rates = [f"nin {backend} {one['median']:.1f}" for backend, one in found["nin"].items()]
                rates += [f"{peer} {one['median']:.1f} ({one['best']})" for peer, one in found["peers"].items()]
                ratios = [f"{one['over_best_peer']['median']:.2f}" for one in found["nin"].values()]
                print(f"{name} {args.phase} {batch} {args.dtype}: {', '.join(rates)}; ratio {', '.join(ratios)}", flush=True)


if __name__ == "__main__":
    main()
