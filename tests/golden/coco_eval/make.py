"""Makes the golden cases of COCO evaluation with pycocotools.

    python make.py            writes <case>.ground_truth.json, <case>.detections.json, expected.json

Each case is evaluated class-aware and with all categories rewritten to one (class-agnostic).
`expected.json` holds figures with all their digits and an FNV-1a hash of the precision and recall
arrays' bytes, so that equality is tested to the last bit without storing the arrays.
"""

import contextlib
import copy
import io
import json
import pathlib
from importlib.metadata import version

import numpy
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

HERE = pathlib.Path(__file__).parent


def scene(rng, images, objects, detections, categories, scores, grid, crowd_share=0.0):
    """Objects, and detections that mostly lie near them. `grid` rounds coordinates (to 1/grid)."""

    def rounded(values):
        return [float(numpy.round(value * grid) / grid) for value in values]

    image_list = [
        {"id": int(index), "file_name": f"folder/{index}.jpg", "width": 640, "height": 480}
        for index in rng.permutation(images * 3)[:images] + 1
    ]
    annotations, results = [], []
    for image in image_list:
        boxes = []
        for _ in range(rng.integers(0, objects + 1)):
            size = numpy.exp(rng.normal(4.0, 1.1, 2)).clip(2, 400)
            box = rounded([*(rng.random(2) * (600, 440)), *size])
            category = int(rng.choice(categories))
            boxes.append((box, category))
            annotations.append({
                "id": len(annotations) + 1,
                "image_id": image["id"],
                "category_id": category,
                "bbox": box,
                "area": round(box[2] * box[3] * float(rng.uniform(0.5, 1.0)), 3),
                "iscrowd": int(rng.random() < crowd_share),
            })
        for _ in range(rng.integers(0, detections + 1)):
            if boxes and rng.random() < 0.75:
                box, category = boxes[rng.integers(len(boxes))]
                shift = rng.normal(0, rng.choice([0.0, 0.05, 0.15]), 4)
                box = rounded([
                    box[0] + shift[0] * box[2], box[1] + shift[1] * box[3],
                    box[2] * numpy.exp(shift[2]), box[3] * numpy.exp(shift[3]),
                ])
                if rng.random() < 0.2:
                    category = int(rng.choice(categories))
            else:
                box = rounded([*(rng.random(2) * (600, 440)), *(rng.random(2) * 200)])
                category = int(rng.choice(categories))
            results.append({
                "image_id": image["id"], "category_id": category, "bbox": box,
                "score": scores(rng),
            })
    order = rng.permutation(len(results))
    ground_truth = {
        "images": image_list,
        "categories": [{"id": int(c), "name": f"c{c}"} for c in [*categories, 900]],
        "annotations": annotations,
    }
    return ground_truth, [results[index] for index in order]


def cases():
    rng = numpy.random.default_rng(20250265826)
    yield "plain", (1, 10, 100), scene(
        rng, 12, 8, 30, [3, 7, 18], lambda r: round(float(r.random()), 5), 100, 0.1)
    yield "ties", (1, 10, 100), scene(
        rng, 10, 6, 25, [1, 2], lambda r: float(r.integers(0, 3)) / 4, 0.25, 0.15)
    yield "all_scores_one", (1, 10, 100), scene(rng, 8, 6, 25, [5], lambda r: 1.0, 4)
    yield "crowded", (1, 10, 100), scene(
        rng, 4, 5, 400, [1], lambda r: round(float(r.random()), 2), 100, 0.5)
    yield "other_maxima", (2, 5, 25, 300), scene(
        rng, 6, 5, 60, [4, 9], lambda r: round(float(r.random()), 3), 10)
    empty, _ = scene(rng, 4, 4, 0, [1, 2], lambda r: 1.0, 4)
    yield "no_detections", (1, 10, 100), (empty, [])
    nothing, stray = scene(rng, 5, 0, 6, [1, 2], lambda r: 0.5, 4)
    yield "no_objects", (1, 10, 100), (nothing, stray)


def fnv1a(array):
    value = 0xCBF29CE484222325
    for byte in numpy.ascontiguousarray(array, dtype="<f8").tobytes():
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return f"{value:016x}"


def pooled(boxes):
    return [dict(box, category_id=1) for box in boxes]


def evaluate(ground_truth, results, maxima):
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = copy.deepcopy(ground_truth)
        truth.createIndex()
        if results:
            found = truth.loadRes(copy.deepcopy(results))
        else:
            found = COCO()
            found.dataset = dict(copy.deepcopy(ground_truth), annotations=[])
            found.createIndex()
        evaluation = COCOeval(truth, found, "bbox")
        evaluation.params.maxDets = list(maxima)
        evaluation.evaluate()
        evaluation.accumulate()
    precision = evaluation.eval["precision"][..., -1]
    recall = evaluation.eval["recall"]

    def mean(values):
        values = values[values > -1]
        return float(numpy.mean(values)) if len(values) else -1.0

    areas = range(4)
    figures = [mean(precision[..., 0]), mean(precision[0][..., 0]), mean(precision[5][..., 0])]
    figures += [mean(precision[..., area]) for area in areas[1:]]
    figures += [mean(recall[..., 0, index]) for index in range(len(maxima))]
    figures += [mean(recall[..., area, -1]) for area in areas[1:]]
    if maxima == (1, 10, 100):
        with contextlib.redirect_stdout(io.StringIO()):
            evaluation.summarize()
        assert list(evaluation.stats) == figures, (evaluation.stats, figures)
    return {
        "figures": figures,
        "category_precision": [mean(precision[:, :, k, 0]) for k in range(precision.shape[2])],
        "category_recall": [mean(recall[:, k, 0, -1]) for k in range(recall.shape[1])],
        "precision_hash": fnv1a(precision),
        "recall_hash": fnv1a(recall),
    }


def main():
    expected = {"versions": {"pycocotools": version("pycocotools"),
                             "numpy": numpy.__version__}, "cases": []}
    for name, maxima, (ground_truth, results) in cases():
        for suffix, content in (("ground_truth", ground_truth), ("detections", results)):
            (HERE / f"{name}.{suffix}.json").write_text(json.dumps(content, separators=(",", ":")) + "\n")
        single = dict(ground_truth, categories=[{"id": 1, "name": "any"}],
                      annotations=pooled(ground_truth["annotations"]))
        expected["cases"].append({
            "name": name,
            "detections_max": maxima,
            "class_aware": evaluate(ground_truth, results, maxima),
            "class_agnostic": evaluate(single, pooled(results), maxima),
        })
    (HERE / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")


if __name__ == "__main__":
    main()
