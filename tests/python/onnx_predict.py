"""Predicts with model.onnx of a folder, knowing nothing about the detector but its metadata.

Arguments: the folder, then the width and the height of its image.rgb (rows of RGB, 8 bits). Writes
metadata.json (all of the model's) and found.json: [class, score, left, top, right, bottom] of every pair
of query and class, in pixels of the image.
"""

import json
import sys
from pathlib import Path

import numpy
import onnxruntime

folder, width, height = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
metadata = session.get_modelmeta().custom_metadata_map
(folder / "metadata.json").write_text(json.dumps(metadata))


def target(side):
    multiple, longest = int(metadata["side_multiple"]), int(metadata["image_long_side_max"])
    scale = min(int(metadata["image_short_side"]) / min(width, height), longest / max(width, height))
    multiples = int(side * scale / multiple + 0.5)
    return multiple * min(max(multiples, 1), longest // multiple)


def taps(source, drawn):
    """Shares of `source` pixels in each of `drawn`: a triangle, widened where the image shrinks."""
    ratio = source / drawn
    middles = (numpy.arange(drawn) + 0.5) * ratio
    away = numpy.abs(numpy.arange(source) + 0.5 - middles[:, None])
    weights = numpy.maximum(0, 1 - away / max(ratio, 1))
    return weights / weights.sum(axis=1, keepdims=True)


def channels(name):
    return numpy.array([numpy.float32(value) for value in metadata[name].split(", ")])


assert (metadata["image_layout"], metadata["image_colours"]) == ("NCHW", "RGB")
assert (metadata["image_height"], metadata["image_width"]) == ("any", "any")
image = numpy.fromfile(folder / "image.rgb", dtype="u1").reshape(height, width, 3).astype(float)
image = numpy.einsum("yY,YXc->yXc", taps(height, target(height)), image)
image = numpy.einsum("xX,yXc->yxc", taps(width, target(width)), image)
levels = numpy.floor(image + 0.5).astype(numpy.float32)
images = (levels / numpy.float32(255) - channels("image_mean")) / channels("image_deviation")
logits, boxes = session.run(["logits", "boxes"], {"images": images.transpose(2, 0, 1)[None]})
scores = 1 / (1 + numpy.exp(-logits[0].astype(float)))
found = []
for (x, y, w, h), row in zip(boxes[0].astype(float), scores):
    corners = numpy.array([x - w / 2, y - h / 2, x + w / 2, y + h / 2]).clip(0, 1)
    pixels = (corners * [width, height, width, height]).tolist()
    found += [[place, score, *pixels] for place, score in enumerate(row.tolist())]
(folder / "found.json").write_text(json.dumps(found))
