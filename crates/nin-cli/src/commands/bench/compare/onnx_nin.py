#!/usr/bin/env python3
"""Inference of an exported network in onnxruntime or OpenVINO: the peer of `nin-cli bench --compare`.

Prints one JSON object with the median images per second, fp32 on the CPU, after a step to warm up.

    pip install onnxruntime openvino numpy
    nin-cli export --checkpoint runs/quickstart --to onnx --output clothes.onnx
    python onnx_nin.py --model clothes.onnx --runtime onnxruntime --shape 32x1x28x28
"""
import argparse
import json
import resource
import statistics
import time

import numpy


def onnxruntime_step(args, images):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = args.threads
    session = onnxruntime.InferenceSession(args.model, options, providers=["CPUExecutionProvider"])
    return f"onnxruntime {onnxruntime.__version__}", lambda: session.run(["logits"], {"images": images})


def openvino_step(args, images):
    import openvino
    core = openvino.Core()
    model = core.read_model(args.model)
    model.reshape(list(images.shape))
    request = core.compile_model(model, "CPU", {
        "INFERENCE_NUM_THREADS": args.threads, "INFERENCE_PRECISION_HINT": "f32"}).create_infer_request()
    return f"openvino {openvino.__version__}", lambda: request.infer({0: images})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--runtime", choices=["onnxruntime", "openvino"], required=True)
    parser.add_argument("--shape", required=True, help="batch x channels x height x width")
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()

    shape = [int(size) for size in args.shape.split("x")]
    images = numpy.random.default_rng(0).random(shape, dtype=numpy.float32)
    make = onnxruntime_step if args.runtime == "onnxruntime" else openvino_step
    name, step = make(args, images)
    step()
    rates = []
    for _ in range(args.steps):
        start = time.perf_counter()
        step()
        rates.append(shape[0] / (time.perf_counter() - start))
    print(json.dumps({
        "peer": name, "dtype": "fp32", "threads": args.threads, "batch": shape[0],
        "infer_images_per_sec": round(statistics.median(rates), 2),
        "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}))


if __name__ == "__main__":
    main()
