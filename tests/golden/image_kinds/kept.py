"""The picture of every case, and the cases that are kept: files, and what Pillow reads from them."""

import io
import json
import pathlib
import warnings
import zlib

import numpy
import PIL
import PIL.ImageOps
from PIL import Image

HERE = pathlib.Path(__file__).parent
WIDTH, HEIGHT = 13, 9
cases, refused = [], []
files, expected = bytearray(), bytearray()
warnings.simplefilter("ignore")


def picture():
    """Smooth and different in every corner, so that a wrong orientation shows."""
    y, x = numpy.mgrid[0:HEIGHT, 0:WIDTH] / (WIDTH - 1)
    waves = [0.15 + 0.8 * x, 0.5 + 0.45 * numpy.sin(5 * y + 2 * x), 0.9 - 0.7 * y]
    return (numpy.stack(waves, 2) * 255).round().astype(numpy.uint8)


PIXELS = picture()
rgb = Image.fromarray(PIXELS)
grey = rgb.convert("L")
alpha = Image.fromarray((PIXELS[:, :, 0] // 2 + 90).astype(numpy.uint8))


def store(name, data):
    files.extend(data)
    return {"name": name, "file_offset": len(files) - len(data), "file_length": len(data)}


def case(name, data, tolerance=0, pixels=None):
    """Pillow's answer, unless `pixels` says why it is another."""
    if pixels is None:
        image = PIL.ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
        pixels = numpy.asarray(image.convert("RGB"))
    cases.append(store(name, data) | {
        "offset": len(expected), "width": pixels.shape[1], "height": pixels.shape[0],
        "tolerance": tolerance})
    expected.extend(numpy.ascontiguousarray(pixels, dtype=numpy.uint8).tobytes())


def refuse(name, data, words):
    """Pillow refuses it as well, or reads numbers whose range nobody has agreed on, or Lab."""
    refused.append(store(name, data) | {"words": words})


def saved(image, kind, **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def write():
    """The three files, from what was kept so far."""
    (HERE / "files.zlib").write_bytes(zlib.compress(files, 9))
    (HERE / "expected.zlib").write_bytes(zlib.compress(expected, 9))
    versions = {"pillow": PIL.__version__, "numpy": numpy.__version__}
    lines = lambda items: "[\n" + ",\n".join(json.dumps(item) for item in items) + "\n]"
    (HERE / "manifest.json").write_text(
        f'{{"versions": {json.dumps(versions)},\n"cases": {lines(cases)},\n'
        f'"refused": {lines(refused)}}}\n')
