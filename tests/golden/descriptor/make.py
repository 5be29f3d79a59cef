"""Computes the training-free channels with numpy alone, for the image that `image` below renders.

Per cell of 32x32 and of 16x16 pixels: mean and deviation of L*a*b*, and nine gradient
orientations. golden.safetensors holds the maps in HWC order; the Rust test renders the image by
the same formula.

Made with Python 3.11, numpy 2.4.6, safetensors 0.8.0:
    python make.py
"""

from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

TO_XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)
WHITE = np.array([0.95047, 1, 1.08883])
ORIENTATIONS = 9


def image(height, width):
    """A checkerboard of patches with a smooth and a rough texture and all kinds of colours."""
    y, x, channel = np.meshgrid(np.arange(height), np.arange(width), np.arange(3), indexing="ij")
    smooth = x * (channel + 2) + y * 3
    rough = (x * 7 + y * 13 + channel * 29 + x * y) % 256
    return np.where((x // 24 + y // 24) % 2 == 0, smooth % 256, rough).astype(np.uint8)


def lab(rgb):
    value = rgb / 255
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    share = linear @ TO_XYZ.T / WHITE
    root = np.where(share > 216 / 24389, np.cbrt(share), (24389 / 27 * share + 16) / 116)
    x, y, z = np.moveaxis(root, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], -1)


def orientations(lightness):
    padded = np.pad(lightness, 1, "edge")
    horizontal = (padded[1:-1, 2:] - padded[1:-1, :-2]) / 2
    vertical = (padded[2:, 1:-1] - padded[:-2, 1:-1]) / 2
    magnitude = np.hypot(horizontal, vertical)
    angle = np.arctan2(vertical, horizontal) % np.pi / np.pi * ORIENTATIONS
    lower = np.floor(angle).astype(int)
    share = angle - lower
    votes = np.zeros(lightness.shape + (ORIENTATIONS,))
    rows, columns = np.indices(lightness.shape)
    np.add.at(votes, (rows, columns, lower % ORIENTATIONS), magnitude * (1 - share))
    np.add.at(votes, (rows, columns, (lower + 1) % ORIENTATIONS), magnitude * share)
    return votes


def cells(values, stride):
    height, width = values.shape[0] // stride, values.shape[1] // stride
    return values.reshape(height, stride, width, stride, -1).mean((1, 3))


def descriptor(rgb, stride):
    colours = lab(rgb)
    mean = cells(colours, stride)
    deviation = np.sqrt(np.maximum(cells(colours**2, stride) - mean**2, 0))
    return np.concatenate([mean, deviation, cells(orientations(colours[..., 0]), stride)], -1)


rendered = image(64, 96)
maps = {f"stride{stride}": descriptor(rendered, stride).astype(np.float32) for stride in (32, 16)}
save_file(maps, Path(__file__).parent / "golden.safetensors")
