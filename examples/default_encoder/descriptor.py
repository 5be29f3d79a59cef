"""Training-free channels of the default encoder: L*a*b* statistics and gradient orientations of each cell."""

import numpy as np

ORIENTATIONS = 9
GROUPS = (3, 3, ORIENTATIONS)
TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
WHITE = np.array([0.95047, 1.0, 1.08883])


def lab(pixels):
    """CIE L*a*b* (D65) of sRGB bytes [height, width, 3]."""
    values = np.arange(256) / 255
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)[pixels]
    shares = linear @ (TO_XYZ / WHITE[:, None]).T
    roots = np.where(shares > 216 / 24389, np.cbrt(shares), (24389 / 27 * shares + 16) / 116)
    x, y, z = roots[..., 0], roots[..., 1], roots[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], -1)


def pooled(values, stride):
    """Means of cells of stride x stride pixels."""
    height, width = values.shape[0] // stride, values.shape[1] // stride
    return values.reshape(height, stride, width, stride, -1).mean((1, 3))


def votes(lightness):
    """Gradient magnitude of each pixel, shared between the two nearest of nine unsigned orientations."""
    padded = np.pad(lightness, 1, "edge")
    across = (padded[1:-1, 2:] - padded[1:-1, :-2]) / 2
    down = (padded[2:, 1:-1] - padded[:-2, 1:-1]) / 2
    position = np.mod(np.arctan2(down, across), np.pi) / np.pi * ORIENTATIONS
    lower = np.floor(position)
    share = position - lower
    magnitude = np.hypot(across, down)
    result = np.zeros(lightness.shape + (ORIENTATIONS,))
    rows, columns = np.indices(lightness.shape)
    first = lower.astype(int) % ORIENTATIONS
    result[rows, columns, first] += magnitude * (1 - share)
    result[rows, columns, (first + 1) % ORIENTATIONS] += magnitude * share
    return result


def describe(pixels, strides=(32, 16)):
    """One map [rows, columns, 15] for each stride: colour means, colour deviations, orientations."""
    colours = lab(pixels)
    orientations = votes(colours[..., 0])
    maps = []
    for stride in strides:
        mean = pooled(colours, stride)
        deviation = np.sqrt(np.maximum(pooled(colours * colours, stride) - mean * mean, 0))
        maps.append(np.concatenate([mean, deviation, pooled(orientations, stride)], -1).astype(np.float32))
    return maps
