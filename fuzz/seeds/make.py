"""Writes the seed corpora: small valid files of each kind, and a few that nearly are.

python3 fuzz/seeds/make.py RUN   where RUN is the folder of a finished run of a small network
"""

import gzip
import pathlib
import shutil
import struct
import sys

SEEDS = pathlib.Path(__file__).parent


def write(target: str, name: str, content: bytes) -> None:
    folder = SEEDS / target
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(content)


def idx(shape: tuple[int, ...], content: bytes, kind: int = 8) -> bytes:
    return struct.pack(f">HBB{len(shape)}I", 0, kind, len(shape), *shape) + content


def main() -> None:
    run = pathlib.Path(sys.argv[1])
    files = {
        "images": idx((3, 4, 5), bytes(range(60))),
        "labels": idx((4,), bytes([0, 1, 2, 9])),
        "short": idx((3, 4, 5), bytes(59)),
        "huge": idx((0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF), b""),
        "floats": idx((1, 1, 1), bytes(4), kind=13),
        "empty": b"",
    }
    for name, content in files.items():
        write("idx", name, content)
        write("gz", name, content)
        write("gz", f"{name}.gz", gzip.compress(content, mtime=0))
    write("gz", "cut.gz", gzip.compress(files["images"], mtime=0)[:-5])
    write("gz", "two.gz", gzip.compress(b"\0\0\x08\x01", mtime=0) + gzip.compress(b"\0\0\0\0", mtime=0))

    ten, hundred = bytes([7]) + bytes(range(256)) * 12, bytes([19, 99]) + bytes(range(256)) * 12
    files = {
        "ten": ten * 2,
        "hundred": hundred,
        "label": bytes([10]) + ten[1:],
        "short": ten[:-1],
        "long": ten + b"\0",
        "gz": gzip.compress(ten * 3, mtime=0),
        "empty": b"",
    }
    for name, content in files.items():
        write("cifar", name, content)

    recipe = (run / "recipe.toml").read_bytes()
    write("recipe", "resolved", recipe)
    write("recipe", "assignment", b"[training]\nepochs = 3\n\0optimizer.momentum=0.9")
    write("recipe", "inline", b'model.blocks = [{kernel=3,widths=[4,4,"classes"]}]\n')
    write("recipe", "wrong", b"[optimizer]\nlearning-rate = nan\n")

    checkpoint = (run / "checkpoints" / "latest").resolve()
    whole = SEEDS / "checkpoint-folder"
    shutil.rmtree(whole, ignore_errors=True)
    shutil.copytree(checkpoint, whole)
    files = ["manifest.json", "state.json", "optimizer.safetensors", "model.safetensors"]
    for which, name in enumerate(files):
        write("checkpoint", name, bytes([which]) + (whole / name).read_bytes())
    for name in ["model", "optimizer"]:
        write("weights", name, (whole / f"{name}.safetensors").read_bytes())
    write("weights", "overlap", struct.pack("<Q", 2) + b"{}")
    write("metrics", "whole", (run / "metrics.jsonl").read_bytes())
    write("metrics", "cut", (run / "metrics.jsonl").read_bytes()[:-9])
    write("metrics", "null", b'{"event":"end","ending":null}\n\n[]\n')


main()
