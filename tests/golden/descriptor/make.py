"""Computes the training-free channels with numpy, for the image that `image` below renders.

Per cell of 32x32 and of 16x16 pixels: mean and deviation of L*a*b*, and nine gradient
orientations. golden.safetensors holds the maps in HWC order; the Rust test renders the image by
the same formula.

Made with Python 3.11, numpy 2.4.6, safetensors 0.8.0:
    python make.py
"""

import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

HERE = Path(__file__).parent
sys.path.append(str(HERE.parents[2] / "examples" / "default_encoder"))

from descriptor import describe  # noqa: E402


def image(height, width):
    """A checkerboard of patches with a smooth and a rough texture and all kinds of colours."""
    y, x, channel = np.meshgrid(np.arange(height), np.arange(width), np.arange(3), indexing="ij")
    smooth = x * (channel + 2) + y * 3
    rough = (x * 7 + y * 13 + channel * 29 + x * y) % 256
    return np.where((x // 24 + y // 24) % 2 == 0, smooth % 256, rough).astype(np.uint8)


coarse, fine = describe(image(64, 96), (32, 16))
save_file({"stride32": coarse, "stride16": fine}, HERE / "golden.safetensors")
