#!/usr/bin/env python3
"""Writes torchvision_golden.txt: the bytes of PIL images after torchvision's augmentation.

    pip install torch torchvision==0.29.2 pillow==11.3.0 numpy
    python torchvision_golden.py > torchvision_golden.txt

Each line: OPERATION MODE WIDTH HEIGHT PARAMETERS... BYTES. MODE is `rgb` or `l`. The bytes are hexadecimal, row by row,
with interleaved red, green and blue. The pixels of the input are a function of their position in those bytes,
`pixels` below, which the Rust test computes too. Operations and parameters:

    crop TOP LEFT HEIGHT WIDTH SIDE      resized_crop to SIDE x SIDE, bilinear, antialiased
    rotate DEGREES                       nearest, counter-clockwise, around the centre, black corners
    brightness|contrast|saturation F     adjust_brightness, adjust_contrast, adjust_saturation
    hue F                                adjust_hue, F from -0.5 to 0.5
    chain ORDER B C S H                  all four in the order of the letters, such as `bcsh`

The last lines are `draw WIDTH HEIGHT SCALE SCALE RATIO RATIO DRAWS = TOP LEFT HEIGHT WIDTH`: the result of
RandomResizedCrop.get_params for uniform draws in [0, 1), separated by commas, in the order in which it consumes
them:

    repeat at most 10 times:
        area = width * height * between(scale, draw)
        aspect = exp(between(log(ratio), draw))          # width to height
        w = round(sqrt(area * aspect)); h = round(sqrt(area / aspect))       # half to even
        if 0 < w <= width and 0 < h <= height:
            top = floor(draw * (height - h + 1)); left = floor(draw * (width - w + 1))
            return
    # None fits: the largest central crop with an allowed ratio.
    if width / height < min(ratio):   w = width;  h = round(w / min(ratio))
    elif width / height > max(ratio): h = height; w = round(h * max(ratio))
    else:                             w = width;  h = height
    top = (height - h) // 2; left = (width - w) // 2

RandomRotation draws an angle between -degrees and degrees. ColorJitter draws an order of the four and then the
factors: between max(0, 1 - x) and 1 + x for brightness, contrast and saturation, between -x and x for hue. It
skips those whose x is 0.

The functions `by_*` below state what PIL computes, and in which precision. Each line is compared with them
before it is written.
"""
import math
import sys

import numpy as np
import torch
from PIL import Image
from torchvision import transforms
from torchvision.transforms import functional

SMALL, LARGE = (12, 9), (31, 20)  # width, height
ANGLES = [-45.0, -33.3, -20.0, -10.5, -3.0, -0.7, 0.0, 1.3, 5.0, 15.0, 27.8, 45.0]
FACTORS = [0.2, 0.55, 0.8, 1.0, 1.25, 1.8]
HUES = [-0.5, -0.31, -0.1, -0.002, 0.0, 0.05, 0.2, 0.5]
CROPS = [(0, 0, 20, 31, 24), (3, 7, 11, 13, 24), (0, 20, 20, 11, 10), (19, 30, 1, 1, 5), (5, 2, 14, 25, 14)]


def pixels(count):
    """Returns the bytes of the input: noise of growing contrast, so that grey and coloured pixels occur.

    The division rounds down, also for negative numbers.
    """
    words = [((at * 2654435761) & 0xffffffff) >> 13 & 0xff for at in range(count)]
    return bytes(128 + (word - 128) * at // count for at, word in enumerate(words))


def image(mode, size):
    width, height = size
    return Image.frombytes(mode, size, pixels(width * height * len(mode)))


def by_blend(degenerate, array, factor):
    """Computes PIL's ImageEnhance: `degenerate + factor * (image - degenerate)` in 32 bits, clipped, truncated."""
    factor = np.float32(factor)
    first, second = degenerate.astype(np.int32), array.astype(np.int32)
    blended = first.astype(np.float32) + factor * (second - first).astype(np.float32)
    return np.clip(blended, 0, 255).astype(np.uint8)


def by_grey(array):
    """Computes PIL's conversion to L in 16-bit fixed point."""
    if array.ndim == 2:
        return array
    red, green, blue = (array[..., channel].astype(np.int64) for channel in range(3))
    return ((red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16).astype(np.uint8)


def by_brightness(array, factor):
    return by_blend(np.zeros_like(array), array, factor)


def by_contrast(array, factor):
    grey = by_grey(array)
    mean = int(grey.sum(dtype=np.int64) / grey.size + 0.5)
    return by_blend(np.full_like(array, mean), array, factor)


def by_saturation(array, factor):
    grey = by_grey(array)
    return by_blend(grey if array.ndim == 2 else np.repeat(grey[..., None], 3, axis=2), array, factor)


def by_hue(array, factor):
    """Converts to HSV in bytes, shifts the hue with wrapping, and converts back. Grey images stay as they are."""
    if array.ndim == 2:
        return array
    f32, f64 = np.float32, np.float64
    red, green, blue = (array[..., channel].astype(np.int32) for channel in range(3))
    value, least = array.max(2).astype(np.int32), array.min(2).astype(np.int32)
    grey = value == least
    spread = np.where(grey, 1, value - least).astype(f32)
    saturation = spread / np.maximum(value, 1).astype(f32)
    reds, greens, blues = ((value - channel).astype(f32) / spread for channel in (red, green, blue))
    hue = np.where(
        red == value, (blues - greens).astype(f64),
        np.where(green == value, 2.0 + reds.astype(f64) - blues, 4.0 + greens.astype(f64) - reds),
    ).astype(f32)
    hue = np.fmod(hue.astype(f64) / 6.0 + 1.0, 1.0).astype(f32)
    hue = np.where(grey, 0, (hue.astype(f64) * 255.0).astype(np.int32))
    saturation = np.where(grey, 0, (saturation.astype(f64) * 255.0).astype(np.int32))
    hue = (hue + int(factor * 255)) % 256  # int() rounds towards 0

    sixths = hue.astype(f64) * 6.0 / 255.0
    sector = np.floor(sixths).astype(np.int32)
    rest = (sixths - sector).astype(f32).astype(f64)
    share = (saturation.astype(f32) / f32(255)).astype(f64)

    def rounded(values):  # halves away from zero
        return np.floor(values + 0.5).astype(np.int32)

    p = rounded(value * (1.0 - share))
    q = rounded(value * (1.0 - (share * rest)))
    t = rounded(value * (1.0 - share * (1.0 - rest)))
    colours = [(value, t, p), (q, value, p), (p, value, t), (p, q, value), (t, p, value), (value, p, q)]
    result = np.zeros_like(array)
    for number, colour in enumerate(colours):
        chosen = (sector % 6 == number) & (saturation > 0)
        for channel in range(3):
            result[..., channel][chosen] = colour[channel][chosen]
    result[saturation == 0] = value[saturation == 0][:, None]
    return result


def by_rotate(array, degrees):
    """Copies each pixel from the inverse rotation of its centre, in 16.16 fixed point."""
    height, width = array.shape[:2]
    angle = -math.radians(degrees % 360.0)
    cosine, sine = round(math.cos(angle), 15), round(math.sin(angle), 15)
    matrix = [cosine, sine, 0.0, round(-math.sin(angle), 15), cosine, 0.0]
    middle = (width / 2, height / 2)
    matrix[2] = matrix[0] * -middle[0] + matrix[1] * -middle[1] + middle[0]
    matrix[5] = matrix[3] * -middle[0] + matrix[4] * -middle[1] + middle[1]
    fixed = lambda number: math.floor(number * 65536.0 + 0.5)
    a, b, d, e = (fixed(matrix[place]) for place in (0, 1, 3, 4))
    c = fixed(matrix[2] + matrix[0] * 0.5 + matrix[1] * 0.5)
    f = fixed(matrix[5] + matrix[3] * 0.5 + matrix[4] * 0.5)
    result = np.zeros_like(array)
    for y in range(height):
        for x in range(width):
            from_x, from_y = (c + b * y + a * x) >> 16, (f + e * y + d * x) >> 16
            if 0 <= from_x < width and 0 <= from_y < height:
                result[y, x] = array[from_y, from_x]
    return result


JITTER = {
    "b": (functional.adjust_brightness, by_brightness),
    "c": (functional.adjust_contrast, by_contrast),
    "s": (functional.adjust_saturation, by_saturation),
    "h": (functional.adjust_hue, by_hue),
}
NAMES = {"b": "brightness", "c": "contrast", "s": "saturation", "h": "hue"}


def line(operation, picture, parameters, answer, own):
    """Prints a line after checking that torchvision's answer matches the formula."""
    if own is not None and not np.array_equal(np.asarray(answer), own):
        sys.exit(f"{operation} {parameters} of {picture}: torchvision and the formula differ")
    width, height = picture.size
    print(operation, picture.mode.lower(), width, height, *parameters, answer.tobytes().hex())


def jitter(letter, picture, factor):
    theirs, own = JITTER[letter]
    line(NAMES[letter], picture, [factor], theirs(picture, factor), own(np.asarray(picture), factor))


def draws():
    """Runs RandomResizedCrop.get_params on known draws."""
    source = iter(())
    torch.Tensor.uniform_ = lambda tensor, low, high: tensor.fill_(float(low) + next(source) * (float(high) - float(low)))
    torch.randint = lambda low, high, size: torch.tensor([low + int(next(source) * (high - low))])
    half, usual = (0.5, 1.0), (0.75, 1.25)
    cases = [
        (LARGE, half, usual, [0.1, 0.5, 0.3, 0.9]),
        (LARGE, (0.08, 1.0), usual, [0.02, 0.05, 0.99, 0.0]),
        (LARGE, half, usual, [0.9, 0.9, 0.2, 0.7, 0.6, 0.4]),
        (SMALL, (1.0, 1.0), (1.0, 1.0), [0.5, 0.5] * 10),  # never fits; wide
        ((9, 12), (1.0, 1.0), (1.0, 1.0), [0.5, 0.5] * 10),  # never fits; high
        ((10, 9), (1.0, 1.0), (0.5, 2.0), [0.5, 0.9] * 10),  # never fits; the whole image
        ((1, 1), half, usual, [0.0, 0.5, 0.9, 0.9]),
        ((500, 375), half, usual, [0.25, 0.75, 0.5, 0.5]),
    ]
    for size, scale, ratio, numbers in cases:
        source = iter(numbers)
        picture = Image.new("L", size)
        top, left, height, width = transforms.RandomResizedCrop.get_params(picture, list(scale), list(ratio))
        used = len(numbers) - len(list(source))
        print("draw", *size, *scale, *ratio, ",".join(map(str, numbers[:used])), "=", top, left, height, width)


def main():
    pictures = [image(mode, size) for mode in ("RGB", "L") for size in (SMALL, LARGE)]
    for picture in pictures[1::2]:
        for top, left, height, width, side in CROPS:
            answer = functional.resized_crop(picture, top, left, height, width, [side, side], antialias=True)
            line("crop", picture, [top, left, height, width, side], answer, None)
    for picture in (pictures[1], pictures[2]):
        for angle in ANGLES:
            line("rotate", picture, [angle], functional.rotate(picture, angle), by_rotate(np.asarray(picture), angle))
    for picture in pictures:
        for letter in "bcsh":
            for factor in HUES if letter == "h" else FACTORS:
                if picture.size == SMALL or factor in (0.55, 1.8, -0.31, 0.2):
                    jitter(letter, picture, factor)
    for picture in pictures[:3]:
        for order in ("bcsh", "hscb", "cbhs"):
            answer, own = picture, np.asarray(picture)
            factors = {"b": 1.3, "c": 0.7, "s": 1.4, "h": -0.08}
            for letter in order:
                answer, own = JITTER[letter][0](answer, factors[letter]), JITTER[letter][1](own, factors[letter])
            line("chain", picture, [order, *factors.values()], answer, own)
    draws()


if __name__ == "__main__":
    main()
