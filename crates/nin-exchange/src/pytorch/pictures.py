def opaque(image):
    """Turns the image upright, converts it to 8 bits, blends it over white, makes it grey or RGB."""
    from PIL import Image, ImageOps

    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):  # 16 bits: round(v / 257)
        image = image.convert("F").point(lambda value: value / 257 + 0.5).convert("L")
    if "transparency" in image.info or image.mode in ("LA", "La", "PA", "RGBA", "RGBa"):
        image = image.convert("RGBA")
        white = Image.new("RGB", image.size, (255, 255, 255))
        white.paste(image, mask=image.getchannel("A"))
        image = white
    return image.convert("RGB").convert("L") if CHANNELS == 1 else image.convert("RGB")


def rim(plane):
    """Returns the median of the border pixels of one channel."""
    width, height = plane.size
    sides = [(0, 0, width, 1)]
    if height > 1:
        sides += [(0, height - 1, width, height), (0, 1, 1, height - 1), (width - 1, 1, width, height - 1)]
    values = sorted(value for side in sides for value in plane.crop(side).tobytes())
    return values[(len(values) - 1) // 2]


def has_bright_ground(image):
    width, height = image.size
    corners = [(0, 0), (width - 1, 0), (0, height - 1), (width - 1, height - 1)]
    return sum(image.getpixel(corner) >= 128 for corner in corners) >= 3 and rim(image) >= 128


def fitted(image):
    """Fits the image to INPUT_SIZE."""
    from PIL import Image

    bilinear = Image.Resampling.BILINEAR
    high, wide = INPUT_SIZE
    target = 2 * max(high, wide)
    shorter = min(image.size)
    if FIT is not None and shorter > target:  # large pictures are reduced first, as in training
        sides = [(2 * side * target + shorter) // (2 * shorter) for side in image.size]
        image = image.resize(sides, bilinear)
    width, height = image.size
    if FIT == "stretch":
        return image.resize((wide, high), bilinear)
    if FIT == "crop":
        covers = width * high >= height * wide
        sides = (high * width // height, high) if covers else (wide, wide * height // width)
        left, top = [round((side - part) / 2) for side, part in zip(sides, (wide, high))]
        return image.resize(sides, bilinear).crop((left, top, left + wide, top + high))
    scale = min(high / height, wide / width)
    sides = [
        min(max(math.floor(side * scale + 0.5), 1), most)
        for side, most in ((width, wide), (height, high))
    ]
    ground = tuple(rim(plane) for plane in image.split())
    filled = Image.new(image.mode, (wide, high), ground if len(ground) > 1 else ground[0])
    filled.paste(image.resize(sides, bilinear), ((wide - sides[0]) // 2, (high - sides[1]) // 2))
    return filled


def prepared(image, invert=None):
    """Returns the network's input as a PIL image."""
    from PIL import ImageOps

    image = opaque(image)
    if invert is None:
        invert = BLACK_GROUND and CHANNELS == 1 and has_bright_ground(image)
    image = fitted(image)
    return ImageOps.invert(image) if invert else image

