"""Losses, gradients and matches of transformers' criteria in f64, for src/criterion.

Run with: python make.py (transformers 5.23.0, torch 2.15.0, scipy 1.17.1)

Focal is the loss of Deformable DETR, softmax that of DETR. The weights are this library's
defaults. The third image has more targets than queries.
"""

import json
import pathlib

import numpy as np
import torch
from transformers.loss.loss_deformable_detr import DeformableDetrHungarianMatcher, DeformableDetrImageLoss
from transformers.loss.loss_for_object_detection import HungarianMatcher, ImageLoss

LAYERS, QUERIES, CLASSES = 2, 6, 7
COUNTS = [3, 0, 8]
WEIGHTS = {"loss_ce": 2.0, "loss_bbox": 5.0, "loss_giou": 2.0}
TERMS = ["labels", "boxes"]


def make_case(random, softmax):
    logits_count = CLASSES + softmax
    draw = lambda *shape: random.normal(size=shape).astype(np.float32)
    logits = draw(LAYERS, len(COUNTS), QUERIES, logits_count) * 2
    centers = random.uniform(0.3, 0.7, (LAYERS, len(COUNTS), QUERIES, 2))
    sizes = random.uniform(0.05, 0.5, (LAYERS, len(COUNTS), QUERIES, 2))
    predicted = np.concatenate([centers, sizes], -1).astype(np.float32)
    total = sum(COUNTS)
    boxes = np.concatenate([random.uniform(0.3, 0.7, (total, 2)), random.uniform(0.1, 0.5, (total, 2))], -1)
    boxes = boxes.astype(np.float32)
    classes = random.integers(0, CLASSES, total)
    logits_input = torch.tensor(logits, dtype=torch.float64, requires_grad=True)
    boxes_input = torch.tensor(predicted, dtype=torch.float64, requires_grad=True)
    ends = np.cumsum([0] + COUNTS)
    targets = [
        {"class_labels": torch.tensor(classes[a:b]), "boxes": torch.tensor(boxes[a:b], dtype=torch.float64)}
        for a, b in zip(ends[:-1], ends[1:])
    ]
    if softmax:
        matcher = HungarianMatcher(class_cost=2.0, bbox_cost=5.0, giou_cost=2.0)
        criterion = ImageLoss(matcher, CLASSES, 0.1, TERMS).double()
    else:
        matcher = DeformableDetrHungarianMatcher(class_cost=2.0, bbox_cost=5.0, giou_cost=2.0)
        criterion = DeformableDetrImageLoss(matcher, CLASSES, 0.25, TERMS)
    layers = [{"logits": a, "pred_boxes": b} for a, b in zip(logits_input, boxes_input)]
    found = criterion({**layers[-1], "auxiliary_outputs": layers[:-1]}, targets)
    suffixes = [f"_{layer}" for layer in range(LAYERS - 1)] + [""]
    losses = [[found[name + suffix] for name in WEIGHTS] for suffix in suffixes]
    total = sum(weight * loss for row in losses for weight, loss in zip(WEIGHTS.values(), row))
    total.backward()
    matches = []
    for layer in layers:
        for count, (queries, of_targets) in zip(COUNTS, matcher(layer, targets)):
            partners = [-1] * count
            for query, target in zip(queries.tolist(), of_targets.tolist()):
                partners[target] = query
            matches.append(partners)
    return {
        "class_loss": "softmax" if softmax else "focal",
        "shape": list(logits.shape),
        "counts": COUNTS,
        "target_classes": classes.tolist(),
        "target_boxes": boxes.tolist(),
        "logits": logits.ravel().tolist(),
        "boxes": predicted.ravel().tolist(),
        "losses": [[loss.item() for loss in row] for row in losses],
        "total": total.item(),
        "logits_gradient": logits_input.grad.ravel().tolist(),
        "boxes_gradient": boxes_input.grad.ravel().tolist(),
        "matches": matches,
    }


random = np.random.default_rng(7)
cases = [make_case(random, softmax) for softmax in [False, True]]
(pathlib.Path(__file__).parent / "expected.json").write_text(json.dumps(cases) + "\n")
