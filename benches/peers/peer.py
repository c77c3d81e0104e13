#!/usr/bin/env python3
"""One framework on one network, measured on request: a process of pairs.py.

Prints one line with its name and variants when it is ready. For each line on stdin, a number of seconds, measures every variant for
that long and prints one line with the median images per second of each.

    python peer.py --framework onnxruntime --model d2l.onnx --shape 1x1x96x96 --threads 2

A framework's variants are its settings that are fastest somewhere: see the functions below. Weights are prepared once, before the
first measurement. PyTorch gets the network as JSON, as in nin's recipes, and the others the ONNX file.
"""
import argparse
import json
import pathlib
import statistics
import sys
import time

import numpy


def onnxruntime(args, images):
    import onnxruntime as ort

    def variant(threads):
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
        session = ort.InferenceSession(args.model, options, providers=["CPUExecutionProvider"])
        binding = session.io_binding()
        binding.bind_cpu_input("images", images)
        binding.bind_output("logits")
        return lambda: session.run_with_iobinding(binding)

    # One thread beats two where the work of an image is less than waking one up.
    counts = {1, args.threads} if len(images) == 1 else {args.threads}
    return f"onnxruntime {ort.__version__}", {f"{threads} threads": variant(threads) for threads in counts}


def openvino(args, images):
    import openvino as ov
    core = ov.Core()
    model = core.read_model(args.model)
    model.reshape(list(images.shape))
    precision = "bf16" if args.dtype == "bf16" else "f32"

    def compiled(hint):
        return core.compile_model(model, "CPU", {
            "INFERENCE_NUM_THREADS": args.threads, "INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": hint})

    request = compiled("LATENCY").create_infer_request()
    request.set_input_tensor(ov.Tensor(images))
    variants = {"latency": request.infer}
    if len(images) > 1:
        model_for_throughput = compiled("THROUGHPUT")
        count = model_for_throughput.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
        queue = ov.AsyncInferQueue(model_for_throughput, count)

        def throughput():
            for _ in range(count):
                queue.start_async({0: images})
            queue.wait_all()
            return count

        variants["throughput"] = throughput
    return f"openvino {ov.__version__}", variants


PYTORCH = ["eager, channels last", "compiled, channels last", "eager, nchw"]


def pytorch_network(architecture):
    from torch import nn

    layers, inputs = [], architecture["input_channels"]
    for block in architecture["blocks"]:
        widths = [architecture["classes"] if width == "classes" else width for width in block["widths"]]
        kernels = [(block["kernel"], block.get("stride", 1), block.get("padding", 0)), (1, 1, 0), (1, 1, 0)]
        for width, (kernel, stride, padding) in zip(widths, kernels):
            layers += [nn.Conv2d(inputs, width, kernel, stride, padding), nn.ReLU()]
            inputs = width
        if pool := block.get("pool"):
            layers.append(nn.MaxPool2d(
                pool["kernel"], pool["stride"], pool.get("padding", 0), ceil_mode=pool.get("ceil_mode", False)))
        if rate := block.get("dropout"):
            layers.append(nn.Dropout(rate))
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten())


def pytorch(args, images):
    import torch
    import torch._inductor.config as inductor

    architecture = json.loads(pathlib.Path(args.network).read_text())
    torch.manual_seed(0)
    torch.set_num_threads(args.threads)
    make = training if args.phase == "training" else inference
    inductor.freezing = make is inference
    variants = {}
    for name, layout in (("channels last", torch.channels_last), ("nchw", torch.contiguous_format)):
        batch = torch.from_numpy(images).to(memory_format=layout)
        for kind in ("eager", "compiled") if layout is torch.channels_last else ("eager",):
            if args.variant not in (None, f"{kind}, {name}"):
                continue
            network = pytorch_network(architecture).to(memory_format=layout)
            compiled = torch.compile if kind == "compiled" else lambda network: network
            variants[f"{kind}, {name}"] = make(args, network, compiled, batch)
    return f"pytorch {torch.__version__}", variants


def inference(args, network, compiled, batch):
    """Weights are cast once, and frozen where the network is compiled."""
    import torch
    dtype = torch.bfloat16 if args.dtype == "bf16" else torch.float32
    network, batch = network.eval().to(dtype), batch.to(dtype)
    run = compiled(network)

    def step():
        with torch.inference_mode() if run is network else torch.no_grad():
            run(batch)

    return step


def training(args, network, compiled, batch):
    """Plain SGD, the cheapest optimizer, for every recipe."""
    import torch
    run = compiled(network.train())
    optimizer, loss = torch.optim.SGD(network.parameters(), lr=0.05), torch.nn.CrossEntropyLoss()
    classes = torch.randint(0, 10, (len(batch),))

    def step():
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=args.dtype == "bf16"):
            value = loss(run(batch).float(), classes)
        value.backward()
        optimizer.step()

    return step


def rate(step, batch, secs):
    """Median images per second; a step returns the number of its batches, one if it returns none."""
    rates, end = [], time.perf_counter() + secs
    while time.perf_counter() < end or len(rates) < 3:
        begun = time.perf_counter()
        batches = step()
        elapsed = time.perf_counter() - begun
        rates.append(batch * (batches if isinstance(batches, int) else 1) / elapsed)
    return round(statistics.median(rates), 2)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--framework", choices=["onnxruntime", "openvino", "pytorch"], required=True)
    parser.add_argument("--model", help="an ONNX file of nin-cli export")
    parser.add_argument("--network", help="for PyTorch: a file with the architecture as JSON")
    parser.add_argument("--shape", required=True, help="batch x channels x height x width")
    parser.add_argument("--dtype", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--phase", choices=["inference", "training"], default="inference", help="training: PyTorch only")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--variant", choices=PYTORCH, help="of PyTorch, only this one")
    args = parser.parse_args()

    shape = [int(size) for size in args.shape.split("x")]
    images = numpy.random.default_rng(0).random(shape, dtype=numpy.float32)
    name, variants = globals()[args.framework](args, images)
    for step in variants.values():
        for _ in range(3):
            step()
    print(json.dumps({"peer": name, "variants": list(variants)}), flush=True)
    for line in sys.stdin:
        found = {variant: rate(step, shape[0], float(line)) for variant, step in variants.items()}
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
