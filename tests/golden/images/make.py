"""Makes the image files of this folder and what Pillow, OpenCV and torchvision read from them.

    python make.py

Files: small pictures in every format and pixel layout that the library reads; `expected.bin`, the
upright RGB bytes of each, one after the other; `manifest.json`, which names them with their
offsets, sizes and the tolerance in levels, and the versions that made them.

Lossless files must be equal. Lossy ones may differ by the rounding of inverse DCT, colour
conversion and chroma upsampling, which no standard fixes; the tolerance says how much.
"""

import io
import json
import pathlib
import zlib

import cv2
import numpy
import PIL
import PIL.ImageOps
import torch
import torchvision
from torchvision.transforms.v2 import functional
from PIL import Image

HERE = pathlib.Path(__file__).parent
cases, resizes, refused = [], [], []
expected = bytearray()
WIDTH, HEIGHT = 37, 22


def picture(width=WIDTH, height=HEIGHT):
    """Smooth and different in every corner, so that a wrong orientation shows."""
    y, x = numpy.mgrid[0:height, 0:width] / (max(height, width) - 1)
    waves = [0.15 + 0.8 * x, 0.5 + 0.45 * numpy.sin(5 * y + 2 * x), 0.9 - 0.7 * y]
    return (numpy.stack(waves, 2) * 255).round().astype(numpy.uint8)


def keep(name, pixels, tolerance=0):
    pixels = numpy.ascontiguousarray(pixels, dtype=numpy.uint8)
    cases.append({"file": name, "offset": len(expected), "width": pixels.shape[1],
                  "height": pixels.shape[0], "tolerance": tolerance})
    expected.extend(pixels.tobytes())


def by_pillow(name, tolerance=0):
    image = PIL.ImageOps.exif_transpose(Image.open(HERE / name))
    keep(name, numpy.asarray(image.convert("RGB")), tolerance)


def save(name, image, tolerance=0, **options):
    image.save(HERE / name, **options)
    by_pillow(name, tolerance)


def from_16_bits(values):
    return numpy.floor(values / 257 + 0.5).astype(numpy.uint8)


rgb = Image.fromarray(picture())
grey = rgb.convert("L")
ramp = numpy.linspace(0, 255, WIDTH * HEIGHT).reshape(HEIGHT, WIDTH).round().astype(numpy.uint8)
alpha = Image.fromarray(ramp)
rgba = rgb.copy()
rgba.putalpha(alpha)
sixteen = (picture().astype(numpy.uint16) * 251 + 77).astype(numpy.uint16)


def jpegs():
    save("baseline_444.jpg", rgb, 2, quality=95, subsampling=0)
    save("baseline_420.jpg", rgb, 6, quality=95, subsampling=2)
    save("progressive.jpg", rgb, 6, quality=90, progressive=True)
    save("restart.jpg", rgb, 2, quality=95, subsampling=0, restart_marker_blocks=2)
    save("grey.jpg", grey, 1, quality=95)
    save("cmyk.jpg", rgb.convert("CMYK"), 3, quality=95)
    # The same data declared as YCCK: byte 11 of Adobe's segment names the colour transform.
    data = bytearray((HERE / "cmyk.jpg").read_bytes())
    data[data.index(b"Adobe") + 11] = 2
    (HERE / "ycck.jpg").write_bytes(data)
    by_pillow("ycck.jpg", 4)
    # A second picture behind the first and a thumbnail inside APP1, as cameras write them.
    thumbnail = io.BytesIO()
    rgb.resize((8, 6)).save(thumbnail, "jpeg")
    app1 = b"Thumb\0" + thumbnail.getvalue()
    data = (HERE / "baseline_444.jpg").read_bytes()
    segment = b"\xff\xe1" + (len(app1) + 2).to_bytes(2, "big") + app1
    (HERE / "thumbnail_and_tail.jpg").write_bytes(data[:2] + segment + data[2:] + thumbnail.getvalue())
    by_pillow("thumbnail_and_tail.jpg", 2)


def orientations():
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        save(f"orientation_{orientation}.jpg", rgb, 2, quality=95, subsampling=0, exif=exif)
    exif = Image.Exif()
    exif[0x0112] = 6
    save("orientation_6.png", rgb, exif=exif)
    save("orientation_6.webp", rgb, lossless=True, exif=exif)
    save("orientation_6.tif", rgb, exif=exif)


def pngs():
    save("rgb.png", rgb)
    save("grey.png", grey)
    save("one_bit.png", grey.convert("1"))
    save("palette.png", rgb.quantize(16))
    palette = rgb.quantize(200)
    save("palette_transparent.png", palette, transparency=7)
    save("rgba.png", rgba)
    grey_alpha = grey.copy()
    grey_alpha.putalpha(alpha)
    save("grey_alpha.png", grey_alpha)
    cv2.imwrite(str(HERE / "rgb_16.png"), sixteen[:, :, ::-1])
    keep("rgb_16.png", from_16_bits(sixteen))
    cv2.imwrite(str(HERE / "grey_16.png"), sixteen[:, :, 0])
    keep("grey_16.png", from_16_bits(sixteen[:, :, :1]).repeat(3, 2))


def others():
    save("lossy.webp", rgb, 4, quality=90)
    save("lossy_alpha.webp", rgba, 4, quality=90, exact=True)
    save("lossless.webp", rgb, lossless=True)
    save("animated.webp", rgb, save_all=True, append_images=[rgb.rotate(180)], lossless=True)
    save("rgb.bmp", rgb)
    save("grey.bmp", grey)
    save("palette.bmp", rgb.quantize(16))
    save("one_bit.bmp", grey.convert("1"))
    save("rgb.tif", rgb)
    save("lzw.tif", rgb, compression="tiff_lzw")
    save("deflate.tif", rgb, compression="tiff_adobe_deflate")
    save("packbits.tif", rgb, compression="packbits")
    save("grey.tif", grey)
    save("rgba.tif", rgba)
    save("one_bit.tif", grey.convert("1"))
    cv2.imwrite(str(HERE / "rgb_16.tif"), sixteen[:, :, ::-1])
    keep("rgb_16.tif", from_16_bits(sixteen))
    save("line.png", rgb.resize((2000, 3)))
    save("dot.jpg", Image.new("RGB", (1, 1), (10, 20, 30)), 2, quality=95)


def refusals():
    """Files that must answer an error that contains these words."""
    cv2.imwrite(str(HERE / "float.tif"), picture() / numpy.float32(255))
    refused.append({"file": "float.tif", "words": "floating point"})
    (HERE / "text.jpg").write_text("I am not a picture, whatever my name says.\n")
    refused.append({"file": "text.jpg", "words": "not a JPEG"})
    # The header of a PNG that claims 60,000 x 60,000 pixels, with a valid checksum and no data.
    header = b"IHDR" + (60000).to_bytes(4, "big") * 2 + bytes([8, 2, 0, 0, 0])
    chunk = (13).to_bytes(4, "big") + header + zlib.crc32(header).to_bytes(4, "big")
    data = b"IDAT" + zlib.compress(b"\0" * 1000)
    chunk += (len(data) - 4).to_bytes(4, "big") + data + zlib.crc32(data).to_bytes(4, "big")
    (HERE / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunk)
    refused.append({"file": "bomb.png", "words": "3600000000 is over the limit of 100000000"})


def resizing():
    """Pillow's and torchvision's antialiased triangle filter; they must agree here already."""
    source = numpy.random.default_rng(5).integers(0, 256, (47, 61, 3), dtype=numpy.uint8)
    Image.fromarray(source).save(HERE / "noise.png")
    tensor = torch.from_numpy(source).permute(2, 0, 1)
    for width, height in [(30, 20), (96, 64), (5, 64), (61, 9), (1, 1)]:
        pillow = numpy.asarray(Image.fromarray(source).resize((width, height), Image.BILINEAR))
        vision = functional.resize(tensor, [height, width], antialias=True)
        difference = numpy.abs(pillow.astype(int) - vision.permute(1, 2, 0).numpy().astype(int))
        assert difference.max() <= 1, difference.max()
        resizes.append({"offset": len(expected), "width": width, "height": height})
        expected.extend(pillow.tobytes())


for make in [jpegs, orientations, pngs, others, refusals, resizing]:
    make()
(HERE / "expected.bin").write_bytes(expected)
versions = {"pillow": PIL.__version__, "opencv": cv2.__version__, "numpy": numpy.__version__,
            "torchvision": torchvision.__version__}
manifest = {"versions": versions, "cases": cases, "refused": refused,
            "resize_source": "noise.png", "resizes": resizes}
(HERE / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")
