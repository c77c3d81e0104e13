"""Writes the seed corpora: small valid files of each kind, and a few that nearly are.

python3 fuzz/seeds/make.py RUN   where RUN is the folder of a finished run of a small network

It needs Pillow for the pictures.
"""

import gzip
import io
import pathlib
import shutil
import struct
import sys
import zlib

from PIL import Image

ORIENTATION = 0x0112  # EXIF's tag

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
    pictures()


def encoded(picture: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def pictures() -> None:
    grey = Image.frombytes("L", (6, 5), bytes(range(0, 240, 8)))
    colour = Image.merge("RGB", [grey, grey.transpose(Image.Transpose.ROTATE_180), grey])
    clear = Image.merge("RGBA", [*colour.split(), grey])
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    png = encoded(grey, "PNG")
    # A header that claims 50,000 x 50,000 pixels.
    claim = b"IHDR" + struct.pack(">II", 50_000, 50_000) + png[24:29]
    files = {
        "grey.png": png,
        "deep.png": encoded(grey.convert("I;16"), "PNG"),
        "clear.png": encoded(clear, "PNG"),
        "palette.png": encoded(colour.quantize(4), "PNG"),
        "grey.jpg": encoded(grey, "JPEG"),
        "turned.jpg": encoded(colour, "JPEG", exif=exif),
        "progressive.jpg": encoded(colour, "JPEG", progressive=True),
        "lossy.webp": encoded(colour, "WEBP", quality=60),
        "lossless.webp": encoded(clear, "WEBP", lossless=True),
        "animated.webp": encoded(clear, "WEBP", save_all=True, append_images=[clear]),
        "cut.png": png[:-20],
        "claim.png": png[:12] + claim + struct.pack(">I", zlib.crc32(claim)) + png[33:],
        "empty": b"",
    }
    for name, content in files.items():
        write("picture", name, content)

    head = b"multipart/form-data; boundary=xx\n"
    part = b'--xx\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n'
    files = {
        "whole": head + part + b"\x00\r\n--x\r\n--xx--\r\n",
        "quoted": head.replace(b"xx", b'"xx"') + b"before\r\n" + part + b"\r\n--xx  \r\n\r\n\r\n--xx--",
        "twice": head + part + b"1\r\n" + part + b"2\r\n--xx--",
        "cut": head + part + b"1\r\n--xx",
        "none": b"text/plain\n",
    }
    for name, content in files.items():
        write("form", name, content)


if __name__ == "__main__":
    main()
