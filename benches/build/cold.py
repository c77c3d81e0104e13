#!/usr/bin/env python3
"""Times what a newcomer waits for: a build from an empty cargo home into an empty target folder.

    python3 benches/build/cold.py train test cpu > results/DATE-MACHINE-build.jsonl

    train   cargo run --release -p nin-cli -- train    download, build, and a training on the embedded sample
    test    cargo test --no-run                        download and build; the tests themselves are not run
    cpu     cargo build --release -p nin-cli --no-default-features --features flex

Prints one JSON object per command: seconds in all, of them the download, CPU seconds, and the load of the machine before.
"""
import json
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
COMMANDS = {
    "train": ["cargo", "run", "--release", "-p", "nin-cli", "--", "train", "--run", "{folder}/run"],
    "test": ["cargo", "test", "--no-run"],
    "cpu": ["cargo", "build", "--release", "-p", "nin-cli", "--no-default-features", "--features", "flex"],
}


def run(command, environment):
    """Runs a command at the root of the repository, and returns its seconds."""
    begun = time.monotonic()
    subprocess.run(command, cwd=ROOT, env=environment, stdout=sys.stderr, check=True)
    return time.monotonic() - begun


def measure(name):
    """Builds in a temporary folder, and returns the figures."""
    with tempfile.TemporaryDirectory() as folder:
        home = pathlib.Path(os.environ.get("CARGO_HOME", pathlib.Path.home() / ".cargo"))
        empty = pathlib.Path(folder, "home")
        empty.mkdir()
        # How packages are downloaded, where that is configured; nothing that was downloaded.
        if (home / "config.toml").exists():
            shutil.copy(home / "config.toml", empty)
        environment = os.environ | {
            "CARGO_HOME": str(empty), "CARGO_TARGET_DIR": f"{folder}/target", "RUSTUP_HOME": str(rustup_home())
        }
        load, before = os.getloadavg()[0], resource.getrusage(resource.RUSAGE_CHILDREN)
        download = run(["cargo", "fetch", "--locked"], environment)
        rest = run([part.format(folder=folder) for part in COMMANDS[name]], environment)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        target = sum(path.stat().st_size for path in pathlib.Path(folder, "target").rglob("*") if path.is_file())
    return {
        "command": " ".join(COMMANDS[name]).format(folder="."),
        "seconds": round(download + rest, 1),
        "download_seconds": round(download, 1),
        "cpu_seconds": round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 1),
        "load_before": round(load, 2),
        "target_bytes": target,
    }


def rustup_home():
    """Returns the folder of the toolchains."""
    return os.environ.get("RUSTUP_HOME", pathlib.Path.home() / ".rustup")


def main():
    names = sys.argv[1:] or list(COMMANDS)
    if unknown := [name for name in names if name not in COMMANDS]:
        sys.exit(f"error: no command `{unknown[0]}`\nhint: {', '.join(COMMANDS)}")
    commit = subprocess.run(["git", "rev-parse", "--short=12", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    for name in names:
        print(json.dumps({"commit": commit.stdout.strip(), "cores": os.cpu_count()} | measure(name)), flush=True)


if __name__ == "__main__":
    main()
