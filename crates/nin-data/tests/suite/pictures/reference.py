"""Draws the unusual pictures of this folder and writes PIL's results to table.txt.

    pip install pillow==11.3.0 numpy
    apt-get install libjpeg-turbo-progs     # cjpeg, for samplings and restart markers
    python reference.py

The reference for every picture: turn it upright with `exif_transpose`, convert 16 bits as round(v / 257),
blend transparent parts over white, `convert("RGB")` or `convert("L")`, reduce, fit to INPUT.

A row is `FILE ok HEIGHT WIDTH` and eight hashes, or `FILE refused WORDS` with words of the error. A hash is
the start of the SHA-256 of all planes: the picture itself, then stretched, cropped and padded, first in
colour, then in grey.
"""
import hashlib
import io
import struct
import subprocess
import zlib
from pathlib import Path

import numpy as np
import PIL
from PIL import Image, ImageOps, PngImagePlugin

assert PIL.__version__ == "11.3.0", PIL.__version__
FOLDER = Path(__file__).parent
INPUT = (24, 20)  # height and width
SIZE = (58, 75)
BILINEAR = Image.Resampling.BILINEAR
rows = []
sixteen = {}  # 16-bit pictures that PIL reads in 8 bits, as arrays


# PIL's result for a file.

def upright_and_opaque(name, file):
    if name in sixteen:
        array = sixteen[name].astype(np.uint32)
        array = ((2 * array + 257) // 514).astype(np.uint8)  # round(v / 257); no halves occur
        image = Image.fromarray(array.squeeze() if array.shape[2] == 1 else array)
    else:
        image = Image.open(io.BytesIO(file))
        image.load()
        image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):
        array = np.asarray(image).astype(np.uint32)
        image = Image.fromarray(((2 * array + 257) // 514).astype(np.uint8))
    if "transparency" in image.info or image.mode in ("LA", "PA", "RGBA"):
        image = image.convert("RGBA")
        white = Image.new("RGB", image.size, (255, 255, 255))
        white.paste(image, mask=image.getchannel("A"))
        image = white
    return image.convert("RGB")


def reduced(image):
    target = 2 * max(INPUT)
    shorter = min(image.size)
    if shorter <= target:
        return image
    return image.resize([(2 * side * target + shorter) // (2 * shorter) for side in image.size], BILINEAR)


def stretched(image):
    return image.resize(INPUT[::-1], BILINEAR)


def cropped(image):
    """Computes torchvision's Resize of the shorter side and CenterCrop, for an input of any aspect ratio."""
    (width, height), (high, wide) = image.size, INPUT
    if width * high >= height * wide:
        size = (int(high * width / height), high)
    else:
        size = (wide, int(wide * height / width))
    image = image.resize(size, BILINEAR)
    left, top = [int(round((side - part) / 2.0)) for side, part in zip(size, (wide, high))]
    return image.crop((left, top, left + wide, top + high))


def padded(image):
    (width, height), (high, wide) = image.size, INPUT
    scale = min(high / height, wide / width)
    inner = [min(max(int(side * scale + 0.5), 1), most) for side, most in ((width, wide), (height, high))]
    array = np.asarray(image).reshape(height, width, -1)
    sides = [array[1:-1, 0], array[1:-1, -1], array[-1]] if height > 1 else []
    edge = np.concatenate([array[0], *sides])
    colour = [int(np.sort(edge[:, plane])[(len(edge) - 1) // 2]) for plane in range(array.shape[2])]
    filled = Image.new(image.mode, (wide, high), tuple(colour) if len(colour) > 1 else colour[0])
    filled.paste(image.resize(inner, BILINEAR), ((wide - inner[0]) // 2, (high - inner[1]) // 2))
    return filled


def digest(image):
    array = np.asarray(image).reshape(image.height, image.width, -1)
    return hashlib.sha256(array.transpose(2, 0, 1).tobytes()).hexdigest()[:16]


def accept(name, file, like=None):
    """Adds a picture that decodes. `like` is a file with the same pixels, if PIL rejects `file` itself."""
    (FOLDER / name).write_bytes(file)
    image = upright_and_opaque(name, like or file)
    hashes = []
    for mode in ("RGB", "L"):
        converted = image.convert(mode)
        small = reduced(converted)
        hashes += [digest(made) for made in (converted, stretched(small), cropped(small), padded(small))]
    rows.append(" ".join([name, "ok", str(image.height), str(image.width), *hashes]))


def refuse(name, words, file):
    (FOLDER / name).write_bytes(file)
    rows.append(f"{name} refused {words}")


# The drawings.

def drawing(height, width, seed=0):
    """Draws smooth colours with edges and some noise, like a photo."""
    noise = np.random.Generator(np.random.PCG64(seed))
    y, x = np.mgrid[0:height, 0:width] / max(height, width)
    planes = [np.sin(9 * x + 4 * y) * 90 + 120, 200 * y + 40 * np.cos(20 * x), 255 * (x + y > 0.8)]
    array = np.stack(planes, 2) + noise.normal(0, 7, (height, width, 3))
    return np.clip(array, 0, 255).astype(np.uint8)


def saved(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def cjpeg(image, *options):
    ppm = saved(image, "PPM")
    return subprocess.run(["cjpeg", "-quality", "88", *options], input=ppm, stdout=subprocess.PIPE, check=True).stdout


def chunk(name, body):
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(array, depth, kind, before=b"", after=b"", interlaced=False):
    """Encodes samples [height, width, channels] of `depth` bits as a PNG."""
    height, width, _ = array.shape

    def scanlines(part):
        part = part.reshape(part.shape[0], -1)
        if depth == 16:
            lines = part.astype(">u2").view(np.uint8).reshape(part.shape[0], -1)
        elif depth == 8:
            lines = part.astype(np.uint8)
        else:
            bits = (part[:, :, None] >> np.arange(depth)[::-1]) & 1
            lines = np.packbits(bits.reshape(part.shape[0], -1).astype(np.uint8), axis=1)
        return b"".join(b"\0" + line.tobytes() for line in lines)

    if interlaced:
        passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
        data = b"".join(scanlines(array[y::down, x::across]) for y, x, down, across in passes)
    else:
        data = scanlines(array)
    head = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, int(interlaced))
    body = chunk(b"IHDR", head) + before + chunk(b"IDAT", zlib.compress(data)) + after
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


def segment(marker, body):
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(body) + 2) + body


def exif(orientation, order="<", thumbnail=None):
    """Builds the smallest EXIF structure with an orientation."""
    mark = b"II*\0" if order == "<" else b"MM\0*"
    head = mark + struct.pack(order + "IH", 8, 1)
    entry = struct.pack(order + "HHIHH", 0x0112, 3, 1, orientation, 0)
    if thumbnail is None:
        return head + entry + struct.pack(order + "I", 0)
    second = 8 + 2 + 12 + 4
    offset = second + 2 + 24 + 4
    entries = struct.pack(order + "HHII", 0x0201, 4, 1, offset) + struct.pack(order + "HHII", 0x0202, 4, 1, len(thumbnail))
    return head + entry + struct.pack(order + "I", second) + struct.pack(order + "H", 2) + entries + struct.pack(order + "I", 0) + thumbnail


def with_segment(jpeg, body):
    return jpeg[:2] + body + jpeg[2:]


def markers(jpeg):
    """Returns the offset of each segment by its marker, and the offset of the first scan's data."""
    places, at = {}, 2
    while True:
        places.setdefault(jpeg[at + 1], at)
        length = struct.unpack(">H", jpeg[at + 2:at + 4])[0]
        if jpeg[at + 1] == 0xDA:
            return places, at + 2 + length
        at += 2 + length


def planar_tiff(planes):
    """Encodes an 8-bit CMYK TIFF with one strip per ink, which PIL does not write."""
    count, height, width = planes.shape
    first = 8 + 2 + 9 * 12 + 4  # header, directory, end of directories
    strips = first + 3 * 4 * count
    offsets = struct.pack(f"<{count}I", *[strips + at * height * width for at in range(count)])
    lengths = struct.pack(f"<{count}I", *[height * width] * count)
    depths = struct.pack(f"<{count}H", *[8] * count).ljust(4 * count, b"\0")
    entries = [
        (256, 4, 1, width), (257, 4, 1, height), (258, 3, count, first + 8 * count), (259, 3, 1, 1), (262, 3, 1, 5),
        (273, 4, count, first), (277, 3, 1, count), (279, 4, count, first + 4 * count), (284, 3, 1, 2),
    ]
    directory = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    head = b"II*\0" + struct.pack("<IH", 8, len(entries)) + directory + bytes(4)
    return head + offsets + lengths + depths + planes.tobytes()


def zeroed(file, at, count):
    return file[:at] + bytes(count) + file[at + count:]


array = drawing(*SIZE)
image = Image.fromarray(array)
grey = Image.fromarray(array[:, :, 1])
tall = Image.fromarray(drawing(120, 47, 3))
alpha = np.dstack([array, np.tile(np.linspace(0, 255, SIZE[1]).astype(np.uint8), (SIZE[0], 1))])
see_through = Image.fromarray(alpha)
palette = image.quantize(200)

# JPEG: samplings, modes, scans, and the segments around them.
for name, options in [
    ("444", ["-sample", "1x1"]), ("422", ["-sample", "2x1"]), ("420", ["-sample", "2x2"]),
    ("440", ["-sample", "1x2"]), ("411", ["-sample", "4x1"]), ("410", ["-sample", "4x2"]),
    ("441", ["-sample", "1x4"]), ("311", ["-sample", "3x1"]),
    ("progressive", ["-progressive"]), ("progressive-444", ["-progressive", "-sample", "1x1"]),
    ("restart", ["-restart", "2B"]), ("restart-progressive", ["-progressive", "-restart", "1"]),
    ("optimized", ["-optimize"]), ("grey", ["-grayscale"]), ("grey-progressive", ["-grayscale", "-progressive"]),
]:
    accept(f"jpeg-{name}.jpg", cjpeg(image, *options))
baseline, progressive = cjpeg(image), cjpeg(image, "-progressive")
accept("jpeg-best.jpg", saved(image, "JPEG", quality=100, subsampling=0))
accept("jpeg-worst.jpg", saved(image, "JPEG", quality=1))
accept("jpeg-large.jpg", saved(Image.fromarray(drawing(333, 500, 5)), "JPEG", quality=60))
accept("jpeg-tall.jpg", saved(tall, "JPEG", quality=80))
accept("jpeg-one-pixel.jpg", saved(image.crop((9, 9, 10, 10)), "JPEG"))
accept("jpeg-two-columns.jpg", saved(image.crop((9, 9, 11, 40)), "JPEG"))
accept("jpeg-rgb.jpg", saved(image, "JPEG", quality=90, keep_rgb=True))
cmyk = saved(image.convert("CMYK"), "JPEG", quality=90)
accept("jpeg-cmyk.jpg", cmyk)
adobe = markers(cmyk)[0].get(0xEE)
if adobe is None:
    cmyk = with_segment(cmyk, segment(0xEE, b"Adobe\0\x64\0\0\0\0\0"))
    accept("jpeg-cmyk-adobe.jpg", cmyk)
    adobe = markers(cmyk)[0][0xEE]
accept("jpeg-ycck.jpg", cmyk[:adobe + 15] + b"\x02" + cmyk[adobe + 16:])
for orientation in range(1, 9):
    order = "<>"[orientation % 2]
    accept(f"jpeg-exif-{orientation}.jpg", with_segment(baseline, segment(0xE1, b"Exif\0\0" + exif(orientation, order))))
accept("jpeg-exif-9.jpg", with_segment(baseline, segment(0xE1, b"Exif\0\0" + exif(9))))
accept("jpeg-exif-broken.jpg", with_segment(baseline, segment(0xE1, b"Exif\0\0II*\0\xff\xff\xff\xff")))
thumbnail = saved(Image.fromarray(255 - array[:24, :32]), "JPEG")
accept("jpeg-thumbnail.jpg", with_segment(baseline, segment(0xE1, b"Exif\0\0" + exif(6, thumbnail=thumbnail))))
xmp = b'http://ns.adobe.com/xap/1.0/\0<x:xmpmeta><rdf:Description tiff:Orientation="8"/></x:xmpmeta>'
accept("jpeg-xmp.jpg", with_segment(baseline, segment(0xE1, xmp)))
accept("jpeg-trailing.jpg", baseline + b"\0\1\2 trailing bytes" + thumbnail)
accept("jpeg-no-end.jpg", baseline[:-2], like=baseline)
accept("jpeg-progressive-no-end.jpg", progressive[:-2], like=progressive)
places, data = markers(baseline)
accept("jpeg-fill.jpg", baseline[:places[0xC0]] + b"\xff\xff" + baseline[places[0xC0]:-2] + b"\xff\xff" + baseline[-2:])
accept("jpeg-between.jpg", baseline[:places[0xC0]] + b"\0\0\0" + baseline[places[0xC0]:])
accept("jpeg-comment.jpg", with_segment(baseline, segment(0xFE, b"\xff\xda\xff\xd9 not a marker")))

# PNG: 1 to 16 bits, palettes, alpha.
for depth in (1, 2, 4):
    accept(f"png-grey-{depth}.png", png(array[:, :, :1] >> (8 - depth), depth, 0))
wide = array.astype(np.uint16) * 257 ^ np.arange(SIZE[1] * 3, dtype=np.uint16).reshape(1, -1, 3)
wide_alpha = np.dstack([wide, alpha[:, :, 3].astype(np.uint16) * 256 + 77])
accept("png-grey-8.png", saved(grey, "PNG"))
accept("png-grey-16.png", png(wide[:, :, :1], 16, 0))
for name, samples, kind in [("png-rgb-16.png", wide, 2), ("png-rgba-16.png", wide_alpha, 6)]:
    sixteen[name] = samples
    accept(name, png(samples, 16, kind))
accept("png-rgb.png", saved(image, "PNG"))
accept("png-rgba.png", saved(see_through, "PNG"))
accept("png-grey-alpha.png", saved(see_through.convert("LA"), "PNG"))
for depth in (1, 2, 4, 8):
    few = image.quantize(min(2 ** depth, 256))
    accept(f"png-palette-{depth}.png", saved(few, "PNG", bits=depth))
accept("png-palette-alpha.png", saved(palette, "PNG", transparency=bytes(range(200))))
accept("png-rgb-transparent.png", saved(image, "PNG", transparency=tuple(int(value) for value in array[3, 5])))
accept("png-grey-transparent.png", saved(grey, "PNG", transparency=int(array[3, 5, 1])))
accept("png-interlaced.png", png(array, 8, 2, interlaced=True))
accept("png-exif-6.png", png(array, 8, 2, before=chunk(b"eXIf", exif(6))))
accept("png-exif-3.png", png(array, 8, 2, before=chunk(b"eXIf", exif(3, ">"))))
accept("png-animated.png", saved(image, "PNG", save_all=True, append_images=[Image.fromarray(255 - array)]))
accept("png-one-pixel.png", saved(image.crop((3, 3, 4, 4)), "PNG"))
accept("png-line.png", saved(image.crop((0, 7, 75, 8)), "PNG"))
accept("png-trailing.png", saved(image, "PNG") + b"trailing")
# One side already has the input size, so the crop starts at the first row or column.
for height, width in [(22, 20), (24, 19), (24, 21), (25, 20)]:
    accept(f"png-{height}x{width}.png", saved(Image.fromarray(drawing(height, width, 7)), "PNG"))

# WebP, GIF, BMP, TIFF.
accept("webp-lossless.webp", saved(image, "WEBP", lossless=True))
accept("webp-alpha.webp", saved(see_through, "WEBP", lossless=True, exact=True))
accept("webp-lossy.webp", saved(image, "WEBP", quality=80))
accept("webp-exif-8.webp", saved(image, "WEBP", lossless=True, exif=b"Exif\0\0" + exif(8)))
accept("webp-animated.webp", saved(image, "WEBP", lossless=True, save_all=True, append_images=[Image.fromarray(255 - array)]))
accept("gif.gif", saved(palette, "GIF"))
accept("gif-grey.gif", saved(grey, "GIF"))
accept("gif-transparent.gif", saved(palette, "GIF", transparency=7))
accept("gif-plain.gif", saved(palette, "GIF", interlace=0))
accept("gif-animated.gif", saved(palette, "GIF", save_all=True, append_images=[Image.fromarray(255 - array).quantize(50)]))
accept("bmp-24.bmp", saved(image, "BMP"))
accept("bmp-32.bmp", saved(see_through, "BMP"))
accept("bmp-8.bmp", saved(palette, "BMP"))
accept("bmp-grey.bmp", saved(grey, "BMP"))
accept("bmp-1.bmp", saved(image.convert("1"), "BMP"))
accept("tiff-rgb.tif", saved(image, "TIFF"))
accept("tiff-rgb-lzw.tif", saved(image, "TIFF", compression="tiff_lzw"))
accept("tiff-rgb-deflate.tif", saved(image, "TIFF", compression="tiff_adobe_deflate"))
accept("tiff-rgb-packbits.tif", saved(image, "TIFF", compression="packbits"))
accept("tiff-grey.tif", saved(grey, "TIFF"))
accept("tiff-grey-16.tif", saved(Image.fromarray(wide[:, :, 0]), "TIFF"))
accept("tiff-1.tif", saved(image.convert("1"), "TIFF"))
accept("tiff-rgba.tif", saved(see_through, "TIFF"))
accept("tiff-cmyk.tif", saved(image.convert("CMYK"), "TIFF"))
for orientation in (3, 6):
    accept(f"tiff-exif-{orientation}.tif", saved(image, "TIFF", tiffinfo={0x0112: orientation}))
accept("tiff-pages.tiff", saved(image, "TIFF", save_all=True, append_images=[grey]))

# Errors by format.
refuse("avif.avif", "AVIF", saved(image, "AVIF"))
refuse("heic.heic", "HEIC", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(64))
refuse("text.png", "neither JPEG", b"no picture at all\n")
refuse("empty.jpg", "neither JPEG", b"")
refuse("tiff-grey-alpha.tif", "unsupported kind of TIFF", saved(see_through.convert("LA"), "TIFF"))
refuse("tiff-palette.tif", "unsupported kind of TIFF", saved(palette, "TIFF"))
inks = np.asarray(image.convert("CMYK")).transpose(2, 0, 1)
refuse("tiff-cmyk-planar.tif", "unsupported kind of TIFF", planar_tiff(inks))
refuse("jpeg-arithmetic.jpg", "arithmetic coding", cjpeg(image, "-arithmetic"))

# Damaged: every format truncated, and other detectable damage.
middle = (data + len(baseline)) // 2
refuse("damaged-half.jpg", "incomplete or damaged JPEG", baseline[:len(baseline) // 2])
refuse("damaged-nearly-whole.jpg", "incomplete or damaged JPEG", baseline[:-12])
refuse("damaged-header-only.jpg", "incomplete or damaged JPEG", baseline[:data])
refuse("damaged-start-only.jpg", "incomplete or damaged JPEG", baseline[:3])
refuse("damaged-zeros.jpg", "incomplete or damaged JPEG", zeroed(baseline, middle, 400))
refuse("damaged-zeros-to-the-end.jpg", "incomplete or damaged JPEG", zeroed(baseline, middle, len(baseline) - middle))
refuse("damaged-removed.jpg", "incomplete or damaged JPEG", baseline[:middle] + baseline[middle + 300:])
refuse("damaged-tables.jpg", "incomplete or damaged JPEG", zeroed(baseline, places[0xDB] + 4, 40))
refuse("damaged-frame.jpg", "incomplete or damaged JPEG", zeroed(baseline, places[0xC0], 12))
refuse("damaged-extra.jpg", "incomplete or damaged JPEG", baseline[:-2] + baseline[data:data + 200] + baseline[-2:])
refuse("damaged-marker-inside.jpg", "incomplete or damaged JPEG", baseline[:middle] + b"\xff\xc4" + baseline[middle + 2:])
refuse("damaged-end-inside.jpg", "incomplete or damaged JPEG", baseline[:middle] + b"\xff\xd9" + baseline[middle + 2:])
restarts = (FOLDER / "jpeg-restart.jpg").read_bytes()
second, third = restarts.index(b"\xff\xd1"), restarts.index(b"\xff\xd2")
refuse("damaged-restart-order.jpg", "incomplete or damaged JPEG", restarts[:second] + b"\xff\xd5" + restarts[second + 2:])
refuse("damaged-restart-missing.jpg", "incomplete or damaged JPEG", restarts[:second] + restarts[third:])
refuse("damaged-progressive-half.jpg", "incomplete or damaged JPEG", progressive[:len(progressive) // 2])
refuse("damaged-progressive-zeros.jpg", "incomplete or damaged JPEG", zeroed(progressive, len(progressive) // 2, 400))
last_scan = progressive.rindex(b"\xff\xda")
refuse("damaged-progressive-scan.jpg", "incomplete or damaged JPEG", progressive[:last_scan])
refuse("damaged-progressive-scan-end.jpg", "incomplete or damaged JPEG", progressive[:last_scan] + b"\xff\xd9")
whole = saved(image, "PNG")
refuse("damaged-half.png", "incomplete or damaged PNG", whole[:len(whole) // 2])
refuse("damaged-zeros.png", "incomplete or damaged PNG", zeroed(whole, len(whole) // 2, 100))
refuse("damaged-no-end.png", "incomplete or damaged PNG", whole[:-12])
whole = (FOLDER / "webp-lossless.webp").read_bytes()
refuse("damaged-half.webp", "incomplete or damaged WebP", whole[:len(whole) // 2])
whole = (FOLDER / "webp-lossy.webp").read_bytes()
refuse("damaged-lossy.webp", "incomplete or damaged WebP", whole[:len(whole) // 2])
whole = (FOLDER / "gif.gif").read_bytes()
refuse("damaged-half.gif", "incomplete or damaged GIF", whole[:len(whole) // 2])
refuse("damaged-zeros.gif", "incomplete or damaged GIF", zeroed(whole, len(whole) // 2, 400))
whole = (FOLDER / "bmp-24.bmp").read_bytes()
refuse("damaged-half.bmp", "incomplete or damaged BMP", whole[:len(whole) // 2])
whole = (FOLDER / "tiff-rgb.tif").read_bytes()
refuse("damaged-half.tif", "incomplete or damaged TIFF", whole[:len(whole) // 2])
whole = (FOLDER / "tiff-rgb-lzw.tif").read_bytes()
refuse("damaged-zeros.tif", "incomplete or damaged TIFF", zeroed(whole, len(whole) // 2, 400))

head = "# Written by reference.py: FILE ok HEIGHT WIDTH, hashes of colour and grey; or FILE refused WORDS.\n"
(FOLDER / "table.txt").write_text(head + "\n".join(rows) + "\n")
print(len(rows), "pictures")
