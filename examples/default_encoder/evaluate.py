"""Average recall of the default encoder's proposals beside Selective Search, random weights and a fixed grid.

    python evaluate.py --images coco128/images --annotations coco128/annotations.json --weights weights.safetensors

Class-agnostic AR over IoU 0.50:0.05:0.95, at most 25 boxes an image, by pycocotools. Settings are
chosen on images of even rank (by sorted path, 1-based) and reported on those of odd rank.
"""

import argparse
import pathlib

import cv2
import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file

from descriptor import GROUPS, describe
from network import ResNet18
from proposals import DEFAULTS, box_areas, clusterings, propose
from recall import Recall

MEAN = np.array([0.485, 0.456, 0.406], np.float32)
DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)


def resized(path, short_side, long_side_max):
    """The image with its short side at `short_side`, sides rounded to multiples of 32."""
    image = Image.open(path).convert("RGB")
    scale = min(short_side / min(image.size), long_side_max / max(image.size))
    size = [max(32, round(side * scale / 32) * 32) for side in image.size]
    return np.asarray(image.resize(size, Image.BILINEAR))


def network(weights, seed=0):
    """The trained network, or random weights where there is no file."""
    torch.manual_seed(seed)
    result = ResNet18()
    if weights:
        names = result.state_dict().keys()
        stored = {name: value.float() for name, value in load_file(weights).items() if name in names}
        result.load_state_dict(stored, strict=False)
    return result.eval()


def learned_maps(model, pixels):
    values = torch.from_numpy(((pixels / 255 - MEAN) / DEVIATION).astype(np.float32))
    with torch.inference_mode():
        middle, last = model(values.permute(2, 0, 1)[None])
    return [values[0].permute(1, 2, 0).numpy() for values in (last, middle)]


def spectral(paths, model, described, options):
    """Boxes of every image from learned channels, training-free ones or both."""
    boxes = []
    for path in paths:
        pixels = resized(path, options.short_side, options.long_side_max)
        kinds, groups = [], [[], []]
        if model is not None:
            kinds.append(learned_maps(model, pixels))
            groups = [[kinds[0][level].shape[-1]] for level in (0, 1)]
        if described:
            kinds.append(describe(pixels))
            groups = [group + list(GROUPS) for group in groups]
        maps = [np.concatenate(level, -1) for level in zip(*kinds)]
        boxes.append(propose(*clusterings(maps, groups, DEFAULTS, options.seed), DEFAULTS))
    return boxes


def selective_search(paths, draws):
    """`draws` lists of boxes: OpenCV's order is drawn anew at every call."""
    found = [[] for _ in range(draws)]
    for path in paths:
        pixels = cv2.resize(cv2.imread(str(path)), (128, 128))
        for boxes in found:
            search = cv2.ximgproc.segmentation.createSelectiveSearchSegmentation()
            search.setBaseImage(pixels)
            search.switchToSelectiveSearchFast()
            x, y, width, height = np.array(search.process()[:25]).T
            boxes.append(np.stack([x, y, x + width, y + height], 1) / 128)
    return found


def fitted_grid(recall, subset, count=25):
    """Fixed boxes that cover most of the truth of `subset`, chosen greedily from its own boxes and a lattice."""
    truth = []
    for image in np.flatnonzero(subset):
        width, height = recall.sizes[image]
        for annotation in recall.truth.imgToAnns[recall.ids[image]]:
            x, y, across, down = annotation["bbox"]
            truth.append([x / width, y / height, (x + across) / width, (y + down) / height])
    truth, steps = np.array(truth), np.linspace(0, 1, 9)
    lattice = [[a, b, c, d] for a in steps for b in steps for c in steps for d in steps if min(c - a, d - b) > 0.2]
    candidates = np.concatenate([truth, lattice])
    low = np.maximum(candidates[:, None, :2], truth[None, :, :2])
    high = np.minimum(candidates[:, None, 2:], truth[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(-1)
    overlap = shared / (box_areas(candidates)[:, None] + box_areas(truth)[None] - shared)
    thresholds = np.clip(np.floor((overlap - 0.5) / 0.05 + 1 + 1e-9), 0, 10)
    reached, grid = np.zeros(len(truth)), []
    for _ in range(count):
        best = np.maximum(thresholds, reached).sum(1).argmax()
        grid.append(candidates[best])
        reached = np.maximum(reached, thresholds[best])
    return [np.array(grid)] * len(recall.ids)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", required=True, type=pathlib.Path)
    parser.add_argument("--annotations", required=True)
    parser.add_argument("--weights", required=True)
    parser.add_argument("--short-side", type=int, default=480)
    parser.add_argument("--long-side-max", type=int, default=800)
    parser.add_argument("--selective-search-draws", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(1)
    recall = Recall(options.annotations)
    paths = [options.images / name for name in recall.names]
    trained, untrained = network(options.weights), network(None, options.seed)
    draws = [recall.counts(boxes) for boxes in selective_search(paths, options.selective_search_draws)]
    searched = (np.mean([matched for matched, _ in draws], 0), draws[0][1])
    counted = {"Selective Search, mean of draws": searched}
    counted["grid"] = recall.counts(fitted_grid(recall, recall.even))
    for name, model, described in (
        ("random weights", untrained, False),
        ("training-free", None, True),
        ("learned", trained, False),
        ("default encoder", trained, True),
    ):
        counted[name] = recall.counts(spectral(paths, model, described, options))
    for name, counts in counted.items():
        difference, low, high = recall.difference(counts, searched, recall.odd)
        print(
            f"{name:32s} even {recall.average(counts, recall.even):5.2f} odd {recall.average(counts, recall.odd):5.2f}"
            f"  odd minus Selective Search {difference:+.2f} [{low:+.2f}, {high:+.2f}]"
        )


if __name__ == "__main__":
    main()
