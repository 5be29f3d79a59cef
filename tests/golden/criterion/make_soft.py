"""Losses, gradients and matches under soft targets and weights in f64, for src/criterion.

Run with: python make_soft.py (transformers 5.23.0, torch 2.15.0, scipy 1.17.1)

`varifocal` with targets of IoU is RTDetrLoss itself. Quality focal loss is mmdetection's
`quality_focal_loss` (generalised focal loss, eq. 5), with the alpha of the focal loss, which goes with a
target t as t * alpha + (1 - t) * (1 - alpha). Weighted boxes and classes are torch's terms times the
score of their label. All cases have the same inputs; the third image has more targets than queries, and
scores of 0 and 1 are among those of the first.
"""

import json
import pathlib

import numpy as np
import torch
import torch.nn.functional as F
from transformers import RTDetrConfig
from transformers.image_transforms import center_to_corners_format
from transformers.loss.loss_deformable_detr import DeformableDetrHungarianMatcher
from transformers.loss.loss_for_object_detection import HungarianMatcher, box_iou, generalized_box_iou
from transformers.loss.loss_rt_detr import RTDetrLoss

LAYERS, QUERIES, LOGITS, CLASSES = 2, 6, 6, 5
COUNTS = [3, 0, 8]
WEIGHTS = [2.0, 5.0, 2.0]
ALPHA, GAMMA, NO_OBJECT = 0.25, 2.0, 0.1


def draw_inputs():
    random = np.random.default_rng(11)
    logits = (random.normal(size=(LAYERS, len(COUNTS), QUERIES, LOGITS)) * 2).astype(np.float32)
    total = sum(COUNTS)

    def boxes(*shape):
        centers, sizes = random.uniform(0.35, 0.65, (*shape, 2)), random.uniform(0.15, 0.6, (*shape, 2))
        return np.concatenate([centers, sizes], -1).astype(np.float32)

    scores = random.uniform(0, 1, total).astype(np.float32)
    scores[:2] = [0, 1]
    return {
        "logits": logits,
        "boxes": boxes(LAYERS, len(COUNTS), QUERIES),
        "target_classes": random.integers(0, CLASSES, total),
        "target_boxes": boxes(total),
        "target_scores": scores,
    }


def split(inputs):
    ends = np.cumsum([0] + COUNTS)
    tensor = lambda name, a, b: torch.tensor(inputs[name][a:b], dtype=torch.float64)
    return [
        {
            "class_labels": torch.tensor(inputs["target_classes"][a:b]),
            "boxes": tensor("target_boxes", a, b),
            "scores": tensor("target_scores", a, b),
        }
        for a, b in zip(ends[:-1], ends[1:])
    ]


def class_loss(case, logits, classes, wanted, weights, boxes_count):
    """`classes` [rows]: of the matched queries, else LOGITS; `wanted` and `weights` [rows]."""
    if case["class_loss"] == "softmax":
        matched = classes < LOGITS
        labels = torch.where(matched, classes, LOGITS - 1)
        weights = torch.where(matched, weights, NO_OBJECT)
        losses = F.cross_entropy(logits, labels, reduction="none")
        return (weights * losses).sum() / weights.sum()
    own = F.one_hot(classes, LOGITS + 1)[:, :-1].double()
    target = own * wanted[:, None]
    losses = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    if case["class_loss"] == "varifocal":
        factors = (1 - ALPHA) * logits.detach().sigmoid() ** GAMMA * (1 - own) + target
    else:
        alpha = ALPHA * target + (1 - ALPHA) * (1 - target)
        factors = alpha * (target - logits.sigmoid()).abs() ** GAMMA
    return (losses * factors * weights[:, None]).sum() / boxes_count


def layer_losses(case, logits, boxes, targets, matches, boxes_count):
    rows = len(COUNTS) * QUERIES
    classes = torch.full((rows,), LOGITS)
    wanted, weights = torch.ones(rows, dtype=torch.float64), torch.ones(rows, dtype=torch.float64)
    l1, giou = 0.0, 0.0
    for image, (queries, of_targets) in enumerate(matches):
        mine = targets[image]
        found, goal = boxes[image][queries], mine["boxes"][of_targets]
        corners = center_to_corners_format(found), center_to_corners_format(goal)
        scores = mine["scores"][of_targets]
        quality = torch.diag(box_iou(corners[0].detach(), corners[1])[0])
        at = image * QUERIES + queries
        classes[at] = mine["class_labels"][of_targets]
        if case["class_target"] == "iou":
            wanted[at] = quality
        if case["label_score"] == "soft_target":
            wanted[at] = wanted[at] * scores
        if case["label_score"] == "weight":
            weights[at] = scores
        own = weights[at]
        l1 += ((found - goal).abs().sum(1) * own).sum() / boxes_count
        giou += ((1 - torch.diag(generalized_box_iou(*corners))) * own).sum() / boxes_count
    return [class_loss(case, logits.reshape(rows, LOGITS), classes, wanted, weights, boxes_count), l1, giou]


def rt_detr(logits, boxes, targets):
    config = RTDetrConfig(num_labels=LOGITS, matcher_class_cost=2.0, matcher_bbox_cost=5.0, matcher_giou_cost=2.0)
    config.weight_loss_vfl = config.weight_loss_bbox = config.weight_loss_giou = 1.0
    assert (config.focal_loss_alpha, config.focal_loss_gamma, config.use_focal_loss) == (1 - ALPHA, GAMMA, True)
    layers = [{"logits": a, "pred_boxes": b} for a, b in zip(logits, boxes)]
    found = RTDetrLoss(config)({**layers[-1], "auxiliary_outputs": layers[:-1]}, targets)
    suffixes = [f"_aux_{layer}" for layer in range(LAYERS - 1)] + [""]
    return [[found[name + end] for name in ["loss_vfl", "loss_bbox", "loss_giou"]] for end in suffixes]


def make_case(inputs, label_score, class_target, kind):
    case = {"label_score": label_score, "class_target": class_target, "class_loss": kind}
    as_input = lambda name: torch.tensor(inputs[name], dtype=torch.float64, requires_grad=True)
    logits, boxes, targets = as_input("logits"), as_input("boxes"), split(inputs)
    matcher = HungarianMatcher if kind == "softmax" else DeformableDetrHungarianMatcher
    matcher = matcher(class_cost=2.0, bbox_cost=5.0, giou_cost=2.0)
    matches = [matcher({"logits": a, "pred_boxes": b}, targets) for a, b in zip(logits, boxes)]
    weighted = label_score == "weight"
    boxes_count = float(inputs["target_scores"].astype(np.float64).sum()) if weighted else float(sum(COUNTS))
    losses = [
        layer_losses(case, a, b, targets, pairs, boxes_count) for a, b, pairs in zip(logits, boxes, matches)
    ]
    if (kind, class_target, label_score) == ("varifocal", "iou", "ignore"):
        theirs = rt_detr(logits, boxes, targets)
        for row, other in zip(losses, theirs):
            assert all(abs(a - b) < 1e-12 for a, b in zip(row, other)), (row, other)
        losses = theirs
    total = sum(weight * loss for row in losses for weight, loss in zip(WEIGHTS, row))
    total.backward()
    return case | {
        "boxes_count": boxes_count,
        "losses": [[loss.item() for loss in row] for row in losses],
        "total": total.item(),
        "logits_gradient": logits.grad.ravel().tolist(),
        "boxes_gradient": boxes.grad.ravel().tolist(),
    }


inputs = draw_inputs()
cases = [
    make_case(inputs, *keys)
    for keys in [
        ("ignore", "one", "focal"),
        ("ignore", "iou", "focal"),
        ("soft_target", "one", "focal"),
        ("soft_target", "iou", "focal"),
        ("weight", "one", "focal"),
        ("weight", "iou", "focal"),
        ("ignore", "one", "varifocal"),
        ("ignore", "iou", "varifocal"),
        ("soft_target", "iou", "varifocal"),
        ("weight", "iou", "varifocal"),
        ("weight", "one", "softmax"),
    ]
]
inputs = {name: values.ravel().tolist() for name, values in inputs.items() if name != "target_boxes"} | {
    "target_boxes": inputs["target_boxes"].tolist()
}
shape = {"shape": [LAYERS, len(COUNTS), QUERIES, LOGITS], "counts": COUNTS, "classes_count": CLASSES}
document = {"inputs": shape | inputs, "cases": cases}
(pathlib.Path(__file__).parent / "soft.json").write_text(json.dumps(document) + "\n")
