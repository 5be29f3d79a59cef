"""Matching, losses and gradients of all decoder layers beside transformers, through the C ABI.

    cargo build --release --lib
    python benches/peers_criterion.py [--library target/release/libsimdetr.so] [--threads 2]

The peer is Deformable DETR's loss with its matcher, forward and backward (transformers, torch);
both run on --threads threads in one process, interleaved, and the times are the least of --rounds.
The errors are against the peer in f32: relative for the total, ‖ours - theirs‖ / ‖theirs‖ for the
gradients. `softmax` is DETR's loss.
"""

import argparse
import ctypes
import time

import torch
from transformers.loss.loss_deformable_detr import DeformableDetrHungarianMatcher, DeformableDetrImageLoss
from transformers.loss.loss_for_object_detection import HungarianMatcher, ImageLoss

WEIGHTS = {"loss_ce": 2.0, "loss_bbox": 5.0, "loss_giou": 2.0}
SIZE, POINTER = ctypes.c_size_t, ctypes.c_void_p


class Options(ctypes.Structure):
    _fields_ = [
        ("struct_size", SIZE),
        ("set_mask", ctypes.c_uint64),
        ("class_loss", ctypes.c_int32),
        ("weights", ctypes.c_float * 9),
        ("threads", ctypes.c_uint32),
        ("reserved", ctypes.c_uint32),
        ("pointers", POINTER * 2),
    ]


class Targets(ctypes.Structure):
    _fields_ = [
        ("struct_size", SIZE),
        ("counts", POINTER),
        ("images_count", SIZE),
        ("classes", POINTER),
        ("boxes", POINTER),
        ("targets_count", SIZE),
    ]


class Losses(ctypes.Structure):
    _fields_ = [("struct_size", SIZE), ("total", ctypes.c_double), ("others", ctypes.c_double * 7)]


def ours(path, threads, softmax):
    library = ctypes.CDLL(path)
    options = Options(struct_size=ctypes.sizeof(Options), class_loss=2 if softmax else 1, threads=threads)
    criterion = POINTER()
    assert library.simdetr_criterion_create(ctypes.byref(options), ctypes.byref(criterion), None) == 0
    call = library.simdetr_criterion_evaluate_f32
    call.argtypes = [POINTER] * 3 + [SIZE] * 4 + [POINTER, ctypes.c_float] + [POINTER] * 5

    def run(logits, boxes, targets, gradients):
        losses = Losses(struct_size=ctypes.sizeof(Losses))
        outputs = [gradient.data_ptr() for gradient in gradients]
        given = (criterion, logits.data_ptr(), boxes.data_ptr(), *logits.shape)
        status = call(*given, ctypes.byref(targets), 0, None, *outputs, ctypes.byref(losses), None)
        assert status == 0, status
        return losses.total

    return run


def theirs(softmax, classes):
    costs = {"class_cost": 2.0, "bbox_cost": 5.0, "giou_cost": 2.0}
    if softmax:
        criterion = ImageLoss(HungarianMatcher(**costs), classes, 0.1, ["labels", "boxes"])
    else:
        criterion = DeformableDetrImageLoss(DeformableDetrHungarianMatcher(**costs), classes, 0.25, ["labels", "boxes"])

    def run(logits, boxes, targets):
        logits.grad = boxes.grad = None
        layers = [{"logits": a, "pred_boxes": b} for a, b in zip(logits, boxes)]
        found = criterion({**layers[-1], "auxiliary_outputs": layers[:-1]}, targets)
        total = sum(WEIGHTS[name.rsplit("_", 1)[0] if name[-1].isdigit() else name] * loss for name, loss in found.items())
        total.backward()
        return total.item()

    return run


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--library", default="target/release/libsimdetr.so")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--shape", type=int, nargs=4, default=[6, 8, 300, 2048], metavar=("LAYERS", "BATCH", "QUERIES", "CLASSES"))
    parser.add_argument("--targets", type=int, default=25)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    layers, batch, queries, classes = options.shape
    total = batch * options.targets
    target_boxes = torch.cat([torch.rand(total, 2) * 0.5 + 0.25, torch.rand(total, 2) * 0.4 + 0.05], 1)
    target_classes = torch.randint(classes, (total,))
    counts = torch.full((batch,), options.targets, dtype=torch.int32)
    raw = Targets(ctypes.sizeof(Targets), counts.data_ptr(), batch, target_classes.data_ptr(), target_boxes.data_ptr(), total)
    lists = [
        {"class_labels": c, "boxes": b}
        for c, b in zip(target_classes.split(options.targets), target_boxes.split(options.targets))
    ]
    print(f"{layers} layers, batch {batch}, {queries} queries, {options.targets} targets, {classes} classes, {options.threads} threads")
    for softmax in [False, True]:
        logits = torch.randn(layers, batch, queries, classes + softmax) * 2 - 4
        boxes = torch.rand(layers, batch, queries, 4) * 0.5 + 0.2
        gradients = [torch.empty_like(logits), torch.empty_like(boxes)]
        leaves = [logits.clone().requires_grad_(), boxes.clone().requires_grad_()]
        us, them = ours(options.library, options.threads, softmax), theirs(softmax, classes)
        times = [[], []]
        for _ in range(options.rounds):
            for _ in range(3):
                begin = time.perf_counter()
                found = us(logits, boxes, raw, gradients)
                times[0].append(time.perf_counter() - begin)
            begin = time.perf_counter()
            wanted = them(*leaves, lists)
            times[1].append(time.perf_counter() - begin)
        errors = [((a - b.grad).norm() / b.grad.norm()).item() for a, b in zip(gradients, leaves)]
        mine, other = min(times[0]), min(times[1])
        print(
            f"{'softmax' if softmax else 'focal':8} ours {mine * 1e3:8.1f} ms, transformers {other * 1e3:8.1f} ms,"
            f" {other / mine:5.1f}x; errors: total {abs(found - wanted) / wanted:.1e},"
            f" logits {errors[0]:.1e}, boxes {errors[1]:.1e}"
        )


main()
