"""What OpenCV's Selective Search (fast mode) finds in a few drawn scenes.

    python make.py

Scenes of 128 x 128 pixels, so that no resize comes between; `manifest.json`: all boxes that OpenCV
finds in each (xyxy), and how many of them it finds again (IoU >= 0.9) when one channel in twenty
of the image is changed by a single level. The method is chaotic: that share is the agreement to
ask for. `segmentation_levels.bin` and `segmentation_labels.bin`: a scene in OpenCV's HSV levels and
its graph segmentation at scales 150, 300 and 450, where rounding is all that can differ.
"""

import json
import pathlib

import cv2
import numpy
from PIL import Image

HERE = pathlib.Path(__file__).parent
SIDE, SCENES, NOISES = 128, 4, 5
random = numpy.random.default_rng(11)


def texture():
    """Waves of a random direction and length around a random colour, with grain."""
    y, x = numpy.mgrid[0:SIDE, 0:SIDE]
    angle, length = random.uniform(0, numpy.pi), random.uniform(4, 30)
    wave = numpy.sin((x * numpy.cos(angle) + y * numpy.sin(angle)) * 2 * numpy.pi / length)
    colour = random.uniform(30, 225, 3)
    return colour + wave[..., None] * random.uniform(5, 40) + random.normal(0, 4, (SIDE, SIDE, 3))


def scene():
    image = texture()
    y, x = numpy.mgrid[0:SIDE, 0:SIDE]
    for _ in range(7):
        center, radii = random.uniform(10, SIDE - 10, 2), random.uniform(8, 34, 2)
        distance = numpy.abs((x - center[0]) / radii[0]), numpy.abs((y - center[1]) / radii[1])
        round_shape = random.random() < 0.5
        inside = distance[0] ** 2 + distance[1] ** 2 < 1 if round_shape else numpy.maximum(*distance) < 1
        image[inside] = texture()[inside]
    return cv2.GaussianBlur(image.clip(0, 255), (0, 0), 0.7).round().astype(numpy.uint8)


def boxes_of(rgb):
    search = cv2.ximgproc.segmentation.createSelectiveSearchSegmentation()
    search.setBaseImage(numpy.ascontiguousarray(rgb[:, :, ::-1]))
    search.switchToSelectiveSearchFast()
    boxes = numpy.asarray(search.process(), dtype=int)
    boxes[:, 2:] += boxes[:, :2]
    return boxes[numpy.lexsort(boxes.T)]


def found_again(wanted, boxes):
    a, b = wanted[:, None], boxes[None]
    sides = numpy.minimum(a[..., 2:], b[..., 2:]) - numpy.maximum(a[..., :2], b[..., :2])
    shared = sides.clip(0).prod(-1)
    area = lambda box: (box[..., 2:] - box[..., :2]).prod(-1)
    return float(((shared / (area(a) + area(b) - shared)).max(1) >= 0.9).mean())


scenes = []
for index in range(SCENES):
    rgb = scene()
    Image.fromarray(rgb).save(HERE / f"scene_{index}.png")
    boxes, again = boxes_of(rgb), []
    for _ in range(NOISES):
        noise = (random.random(rgb.shape) < 0.05) * random.choice([-1, 1], rgb.shape)
        again.append(found_again(boxes, boxes_of((rgb + noise).clip(0, 255).astype(numpy.uint8))))
    scenes.append({"file": f"scene_{index}.png", "found_again": numpy.mean(again), "boxes": boxes.tolist()})
    if index == 0:
        levels = cv2.cvtColor(rgb, cv2.COLOR_RGB2HSV)
        (HERE / "segmentation_levels.bin").write_bytes(levels.tobytes())
        labels = [cv2.ximgproc.segmentation.createGraphSegmentation(0.8, scale, 100).processImage(levels)
                  for scale in (150, 300, 450)]
        (HERE / "segmentation_labels.bin").write_bytes(numpy.stack(labels).astype(numpy.uint8).tobytes())

versions = {"opencv-contrib": cv2.__version__, "numpy": numpy.__version__}
(HERE / "manifest.json").write_text(json.dumps({"versions": versions, "scenes": scenes}) + "\n")
