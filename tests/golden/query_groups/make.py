"""Makes query_groups.json with transformers' LW-DETR. Run it inside the folder.

Logits, boxes and targets are not stored: a formula gives them from (name, element), as in ../resnet, and
`tests/query_groups.rs` has the same formula. Stored are, for every layer, the query of each target in each
group of each image, both box losses and the gradient of their sum by the boxes. LW-DETR's loss of the
classes is another one than ours, and is left out.
"""

import json
import platform
import sys

import numpy
import torch
import transformers
from transformers.loss.loss_lw_detr import LwDetrHungarianMatcher, LwDetrImageLoss

sys.path.insert(0, "../resnet")
from make_golden import uniform  # noqa: E402

LAYERS, GROUPS, QUERIES, CLASSES = 2, 3, 7, 4
# Of two images: the second has as many boxes as a group has queries.
TARGETS = (3, 7)
# Of the matcher and of the losses: class, L1, GIoU.
WEIGHTS = (2.0, 5.0, 2.0)


def boxes(name, count):
    u = uniform(name, 4 * count).reshape(-1, 4)
    return torch.from_numpy(numpy.concatenate([0.3 + 0.4 * u[:, :2], 0.1 + 0.4 * u[:, 2:]], 1).astype(numpy.float32))


def main():
    matcher = LwDetrHungarianMatcher(*WEIGHTS)
    criterion = LwDetrImageLoss(matcher, CLASSES, 0.25, ["boxes"], GROUPS).train()
    count = sum(TARGETS)
    classes = torch.from_numpy((uniform("classes", count) * CLASSES).astype(numpy.int64)).split(TARGETS)
    targets = [{"class_labels": labels, "boxes": rows}
               for labels, rows in zip(classes, boxes("targets", count).split(TARGETS))]
    rows = len(TARGETS) * GROUPS * QUERIES
    answer = {"versions": {"torch": torch.__version__, "transformers": transformers.__version__,
                           "python": platform.python_version()}, "layers": []}
    for layer in range(LAYERS):
        logits = (4 * uniform(f"logits {layer}", rows * CLASSES) - 2).astype(numpy.float32)
        outputs = {"logits": torch.from_numpy(logits).view(len(TARGETS), -1, CLASSES),
                   "pred_boxes": boxes(f"boxes {layer}", rows).view(len(TARGETS), -1, 4).requires_grad_()}
        losses = criterion(outputs, targets)
        (WEIGHTS[1] * losses["loss_bbox"] + WEIGHTS[2] * losses["loss_giou"]).backward()
        matches = [[[0] * wanted for _ in range(GROUPS)] for wanted in TARGETS]
        for image, (queries, found) in enumerate(matcher(outputs, targets, GROUPS)):
            for query, target in zip(queries.tolist(), found.tolist()):
                matches[image][query // QUERIES][target] = query % QUERIES
        answer["layers"].append({"matches": matches, "l1": losses["loss_bbox"].item(),
                                 "giou": losses["loss_giou"].item(),
                                 "gradient": outputs["pred_boxes"].grad.flatten().tolist()})
    with open("query_groups.json", "w") as file:
        json.dump(answer, file, separators=(",", ":"))
        file.write("\n")


main()
