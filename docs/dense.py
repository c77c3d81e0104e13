"""Makes collage.png, four of the drawn clothes beside each other, and dense.png: what `predict --dense` sees
in it, the collage and below it the map of each piece's class. Needs pillow and numpy.

    python docs/dense.py [NIN-CLI]
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

DOCS = Path(__file__).parent
NIN = sys.argv[1] if len(sys.argv) > 1 else "nin-cli"
CLASSES = {"trouser": "Trouser", "bag": "Bag", "ankle-boot": "Ankle-boot", "dress": "Dress"}
SIDE = 28  # pixels of a piece: the size that the network was trained at
SHOWN = 672  # pixels of a row's width in dense.png
MARGIN = 120  # for a row's name
GAP = 6


def collage(folder):
    subprocess.run([sys.executable, DOCS / "clothes/draw.py", folder, "white"], check=True)
    whole = Image.new("L", (SIDE * len(CLASSES), SIDE), "white")
    for at, name in enumerate(CLASSES):
        piece = Image.open(folder / f"{name}.png").convert("RGB").convert("L")
        piece.thumbnail((SIDE, SIDE), Image.Resampling.BILINEAR)
        whole.paste(piece, (SIDE * at + (SIDE - piece.width) // 2, (SIDE - piece.height) // 2))
    return whole


def main():
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        path = DOCS / "collage.png"
        collage(folder).save(path, optimize=True)
        subprocess.run([NIN, "predict", path, "--dense", "--top", "10", "--maps", folder / "maps"], check=True)
        rows = [("the picture", path)]
        rows += [(name.replace("-", " "), next((folder / "maps").glob(f"*-{name}.png"))) for name in CLASSES.values()]
        height = SHOWN // len(CLASSES)
        sheet = Image.new("RGB", (MARGIN + SHOWN, len(rows) * (height + GAP) - GAP), "white")
        pen = ImageDraw.Draw(sheet)
        for at, (name, picture) in enumerate(rows):
            top = at * (height + GAP)
            picture = Image.open(picture).convert("RGB").resize((SHOWN, height), Image.Resampling.NEAREST)
            sheet.paste(picture, (MARGIN, top))
            pen.text((8, top + height // 2), name, fill="black", anchor="lm", font=ImageFont.load_default(18))
        sheet.save(DOCS / "dense.png", optimize=True)


main()
