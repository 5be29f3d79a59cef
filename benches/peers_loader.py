"""Loading beside torchvision: JPEG files to normalised batches of 2x2 mosaics at 320 pixels.

    cargo bench --no-run --bench loader
    python benches/peers_loader.py target/release/deps/loader-... IMAGE_FOLDER [--batches 12] [--rounds 3]

Both sides do the same for each of the four images of a mosaic: decode, crop to a random square
that covers the tile, antialiased resize to 160x160, flip, jitter of brightness, contrast,
saturation and hue in random order; then normalise the mosaic and put 16 into a batch. torchvision
runs as its own guide recommends: v2 functionals on uint8 tensors, libjpeg-turbo through
`decode_image`, two worker processes, crop and resize as one call. Wall time is that of two
threads or workers, processor time that of all processes; the least of several rounds in turns.
The pixels of each operation are compared too, resize and colours for the same decoded image.
"""

import argparse
import json
import os
import pathlib
import random
import resource
import subprocess
import tempfile
import time

import torch
import torchvision
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F

BATCH, SIDE, WORKERS = 16, 320, 2
MEAN, DEVIATION = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


class Mosaics(torch.utils.data.Dataset):
    def __init__(self, paths, count):
        self.paths, self.count = paths, count
        self.jitter = v2.ColorJitter(0.4, 0.4, 0.4, 0.1)

    def __len__(self):
        return self.count

    def tile(self, path, side):
        image = torchvision.io.decode_image(path, mode=torchvision.io.ImageReadMode.RGB)
        height, width = image.shape[-2:]
        square = min(height, width)
        top, left = random.randint(0, height - square), random.randint(0, width - square)
        image = F.resized_crop(image, top, left, square, square, [side, side], antialias=True)
        if random.random() < 0.5:
            image = F.horizontal_flip(image)
        return self.jitter(image)

    def __getitem__(self, index):
        mosaic = torch.empty(3, SIDE, SIDE, dtype=torch.uint8)
        for tile in range(4):
            path = self.paths[index % len(self.paths)] if tile == 0 else random.choice(self.paths)
            y, x = tile // 2 * SIDE // 2, tile % 2 * SIDE // 2
            mosaic[:, y : y + SIDE // 2, x : x + SIDE // 2] = self.tile(path, SIDE // 2)
        return F.normalize(F.to_dtype(mosaic, torch.float32, scale=True), MEAN, DEVIATION)


def processor_s():
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def measured(run):
    """Wall and processor seconds; children must have ended when `run` returns."""
    before = processor_s()
    wall = run()
    return wall, processor_s() - before


def torchvision_s(paths, batches):
    loader = torch.utils.data.DataLoader(
        Mosaics(paths, batches * BATCH), batch_size=BATCH, num_workers=WORKERS, prefetch_factor=4
    )
    start = time.perf_counter()
    for _ in loader:
        pass
    return time.perf_counter() - start


def ours_s(binary, annotations, folder, threads, batches):
    command = [binary, "batches", annotations, folder, str(threads), str(batches)]
    return float(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def print_differences(binary, paths, output):
    """How far our levels are from torchvision's for each operation, over all images."""
    subprocess.run([binary, "pixels", output, *paths], check=True)
    levels, at = torch.frombuffer(bytearray(output.read_bytes()), dtype=torch.uint8), 0
    differences = {"decode": [], "resize": [], "colours": []}

    def ours(height, width):
        nonlocal at
        at += height * width * 3
        return levels[at - height * width * 3 : at].reshape(height, width, 3).permute(2, 0, 1)

    for path in paths:
        wanted = torchvision.io.decode_image(path, mode=torchvision.io.ImageReadMode.RGB)
        height, width = wanted.shape[-2:]
        decoded, square, coloured = ours(height, width), ours(160, 160), ours(height, width)
        resized = F.resize(decoded, [160, 160], antialias=True)
        changed = F.adjust_contrast(F.adjust_hue(decoded, 0.06), 1.31)
        changed = F.adjust_brightness(F.adjust_saturation(changed, 0.72), 0.81)
        pairs = [(decoded, wanted), (square, resized), (coloured, changed)]
        for name, (found, expected) in zip(differences, pairs):
            differences[name].append((found.int() - expected.int()).abs().flatten())
    for name, values in differences.items():
        values = torch.cat(values).float()
        print(
            f"{name:12} mean difference {values.mean():.4f} levels, largest {values.max():.0f},"
            f" {(values > 0).float().mean():.2%} differ"
        )


def annotate(folder, path):
    """A COCO file with one box for each image."""
    names = sorted(name for name in os.listdir(folder) if name.lower().endswith((".jpg", ".jpeg")))
    images = [{"id": id, "file_name": name} for id, name in enumerate(names, 1)]
    boxes = [{"image_id": id, "category_id": 0, "bbox": [1, 1, 99, 99]} for id in range(1, len(names) + 1)]
    path.write_text(json.dumps({"images": images, "annotations": boxes, "categories": [{"id": 0}]}))
    return [os.path.join(folder, name) for name in names]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary", type=os.path.abspath)
    parser.add_argument("folder", type=os.path.abspath)
    parser.add_argument("--batches", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    times = {"ours": [], "torchvision": []}
    with tempfile.TemporaryDirectory() as temporary:
        annotations = pathlib.Path(temporary) / "set.json"
        paths = annotate(options.folder, annotations)
        ours = lambda: ours_s(options.binary, annotations, options.folder, WORKERS, options.batches)
        for _ in range(options.rounds):
            times["ours"].append(measured(ours))
            times["torchvision"].append(measured(lambda: torchvision_s(paths, options.batches)))
        print_differences(options.binary, paths[::50], pathlib.Path(temporary) / "pixels")
    images = options.batches * BATCH * 4
    least = {name: [min(column) for column in zip(*rounds)] for name, rounds in times.items()}
    for name, (wall, processor) in least.items():
        print(
            f"{name:12} {images / wall:7.1f} images/s with {WORKERS} workers,"
            f" {images / processor:7.1f} images for each second of a core"
        )
    ratios = [least["torchvision"][i] / least["ours"][i] for i in range(2)]
    print(f"torchvision / ours: wall {ratios[0]:.2f}, processor {ratios[1]:.2f}")


if __name__ == "__main__":
    main()
