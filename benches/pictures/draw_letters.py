#!/usr/bin/env python3
"""Draws a picture set: the letters A to J in some eighty typefaces, a folder per class.

The letters are capitals or small, turned, sheared, coloured, sometimes outlined or blurred, on noisy
backgrounds with distractors, in pictures of many sizes and shapes. The typefaces of `train`, `val` and
`test` are disjoint: a network is tested on typefaces that it has never seen. With `--unsplit` there is
one folder per class, and all typefaces occur in it.

    pip install pillow==11.3.0
    apt-get install --no-install-recommends $(python3 benches/pictures/draw_letters.py --packages)
    python3 benches/pictures/draw_letters.py /tmp/letters                    # train/, val/, test/
    python3 benches/pictures/draw_letters.py /tmp/letters-unsplit --unsplit  # A/ ... J/
    python3 benches/pictures/draw_letters.py /tmp/rare --imbalance 20        # B, D, F, H, J: a twentieth

A picture depends on the seed, its part, class and number alone, not on `--jobs`; the same versions of
Pillow and of the packages (Debian 12) give the same files.
"""
import argparse
import colorsys
import io
import math
import os
import pathlib
import random
import shutil
import subprocess
import sys
from multiprocessing import Pool

from PIL import Image, ImageDraw, ImageFilter, ImageFont

LETTERS = "ABCDEFGHIJ"

# The parts and their shares of the pictures. The typefaces are shared out in the same way.
PARTS = {"train": 0.7, "val": 0.1, "test": 0.2}

# The typefaces of each Debian package: all families whose names begin so are one typeface, in every weight.
# Close relatives (Hack and DejaVu Sans, Carlito and Lato) are one typeface as well, by the name after `=`.
PACKAGES = {
    "fonts-adf-baskervald": ["Baskervald"],
    "fonts-adf-libris": ["Libris"],
    "fonts-adf-universalis": ["Universalis"],
    "fonts-anonymous-pro": ["Anonymous Pro"],
    "fonts-averia-serif-gwf": ["Averia Serif"],
    "fonts-b612": ["B612"],
    "fonts-bebas-neue": ["Bebas Neue"],
    "fonts-beteckna": ["Beteckna"],
    "fonts-breip": ["Breip"],
    "fonts-cabin": ["Cabin"],
    "fonts-cantarell": ["Cantarell"],
    "fonts-cardo": ["Cardo"],
    "fonts-clear-sans": ["Clear Sans"],
    "fonts-comfortaa": ["Comfortaa"],
    "fonts-comic-neue": ["Comic Neue"],
    "fonts-courier-prime": ["Courier Prime Sans", "Courier Prime"],
    "fonts-crosextra-caladea": ["Caladea"],
    "fonts-crosextra-carlito": ["Carlito=Lato"],
    "fonts-dancingscript": ["Dancing Script"],
    "fonts-dejavu-core": ["DejaVu Serif", "DejaVu Sans"],
    "fonts-dkg-handwriting": ["DkgHandwriting"],
    "fonts-dosis": ["Dosis"],
    "fonts-dustin": [
        "Balker", "Domestic Manners", "Dustismo Roman", "Dustismo", "El Abogado Loco", "It wasn't me",
        "Junkyard", "Marked Fool", "Penguin Attack", "Swift", "Winks", "progenisis",
    ],
    "fonts-ebgaramond": ["EB Garamond"],
    "fonts-fanwood": ["Fanwood"],
    "fonts-femkeklaver": ["femkeklaver"],
    "fonts-gemunu-libre": ["Gemunu Libre"],
    "fonts-gfs-didot": ["GFS Didot"],
    "fonts-goudybookletter": ["Goudy Bookletter"],
    "fonts-hack": ["Hack=DejaVu Sans"],
    "fonts-humor-sans": ["Humor Sans"],
    "fonts-inconsolata": ["Inconsolata"],
    "fonts-jetbrains-mono": ["JetBrains Mono"],
    "fonts-junction": ["Junction"],
    "fonts-jura": ["Jura"],
    "fonts-kristi": ["Kristi"],
    "fonts-lato": ["Lato"],
    "fonts-league-spartan": ["League Spartan"],
    "fonts-leckerli-one": ["Leckerli One"],
    "fonts-liberation": ["Liberation Sans", "Liberation Serif", "Liberation Mono"],
    "fonts-linuxlibertine": ["Linux Libertine O", "Linux Biolinum O", "Linux Libertine Mono O"],
    "fonts-lobster": ["Lobster"],
    "fonts-monofur": ["monofur"],
    "fonts-mononoki": ["mononoki"],
    "fonts-ocr-a": ["OCRA"],
    "fonts-oldstandard": ["Old Standard"],
    "fonts-open-sans": ["Open Sans"],
    "fonts-opendin": ["OSP-DIN"],
    "fonts-oxygen": ["Oxygen"],
    "fonts-play": ["Play"],
    "fonts-prociono": ["Prociono"],
    "fonts-quicksand": ["Quicksand"],
    "fonts-radisnoir": ["Radis Sans"],
    "fonts-roboto-unhinted": ["Roboto"],
    "fonts-rufscript": ["Rufscript"],
    "fonts-sil-andika": ["Andika"],
    "fonts-sil-gentium": ["Gentium"],
    "fonts-sjfonts": ["Delphine", "Steve"],
    "fonts-staypuft": ["StayPuft"],
    "fonts-tiresias": ["Tiresias LPfont", "Tiresias"],
    "fonts-tomsontalks": ["Tomson Talks"],
    "fonts-tuffy": ["Tuffy"],
    "fonts-vollkorn": ["Vollkorn"],
    "fonts-yanone-kaffeesatz": ["Yanone Kaffeesatz"],
    "fonts-yrsa-rasa": ["Yrsa", "Rasa=Yrsa"],
}


def typefaces():
    """Returns the font files of each typeface, by its name. Leaves with a message where a package is missing."""
    found, missing = {}, []
    for package, families in PACKAGES.items():
        listed = subprocess.run(["dpkg", "-L", package], capture_output=True, text=True)
        files = [line for line in listed.stdout.splitlines() if line.lower().endswith((".ttf", ".otf"))]
        if listed.returncode != 0 or not files:
            missing.append(package)
        for file in sorted(files):
            name = ImageFont.truetype(file, 20).getname()[0]
            for family in families:
                prefix, _, relative = family.partition("=")
                if name.startswith(prefix):
                    found.setdefault(relative or prefix, []).append(file)
                    break
    if missing:
        sys.exit("these packages are missing: apt-get install --no-install-recommends " + " ".join(missing))
    return {name: found[name] for name in sorted(found)}


def shared_out(names, seed):
    """Returns the typefaces of each part."""
    names = list(names)
    random.Random(f"{seed}/typefaces").shuffle(names)
    parts, begin = {}, 0.0
    for part, share in PARTS.items():
        parts[part] = names[round(begin * len(names)):round((begin + share) * len(names))]
        begin += share
    return parts


def colour(rng, hue, value):
    """Returns a random RGB colour near a hue (0 to 1), as bright as `value` (0 to 1)."""
    red_green_blue = colorsys.hsv_to_rgb((hue + rng.gauss(0, 0.06)) % 1, rng.uniform(0.05, 0.9), value)
    return tuple(round(255 * channel) for channel in red_green_blue)


def noise(rng, size, cell):
    """Returns RGB noise whose blobs are about `cell` pixels wide."""
    width, height = (max(2, math.ceil(side / cell)) for side in size)
    small = Image.frombytes("RGB", (width, height), rng.randbytes(3 * width * height))
    return small.resize(size, Image.Resampling.BICUBIC)


def background(rng, size, hue, value):
    """Returns a gradient between two colours, under noise of two scales and a few distractors."""
    first, second = (Image.new("RGB", size, colour(rng, hue, value)) for _ in range(2))
    ramp = Image.linear_gradient("L").rotate(rng.uniform(0, 360), Image.Resampling.BILINEAR, fillcolor=128)
    picture = Image.composite(first, second, ramp.crop((40, 40, 216, 216)).resize(size))
    longer = max(size)
    picture = Image.blend(picture, noise(rng, size, rng.uniform(0.05, 0.4) * longer), rng.uniform(0.05, 0.35))
    draw = ImageDraw.Draw(picture, "RGBA")
    for _ in range(rng.choice([0, 0, 1, 2, 4, 7])):
        x, y = rng.uniform(0, size[0]), rng.uniform(0, size[1])
        reach = longer * rng.uniform(0.05, 0.5)
        turn = rng.uniform(0, 2 * math.pi)
        ink = (*colour(rng, rng.random(), rng.random()), rng.randint(60, 170))
        kind = rng.choice(["line", "ellipse", "box"])
        if kind == "line":
            end = (x + reach * math.cos(turn), y + reach * math.sin(turn))
            draw.line([(x, y), end], fill=ink, width=max(1, round(longer * rng.uniform(0.005, 0.03))))
        elif kind == "ellipse":
            draw.ellipse([x, y, x + reach * 0.5, y + reach * rng.uniform(0.1, 0.5)], fill=ink)
        else:
            draw.rectangle([x, y, x + reach * 0.4, y + reach * rng.uniform(0.1, 0.4)], outline=ink, width=2)
    return picture


def shape(rng, letter, fonts, height):
    """Returns a mask (L) of the letter in a random font, turned and sheared, `height` pixels high or so."""
    text = letter if rng.random() < 0.65 else letter.lower()
    font = ImageFont.truetype(rng.choice(fonts), max(12, round(height * 1.3)),
                              layout_engine=ImageFont.Layout.BASIC)
    stroke = round(height * rng.choice([0, 0, 0, 0.01, 0.02]))
    left, top, right, bottom = font.getbbox(text, stroke_width=stroke)
    edge = round(height * 0.1) + 2
    mask = Image.new("L", (right - left + 2 * edge, bottom - top + 2 * edge))
    ImageDraw.Draw(mask).text((edge - left, edge - top), text, fill=255, font=font, stroke_width=stroke)
    shear = rng.gauss(0, 0.12)
    wide = round(mask.width + abs(shear) * mask.height)
    offset = -(wide - mask.width) / 2 - shear * mask.height / 2
    mask = mask.transform((wide, mask.height), Image.Transform.AFFINE, (1, shear, offset, 0, 1, 0),
                          Image.Resampling.BILINEAR)
    mask = mask.rotate(rng.triangular(-30, 30), Image.Resampling.BICUBIC, expand=True)
    mask = mask.crop(mask.getbbox())
    scale = height / max(mask.size)
    return mask.resize([max(4, round(side * scale)) for side in mask.size], Image.Resampling.BILINEAR)


def draw_picture(rng, letter, fonts, sizes):
    """Returns one picture of the letter."""
    least, most = sizes
    longer = round(math.exp(rng.uniform(math.log(least), math.log(most))))
    shorter = max(least if least < 64 else 64, round(longer * rng.uniform(0.6, 1)))
    size = (longer, shorter) if rng.random() < 0.55 else (shorter, longer)
    dark_ink = rng.random() < 0.5
    behind, ink = (rng.uniform(0.55, 1), rng.uniform(0, 0.4)) if dark_ink else (rng.uniform(0, 0.45), rng.uniform(0.6, 1))
    hue = rng.random()
    picture = background(rng, size, hue, behind)
    mask = shape(rng, letter, fonts, min(size) * rng.uniform(0.5, 0.92))
    place = [round(rng.triangular(0, max(0, side - own))) for side, own in zip(size, mask.size)]
    if rng.random() < 0.2:  # a shadow
        gap = max(1, round(min(size) * 0.02))
        shade = colour(rng, rng.random(), 0.2 if not dark_ink else 0.8)
        picture.paste(shade, (place[0] + gap, place[1] + gap), mask.point(lambda level: level // 2))
    solid = Image.new("RGB", mask.size, colour(rng, rng.random(), ink))
    solid = Image.blend(solid, noise(rng, mask.size, max(mask.size) * 0.4), rng.uniform(0, 0.25))
    picture.paste(solid, place, mask)
    if rng.random() < 0.3:
        picture = picture.filter(ImageFilter.GaussianBlur(min(size) * rng.uniform(0.002, 0.015)))
    return Image.blend(picture, noise(rng, size, 1), rng.uniform(0, 0.12))


def write_picture(job):
    """Draws one picture into its file."""
    key, letter, fonts, sizes, form, path = job
    rng = random.Random(key)
    picture = draw_picture(rng, letter, fonts, sizes)
    as_png = form == "png" or form == "mixed" and rng.random() < 0.15
    data = io.BytesIO()
    if as_png:
        picture.save(data, "PNG", compress_level=3)
    else:
        picture.save(data, "JPEG", quality=rng.randint(70, 95), subsampling=rng.choice([0, 2]))
    path = pathlib.Path(path).with_suffix(".png" if as_png else ".jpg")
    path.write_bytes(data.getvalue())
    return len(data.getvalue())


def range_of(text):
    """Parses `90-400`."""
    least, _, most = text.partition("-")
    least, most = int(least), int(most or least)
    if not 16 <= least <= most:
        raise argparse.ArgumentTypeError("expected LEAST-MOST with LEAST at least 16")
    return least, most


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", help="where to write; refused where it exists and is not empty")
    parser.add_argument("--count", type=int, default=4000, help="pictures in all, before --imbalance takes some away")
    parser.add_argument("--classes", type=int, default=10, help="how many of the letters A to J")
    parser.add_argument("--size", type=range_of, default=(90, 400), help="the longer side in pixels: LEAST-MOST")
    parser.add_argument("--format", choices=["mixed", "jpeg", "png"], default="mixed",
                        help="mixed: about one PNG among seven pictures")
    parser.add_argument("--imbalance", type=int, default=1,
                        help="every second class has 1/N of its pictures (the test part keeps all of them)")
    parser.add_argument("--unsplit", action="store_true", help="one folder per class, without parts")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--packages", action="store_true", help="prints the Debian packages of the fonts, and leaves")
    parser.add_argument("--typefaces", action="store_true", help="prints the typefaces of each part, and leaves")
    options = parser.parse_args()
    if options.packages:
        print(*PACKAGES)
        return

    faces = typefaces()
    parts = shared_out(faces, options.seed)
    if options.typefaces:
        for part, names in parts.items():
            print(f"{part} ({len(names)}): {', '.join(sorted(names))}")
        return
    if options.folder is None:
        parser.error("name a folder")
    root = pathlib.Path(options.folder)
    if root.exists() and any(root.iterdir()):
        sys.exit(f"`{root}` is not empty")
    if options.unsplit:
        parts = {".": list(faces)}

    jobs = []
    for part, names in parts.items():
        for place, letter in enumerate(LETTERS[:options.classes]):
            count = round(options.count * PARTS.get(part, 1) / options.classes)
            if place % 2 == 1 and part != "test":
                count = max(1, round(count / options.imbalance))
            folder = root / part / letter
            folder.mkdir(parents=True)
            for number in range(count):
                face = faces[names[number % len(names)]]  # each typeface as often as the others
                key = f"{options.seed}/{part}/{letter}/{number}"
                jobs.append((key, letter, face, options.size, options.format, str(folder / f"{letter}-{number:05}")))
    with Pool(options.jobs) as pool:
        written = sum(pool.imap_unordered(write_picture, jobs, chunksize=32))
    print(f"{len(jobs)} pictures of {options.classes} classes, {len(faces)} typefaces, {written / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
