"""Draws the ten pictures beside it: clothes that are in no data set. Needs pillow and numpy.

    python docs/clothes/draw.py
    python docs/clothes/draw.py FOLDER white    # the same, elsewhere, all on that ground

Each is drawn by hand as polygons on a square of 100 units, four times as large as it is kept. Grounds,
colours, patterns and proportions differ on purpose, as pictures from anywhere do.
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

FOLDER = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
GROUND = sys.argv[2] if len(sys.argv) > 2 else None
SIDE = 240  # pixels of a picture as it is kept
DETAIL = 4  # drawn so many times as large, then made smaller, for smooth edges
COLOURS = 48  # of a kept picture's palette: small files


class Drawing:
    """A square of 100 x 100 units, with the origin at the upper left."""

    def __init__(self, ground):
        self.scale = SIDE * DETAIL / 100
        self.image = Image.new("RGBA", (SIDE * DETAIL, SIDE * DETAIL), GROUND or ground)
        self.pen = ImageDraw.Draw(self.image)

    def _at(self, points):
        return [(x * self.scale, y * self.scale) for x, y in points]

    def area(self, points, colour):
        self.pen.polygon(self._at(points), fill=colour)

    def line(self, points, colour, width=0.8):
        self.pen.line(self._at(points), fill=colour, width=round(width * self.scale), joint="curve")

    def dot(self, x, y, radius, colour):
        self.pen.ellipse([*self._at([(x - radius, y - radius)])[0], *self._at([(x + radius, y + radius)])[0]],
                         fill=colour)

    def cloth(self, points, colour, pattern=None):
        """An area with light from the left, soft folds, a seam around it and, where given, a pattern."""
        mask = Image.new("L", self.image.size, 0)
        ImageDraw.Draw(mask).polygon(self._at(smooth(points)), fill=255)
        side = SIDE * DETAIL
        y, x = np.mgrid[0:side, 0:side] * (100 / side)
        light = 1.08 - 0.0022 * x + 0.045 * np.sin(0.33 * x + 0.09 * y) + 0.03 * np.sin(0.21 * y)
        fill = np.array(colour, dtype=float)[None, None, :] * np.ones((side, side, 1))
        if pattern is not None:
            other, where = pattern(x, y)
            fill[where] = other
        fill = np.clip(fill * light[:, :, None], 0, 255).astype(np.uint8)
        self.image.paste(Image.fromarray(fill).convert("RGBA"), (0, 0), mask)
        edge = tuple(int(0.6 * value) for value in colour)
        outline = smooth(points)
        self.line([*outline, outline[0]], edge, 0.7)

    def keep(self, name, size=(SIDE, SIDE), soften=0.0):
        image = self.image.filter(ImageFilter.GaussianBlur(soften * DETAIL)) if soften else self.image
        image = image.resize((SIDE, SIDE), Image.Resampling.LANCZOS)
        left, top = (SIDE - size[0]) // 2, (SIDE - size[1]) // 2
        image = image.crop((left, top, left + size[0], top + size[1]))
        if image.getextrema()[3][0] == 255:
            image = image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
        image.save(FOLDER / f"{name}.png", optimize=True)


def smooth(points, steps=6):
    """A closed Catmull-Rom curve through the points: cloth has no corners to speak of."""
    points = np.array(points, dtype=float)
    curve = []
    for at in range(len(points)):
        before, start, end, after = (points[(at + offset) % len(points)] for offset in (-1, 0, 1, 2))
        for t in np.linspace(0, 1, steps, endpoint=False):
            straight = start + t * (end - start)
            bent = 0.5 * (2 * start + (end - before) * t + (2 * before - 5 * start + 4 * end - after) * t**2
                          + (3 * start - before - 3 * end + after) * t**3)
            curve.append(tuple(0.5 * straight + 0.5 * bent))
    return curve


def mirrored(half):
    """A left half, from the top to the bottom, and its mirror image."""
    return half + [(100 - x, y) for x, y in reversed(half)]


def t_shirt():
    drawing = Drawing("white")
    red = (176, 42, 48)
    drawing.cloth(mirrored([(50, 12), (42, 9), (37, 4), (27, 7), (17, 12), (2, 33), (15, 43), (25, 32),
                            (26, 60), (25, 96)]), red)
    drawing.line([(37, 4), (42, 11), (50, 14), (58, 11), (63, 4)], (120, 28, 32), 1.6)
    drawing.keep("t-shirt")


def trouser():
    drawing = Drawing("white")
    denim = (44, 62, 104)
    drawing.cloth([(34, 2), (66, 2), (68, 20), (71, 60), (70, 98), (55, 98), (54, 60), (50, 27), (46, 60),
                   (45, 98), (30, 98), (29, 60), (32, 20)], denim)
    drawing.line([(34, 7), (66, 7)], (28, 40, 70), 0.9)
    drawing.line([(50, 7), (50, 25)], (28, 40, 70), 0.7)
    drawing.line([(36, 10), (40, 17), (33, 19)], (28, 40, 70), 0.6)
    drawing.line([(64, 10), (60, 17), (67, 19)], (28, 40, 70), 0.6)
    drawing.keep("trouser", size=(130, SIDE))


def pullover():
    drawing = Drawing((233, 230, 224))
    wool = (58, 92, 76)

    def ribs(x, y):
        return (70, 108, 90), (np.floor(x / 1.6) % 2 == 0)

    drawing.cloth(mirrored([(50, 10), (42, 9), (36, 5), (25, 9), (17, 18), (11, 45), (7, 76), (8, 84),
                            (17, 85), (20, 70), (26, 42), (27, 65), (26, 94)]), wool, ribs)
    drawing.line([(27, 88), (73, 88)], (34, 56, 46), 1)
    drawing.line([(36, 5), (42, 11), (50, 13), (58, 11), (64, 5)], (34, 56, 46), 2.2)
    drawing.line([(8, 78), (19, 80)], (34, 56, 46), 1)
    drawing.line([(92, 78), (81, 80)], (34, 56, 46), 1)
    drawing.keep("pullover")


def dress():
    drawing = Drawing("white")
    violet = (92, 48, 112)

    def dots(x, y):
        centre = ((x + 3 * (np.floor(y / 6) % 2)) % 6 - 3) ** 2 + (y % 6 - 3) ** 2
        return (222, 208, 228), centre < 1.1

    drawing.cloth(mirrored([(50, 16), (43, 12), (41, 2), (37, 2), (36, 14), (35, 24), (39, 40), (33, 66),
                            (26, 97)]), violet, dots)
    drawing.line([(39, 40), (50, 42), (61, 40)], (54, 26, 66), 1.4)
    drawing.keep("dress", size=(150, SIDE))


def coat():
    drawing = Drawing("white")
    camel = (150, 112, 70)
    drawing.cloth(mirrored([(50, 12), (42, 6), (37, 3), (27, 8), (20, 16), (14, 42), (11, 72), (20, 74),
                            (26, 46), (27, 40), (26, 70), (23, 98)]), camel)
    dark = (84, 60, 34)
    drawing.area([(37, 3), (50, 34), (44, 30), (34, 14)], (124, 90, 54))
    drawing.area([(63, 3), (50, 34), (56, 30), (66, 14)], (124, 90, 54))
    drawing.line([(37, 3), (50, 34), (50, 98)], dark, 1)
    drawing.line([(63, 3), (50, 34)], dark, 1)
    for y in (44, 58, 72):
        drawing.dot(54, y, 1.3, dark)
        drawing.dot(46, y, 1.3, dark)
    drawing.line([(30, 64), (39, 62)], dark, 1)
    drawing.line([(70, 64), (61, 62)], dark, 1)
    drawing.keep("coat", size=(200, SIDE))


def sandal():
    drawing = Drawing("white")
    leather, sole = (120, 74, 42), (62, 44, 32)
    drawing.cloth([(4, 70), (20, 66), (48, 64), (74, 56), (95, 52), (96, 62), (92, 72), (60, 76), (6, 77)], sole)
    drawing.area(smooth([(16, 67), (24, 48), (34, 46), (44, 65), (36, 66), (30, 53), (26, 54), (24, 67)]), leather)
    drawing.area(smooth([(66, 59), (76, 36), (88, 33), (94, 52), (89, 53), (84, 39), (79, 41), (73, 58)]), leather)
    drawing.line([(30, 50), (52, 44), (78, 40)], leather, 3)
    drawing.dot(80, 40, 1.6, (200, 180, 110))
    drawing.keep("sandal", size=(SIDE, 150))


def shirt():
    drawing = Drawing("white")
    blue = (136, 164, 200)

    def stripes(x, y):
        return (70, 96, 148), (x % 5 < 1.2)

    drawing.cloth(mirrored([(50, 9), (43, 6), (37, 4), (27, 8), (20, 16), (14, 44), (9, 78), (18, 82), (22, 64),
                            (27, 42), (28, 66), (27, 92), (38, 97)]), blue, stripes)
    drawing.area([(38, 3), (50, 12), (44, 20), (36, 8)], (160, 184, 214))
    drawing.area([(62, 3), (50, 12), (56, 20), (64, 8)], (160, 184, 214))
    drawing.line([(38, 3), (50, 12), (44, 20), (36, 8)], (60, 80, 120), 0.7)
    drawing.line([(62, 3), (50, 12), (56, 20), (64, 8)], (60, 80, 120), 0.7)
    drawing.line([(50, 12), (50, 96)], (60, 80, 120), 0.8)
    for y in range(22, 94, 12):
        drawing.dot(51.8, y, 0.9, (250, 250, 250))
    drawing.keep("shirt")


def sneaker():
    drawing = Drawing((120, 124, 128))  # a grey floor
    body, rubber = (226, 226, 222), (250, 250, 248)
    drawing.cloth([(4, 63), (8, 56), (24, 51), (44, 40), (52, 34), (60, 40), (80, 40), (92, 34), (96, 42),
                   (96, 62), (60, 66), (20, 67)], body)
    drawing.cloth([(3, 62), (30, 65), (70, 63), (97, 60), (97, 70), (60, 73), (12, 73), (3, 69)], rubber)
    for at in range(4):
        x, y = 30 + 6 * at, 51 - 4 * at
        drawing.line([(x, y), (x + 6, y + 3)], (60, 60, 64), 1.2)
    drawing.line([(50, 62), (66, 50), (90, 46)], (30, 70, 150), 2.4)
    drawing.keep("sneaker", size=(SIDE, 140))


def bag():
    drawing = Drawing((0, 0, 0, 0))  # cut out, as shops have it
    black = (36, 34, 38)
    drawing.line([(30, 42), (32, 22), (40, 10), (50, 7), (60, 10), (68, 22), (70, 42)], (30, 28, 32), 3)
    drawing.cloth([(14, 38), (50, 36), (86, 38), (92, 66), (93, 92), (50, 95), (7, 92), (8, 66)], black)
    drawing.line([(10, 58), (50, 62), (90, 58)], (90, 86, 92), 0.9)
    drawing.area([(46, 57), (54, 57), (54, 67), (46, 67)], (206, 178, 96))
    drawing.keep("bag")


def ankle_boot():
    drawing = Drawing("white")
    leather = (70, 42, 30)
    drawing.cloth([(5, 80), (8, 70), (26, 62), (42, 52), (48, 36), (49, 10), (70, 7), (90, 9), (90, 40), (94, 68),
                   (95, 82), (50, 86)], leather)
    drawing.area([(4, 80), (50, 84), (72, 82), (95, 80), (95, 95), (76, 95), (73, 88), (50, 90), (8, 88)], (30, 22, 18))
    drawing.area([(66, 12), (74, 12), (76, 46), (68, 46)], (38, 26, 20))
    drawing.line([(30, 62), (50, 66), (90, 62)], (42, 26, 18), 0.8)
    drawing.keep("ankle-boot", soften=0.6)


if __name__ == "__main__":
    for draw in (t_shirt, trouser, pullover, dress, coat, sandal, shirt, sneaker, bag, ankle_boot):
        draw()
