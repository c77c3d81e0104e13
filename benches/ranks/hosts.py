#!/usr/bin/env python3
"""Time of a training step on two hosts, by the bandwidth between them, next to what model.py computes.

    sudo python3 benches/ranks/hosts.py PROGRAM [--rounds 3] > results/DATE-MACHINE-hosts.json

The hosts are two network namespaces of this machine, joined by a veth pair whose ends tc limits by a token bucket. Each has one
rank of one thread; the rest of a step is the same at any bandwidth, so the difference to a pair without a limit is the exchange.
PROGRAM is a release build with the feature `mpi`. Needs Open MPI, iproute2 and root. It adds no delay: that takes netem, which
not every kernel has.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

from model import exchange_ms

HOSTS = {"nin-a": "10.98.7.1", "nin-b": "10.98.7.2"}
# Of the exchange of model.py, at no delay.
RATES = {"unlimited": None, "10 Gbit/s": 10, "1 Gbit/s": 1}
BATCH = 8
IMAGES = 80
PARAMETERS = 1_992_166
MPI = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}

# Starts Open MPI's daemon on a host that is a namespace.
AGENT = """#!/bin/sh
for name in nin-a nin-b; do
  if ip netns exec $name ip -brief address | grep -q " $1/"; then shift; exec ip netns exec $name sh -c "$*"; fi
done
exit 1
"""


def run(*command):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def clear():
    for name in HOSTS:
        subprocess.run(["ip", "netns", "del", name], stderr=subprocess.DEVNULL)


def set_up(gigabits):
    clear()
    for name in HOSTS:
        run("ip", "netns", "add", name)
    run("ip", "link", "add", "nin-a", "netns", "nin-a", "type", "veth", "peer", "name", "nin-b", "netns", "nin-b")
    for name, address in HOSTS.items():
        inside = ["ip", "netns", "exec", name]
        run(*inside, "ip", "address", "add", f"{address}/24", "dev", name)
        run(*inside, "ip", "link", "set", name, "up")
        run(*inside, "ip", "link", "set", "lo", "up")
        if gigabits:
            # Segments of 64 KB pass as one, so the bucket must hold several.
            run(*inside, "tc", "qdisc", "add", "dev", name, "root", "tbf", "rate", f"{gigabits}gbit", "burst", "256kb", "latency",
                "50ms")


def step_secs(program, folder):
    agent = pathlib.Path(folder) / "agent"
    agent.write_text(AGENT)
    agent.chmod(0o755)
    run_folder = pathlib.Path(folder) / "run"
    command = ["ip", "netns", "exec", "nin-a", "mpirun", "--mca", "plm_rsh_agent", str(agent), "--mca", "btl", "tcp,self",
               "--mca", "btl_tcp_if_include", "10.98.7.0/24", "--mca", "oob_tcp_if_include", "10.98.7.0/24",
               # Both would take core 0: each namespace seems to be a machine of its own.
               "--bind-to", "none", "--host", ",".join(f"{address}:1" for address in HOSTS.values()), "-n", "2",
               program, "train", "--config", "d2l-fashion-mnist", "--dataset", "fashion-mnist-sample", "--backend", "flex",
               "--threads", "1", "--epochs", "1", "--batch-size", str(BATCH), "--set", f"data.limit={IMAGES}",
               "--set", "training.micro_batches=2", "--run", str(run_folder), "--progress", "none", "--no-report"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env={**os.environ, **MPI})
    events = [json.loads(line) for line in (run_folder / "metrics.jsonl").read_text().splitlines()]
    return BATCH / next(event["images_per_sec"] for event in events if event["event"] == "epoch")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    program = str(pathlib.Path(arguments.program).resolve())
    found = {name: [] for name in RATES}
    try:
        for _ in range(arguments.rounds):
            for name, gigabits in RATES.items():
                set_up(gigabits)
                with tempfile.TemporaryDirectory() as folder:
                    found[name].append(step_secs(program, folder))
                print(name, found[name][-1], file=sys.stderr)
    finally:
        clear()
    median = {name: statistics.median(times) for name, times in found.items()}
    rows = [{"bandwidth": name, "step_ms": [round(1e3 * secs, 1) for secs in found[name]],
             "median_step_ms": round(1e3 * median[name], 1),
             "exchange_ms": round(1e3 * (median[name] - median["unlimited"]), 1),
             "computed_ms": round(exchange_ms(2, PARAMETERS, gigabits, 0.0), 1)}
            for name, gigabits in RATES.items() if gigabits]
    print(json.dumps({"command": f"python3 benches/ranks/hosts.py PROGRAM --rounds {arguments.rounds}",
                      "network": "d2l at 224x224, batches of 8, two ranks of one thread",
                      "unlimited_step_ms": [round(1e3 * secs, 1) for secs in found["unlimited"]], "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
