"""Trains the default encoder without labels; see README.md in this folder for the method.

    python train.py --images DIR --small-images small.tar --out run --steps 750

A killed run goes on from run/checkpoint.pt. The result is run/weights.safetensors (f16).
"""

import argparse
import math
import pathlib
import tarfile
import time

import cv2
import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

from network import ResNet18

MEAN = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
DEVIATION = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
CROP = 128
TEMPERATURE = 0.2
ORIENTATIONS = 9


def load_images(folder, tar_path, small_count):
    """All images as RGB arrays: large ones with a short side of 288, small ones as they are."""
    large = []
    for path in sorted(pathlib.Path(folder).iterdir()):
        image = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if image is None:
            continue
        scale = 288 / min(image.shape[:2])
        size = (round(image.shape[1] * scale), round(image.shape[0] * scale))
        large.append(cv2.cvtColor(cv2.resize(image, size, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2RGB))
    small = []
    if tar_path:
        with tarfile.open(tar_path) as archive:
            for member in archive:
                if member.isfile() and len(small) < small_count:
                    data = np.frombuffer(archive.extractfile(member).read(), np.uint8)
                    image = cv2.imdecode(data, cv2.IMREAD_COLOR)
                    if image is not None:
                        small.append(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
    return large, small


def window(random, height, width, smallest, largest):
    """A random square window: x, y, side in pixels of the image."""
    side = random.uniform(smallest, largest) * min(height, width)
    return random.uniform(0, width - side), random.uniform(0, height - side), side


def views(random, image, smallest):
    """Two overlapping crops of one image with the windows that they show and whether flipped."""
    height, width = image.shape[:2]
    first = window(random, height, width, smallest, 1.0)
    for _ in range(20):
        second = window(random, height, width, smallest, 1.0)
        shared = [min(first[i] + first[2], second[i] + second[2]) - max(first[i], second[i]) for i in (0, 1)]
        if min(shared) > 0.5 * min(first[2], second[2]):
            break
    else:
        second = first
    crops, boxes = [], []
    for x, y, side in (first, second):
        matrix = np.array([[side / CROP, 0, x], [0, side / CROP, y]], np.float32)
        if side > 2 * CROP:
            part = image[int(y) : int(math.ceil(y + side)), int(x) : int(math.ceil(x + side))]
            crop = cv2.resize(part, (CROP, CROP), interpolation=cv2.INTER_AREA)
        else:
            crop = cv2.warpAffine(
                image, matrix, (CROP, CROP), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE
            )
        flipped = random.random() < 0.5
        crops.append(crop[:, ::-1] if flipped else crop)
        boxes.append((x, y, side, flipped))
    return crops, boxes


def batch(random, large, small, size, small_share):
    """Pixels [2 * size, 3, CROP, CROP] in [0, 1] and windows [2 * size, 4]."""
    pixels, boxes = [[], []], [[], []]
    for _ in range(size):
        use_small = small and random.random() < small_share
        image = small[random.integers(len(small))] if use_small else large[random.integers(len(large))]
        crops, windows = views(random, image, 0.6 if use_small else 0.3)
        for view in (0, 1):
            pixels[view].append(crops[view])
            boxes[view].append(windows[view])
    stacked = torch.from_numpy(np.ascontiguousarray(np.stack(pixels[0] + pixels[1])))
    return stacked.permute(0, 3, 1, 2).float() / 255, torch.tensor(np.array(boxes[0] + boxes[1], np.float32))


def jitter(pixels, generator):
    """Weak colour jitter: brightness, contrast, saturation by up to 0.3, grey for one in ten."""
    count = pixels.shape[0]
    factor = lambda strength: 1 + strength * (2 * torch.rand(count, 1, 1, 1, generator=generator) - 1)
    pixels = pixels * factor(0.3)
    mean = pixels.mean((1, 2, 3), keepdim=True)
    pixels = mean + (pixels - mean) * factor(0.3)
    grey = (pixels * torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(1, keepdim=True)
    saturation = factor(0.3) * (torch.rand(count, 1, 1, 1, generator=generator) > 0.1)
    return (grey + (pixels - grey) * saturation).clamp(0, 1)


def centres(boxes, cells):
    """Centres of the cells of each crop in pixels of its image, [N, cells * cells, 2], and cell sizes [N]."""
    steps = (torch.arange(cells) + 0.5) / cells
    across = torch.where(boxes[:, 3:4] > 0, 1 - steps, steps)
    x = boxes[:, 0:1] + across * boxes[:, 2:3]
    y = boxes[:, 1:2] + steps * boxes[:, 2:3]
    grid = torch.stack([x[:, None, :].expand(-1, cells, -1), y[:, :, None].expand(-1, -1, cells)], -1)
    return grid.flatten(1, 2), boxes[:, 2] / cells


def dense_contrast(first, second, boxes):
    """InfoNCE between cells: the positive is the nearest cell of the other view, the negatives are
    all cells of other images and cells of the same image that are at least two cells away."""
    count, channels, cells, _ = first.shape
    a = nn.functional.normalize(first.flatten(2).transpose(1, 2), dim=-1)
    b = nn.functional.normalize(second.flatten(2).transpose(1, 2), dim=-1)
    here, size_here = centres(boxes[:count], cells)
    there, size_there = centres(boxes[count:], cells)
    distance = torch.cdist(here, there)
    unit = torch.maximum(size_here, size_there).view(-1, 1, 1)
    nearest, index = distance.min(-1)
    valid = nearest < 0.75 * unit.squeeze(-1)
    scores = (a.flatten(0, 1) @ b.flatten(0, 1).T).float() / TEMPERATURE
    total = cells * cells
    block = scores.view(count, total, count, total).diagonal(dim1=0, dim2=2).permute(2, 0, 1)
    positive = block.gather(-1, index.unsqueeze(-1)).squeeze(-1)
    near = (distance < 2 * unit) & (torch.arange(total).view(1, 1, -1) != index.unsqueeze(-1))
    mask = torch.zeros_like(scores).view(count, total, count, total)
    rows = torch.arange(count)
    mask[rows, :, rows, :] = near.float() * -1e4
    partition = torch.logsumexp(scores + mask.view_as(scores), -1).view(count, total)
    return ((partition - positive) * valid).sum() / valid.sum().clamp(min=1)


def descriptor(pixels, stride):
    """Training-free target of a cell: mean and deviation of colour, histogram of gradient orientations."""
    pool = lambda x: nn.functional.avg_pool2d(x, stride)
    mean = pool(pixels)
    deviation = (pool(pixels * pixels) - mean * mean).clamp(min=1e-8).sqrt()
    grey = nn.functional.pad(pixels.mean(1, keepdim=True), (1, 1, 1, 1), mode="replicate")
    dx = grey[:, :, 1:-1, 2:] - grey[:, :, 1:-1, :-2]
    dy = grey[:, :, 2:, 1:-1] - grey[:, :, :-2, 1:-1]
    angle = torch.remainder(torch.atan2(dy, dx), math.pi) / math.pi * ORIENTATIONS
    bins = nn.functional.one_hot(angle.long().clamp(max=ORIENTATIONS - 1).squeeze(1), ORIENTATIONS)
    histogram = pool(bins.permute(0, 3, 1, 2).float() * torch.hypot(dx, dy))
    target = torch.cat([mean, deviation, histogram], 1)
    centred = target - target.mean((0, 2, 3), keepdim=True)
    return centred / (centred.square().mean((0, 2, 3), keepdim=True).sqrt() + 1e-4)


def projection(inputs, outputs):
    return nn.Sequential(nn.Conv2d(inputs, 256, 1, bias=False), nn.BatchNorm2d(256), nn.ReLU(), nn.Conv2d(256, outputs, 1))


class Learner(nn.Module):
    """The network with its projection heads, which are thrown away after training."""

    def __init__(self):
        super().__init__()
        self.network = ResNet18()
        self.project = nn.ModuleList([projection(128, 64), projection(256, 64)])
        self.describe = nn.ModuleList([nn.Conv2d(128, 6 + ORIENTATIONS, 1), nn.Conv2d(256, 6 + ORIENTATIONS, 1)])
        self.whole = projection(256, 64)

    def forward(self, pixels, clean, boxes):
        maps = self.network((pixels - MEAN) / DEVIATION)
        half = pixels.shape[0] // 2
        losses = {}
        for name, stride, values, project, describe in zip(("16", "32"), (16, 32), maps, self.project, self.describe):
            projected = project(values).float()
            losses["dense" + name] = 0.5 * dense_contrast(projected[:half], projected[half:], boxes)
            losses["describe" + name] = (describe(values).float() - descriptor(clean, stride)).square().mean()
        pooled = self.whole(maps[1].mean((2, 3), keepdim=True)).float().flatten(1)
        pooled = nn.functional.normalize(pooled, dim=-1)
        scores = pooled[:half] @ pooled[half:].T / TEMPERATURE
        losses["whole"] = 0.25 * nn.functional.cross_entropy(scores, torch.arange(half))
        return losses


def write_weights(learner, path, note):
    state = {name: value.to(torch.float16).contiguous() for name, value in learner.network.state_dict().items() if "num_batches" not in name}
    save_file(state, str(path), metadata={"architecture": "resnet18 width 0.5", "training": note})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", required=True, help="folder of images")
    parser.add_argument("--small-images", help="tar of small images")
    parser.add_argument("--small-share", type=float, default=0.25, help="share of small images in a batch")
    parser.add_argument("--out", required=True, type=pathlib.Path)
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--batch", type=int, default=48)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(1)
    torch.manual_seed(options.seed)
    options.out.mkdir(parents=True, exist_ok=True)
    large, small = load_images(options.images, options.small_images, 20000)
    print(f"{len(large)} large and {len(small)} small images", flush=True)
    learner = Learner().to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(learner.parameters(), lr=options.rate, weight_decay=0.05)
    checkpoint = options.out / "checkpoint.pt"
    first = 0
    if checkpoint.exists():
        state = torch.load(checkpoint)
        learner.load_state_dict(state["learner"])
        optimiser.load_state_dict(state["optimiser"])
        first = state["step"]
    started = time.time()
    for step in range(first, options.steps):
        # Keyed by the step, so that a resumed run sees the batches that it would have seen.
        random = np.random.default_rng([options.seed, step])
        generator = torch.Generator().manual_seed(options.seed * 1_000_003 + step)
        warm = min(1.0, (step + 1) / 100)
        rate = options.rate * warm * 0.5 * (1 + math.cos(math.pi * step / options.steps))
        for group in optimiser.param_groups:
            group["lr"] = rate
        clean, boxes = batch(random, large, small, options.batch, options.small_share)
        pixels = jitter(clean, generator).contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16):
            losses = learner(pixels, clean, boxes)
        loss = sum(losses.values())
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        if step % 50 == 0:
            parts = " ".join(f"{name} {value.item():.3f}" for name, value in losses.items())
            print(f"step {step} {time.time() - started:.0f} s loss {loss.item():.3f} {parts}", flush=True)
        if step % 250 == 249 or step + 1 == options.steps:
            partial = checkpoint.with_suffix(".partial")
            torch.save({"learner": learner.state_dict(), "optimiser": optimiser.state_dict(), "step": step + 1}, partial)
            partial.replace(checkpoint)
            write_weights(learner, options.out / "weights.safetensors", f"step {step + 1}, batch {options.batch}, seed {options.seed}")


if __name__ == "__main__":
    main()
