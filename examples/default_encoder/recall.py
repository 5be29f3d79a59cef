"""Class-agnostic average recall with pycocotools, image by image, so that it can be bootstrapped in pairs."""

import contextlib
import io
import json
import pathlib

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval


class Recall:
    """Ground truth of a COCO file; images in the order of their paths (rank 1 first)."""

    def __init__(self, annotations):
        data = json.loads(pathlib.Path(annotations).read_text())
        images = sorted(data["images"], key=lambda image: pathlib.PurePath(image["file_name"]).name)
        self.names = [pathlib.PurePath(image["file_name"]).name for image in images]
        self.ids = [image["id"] for image in images]
        self.sizes = [(image["width"], image["height"]) for image in images]
        self.truth = COCO.__new__(COCO)
        with contextlib.redirect_stdout(io.StringIO()):
            self.truth = COCO()
            self.truth.dataset = dict(
                images=images,
                annotations=[dict(annotation, category_id=1) for annotation in data["annotations"]],
                categories=[dict(id=1, name="object")],
            )
            self.truth.createIndex()
        self.rank = np.arange(1, len(images) + 1)
        self.even, self.odd = self.rank % 2 == 0, self.rank % 2 == 1

    def counts(self, boxes, maximum=25):
        """Matched boxes of the truth over the ten thresholds [images] and boxes of the truth [images].

        `boxes[image]` are x0, y0, x1, y1 in shares of the image, best first.
        """
        detections = []
        for image, (width, height), found in zip(self.ids, self.sizes, boxes):
            for index, box in enumerate(found[:maximum]):
                x0, y0, x1, y1 = np.asarray(box, float) * [width, height, width, height]
                detections.append(
                    dict(image_id=image, category_id=1, bbox=[x0, y0, x1 - x0, y1 - y0], score=1 - 1e-4 * index)
                )
        with contextlib.redirect_stdout(io.StringIO()):
            evaluation = COCOeval(self.truth, self.truth.loadRes(detections), "bbox")
            evaluation.params.useCats = 0
            evaluation.params.maxDets = [1, 10, maximum]
            evaluation.params.areaRng = [[0, 1e10]]
            evaluation.params.areaRngLbl = ["all"]
            evaluation.params.imgIds = self.ids
            evaluation.evaluate()
        matched, totals = np.zeros(len(self.ids)), np.zeros(len(self.ids))
        for index, result in enumerate(evaluation.evalImgs):
            if result is not None:
                counted = ~np.asarray(result["gtIgnore"], bool)
                totals[index] = counted.sum()
                matched[index] = (np.asarray(result["gtMatches"])[:, counted] > 0).sum()
        return matched, totals

    def average(self, counts, subset):
        """Average recall x100 over IoU 0.50:0.05:0.95."""
        matched, totals = counts
        return 10 * matched[subset].sum() / totals[subset].sum()

    def difference(self, ours, theirs, subset, draws=10_000, seed=0):
        """Difference x100 with its paired bootstrap interval of 95 %."""
        random = np.random.default_rng(seed)
        rows = np.flatnonzero(subset)
        drawn = rows[random.integers(len(rows), size=(draws, len(rows)))]
        totals = ours[1][drawn].sum(1)
        values = 10 * (ours[0][drawn].sum(1) - theirs[0][drawn].sum(1)) / totals
        low, high = np.percentile(values, [2.5, 97.5])
        return self.average(ours, subset) - self.average(theirs, subset), low, high
