"""Average recall of what the `simdetr` command proposes, beside Selective Search and a fixed grid.

    python measure.py SIMDETR --images coco128/images --annotations coco128/annotations.json \
        [--weights ../../src/encoder/default_weights.safetensors] [--seeds 5] [--threads 2]

Every row but the last two is `simdetr extract`, `cluster` and `export` with the defaults: the built-in
encoder; the ResNet of its weights file alone, without the training-free channels; the same network with
random weights. Class-agnostic AR (x100) of the 25 best boxes of each image, on images of even and of odd
rank (by sorted path, 1-based); the mean and the range over the seeds.
"""

import argparse
import json
import pathlib
import subprocess
import tempfile

import numpy as np
from safetensors.torch import save_file

from evaluate import fitted_grid, network, selective_search
from recall import Recall


def boxes_of(command, encoder, seed, images, threads, recall):
    """Boxes of every image as shares of it, best first."""
    with tempfile.TemporaryDirectory() as folder:
        run, data_set = f"{folder}/run", f"{folder}/T0.json"

        def step(*arguments):
            subprocess.run([command, *arguments, "--threads", str(threads), "--json"], check=True, stdout=subprocess.DEVNULL)

        step("extract", "--images", str(images), "--out", run, "--encoder", encoder, "--seed", str(seed))
        step("cluster", "--run", run, "--classes", "8")
        step("export", "--run", run, "--out", data_set)
        found = json.loads(pathlib.Path(data_set).read_text())
    ids = {pathlib.PurePath(image["file_name"]).name: image["id"] for image in found["images"]}
    of_image = {image_id: [] for image_id in ids.values()}
    for annotation in found["annotations"]:
        of_image[annotation["image_id"]].append(annotation)
    boxes = []
    for name, (width, height) in zip(recall.names, recall.sizes):
        ranked = sorted(of_image[ids[name]], key=lambda annotation: (-annotation["score"], annotation["id"]))
        x, y, across, down = np.array([annotation["bbox"] for annotation in ranked], float).reshape(-1, 4).T
        boxes.append(np.stack([x / width, y / height, (x + across) / width, (y + down) / height], 1))
    return boxes


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command")
    parser.add_argument("--images", required=True, type=pathlib.Path)
    parser.add_argument("--annotations", required=True)
    parser.add_argument("--weights", help="of the built-in encoder, for the row without its training-free channels")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--selective-search-draws", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    recall = Recall(options.annotations)
    paths = [options.images / name for name in recall.names]
    draws = [recall.counts(boxes) for boxes in selective_search(paths, options.selective_search_draws)]
    searched = (np.mean([matched for matched, _ in draws], 0), draws[0][1])
    rows = {"Selective Search": draws, "grid fitted to the even half": [recall.counts(fitted_grid(recall, recall.even))]}

    with tempfile.NamedTemporaryFile(suffix=".safetensors") as random_weights:
        tensors = {name: tensor.contiguous() for name, tensor in network(None, 0).state_dict().items()}
        save_file(tensors, random_weights.name)
        encoders = [("default encoder", "default"), ("random weights", random_weights.name)]
        if options.weights:
            encoders.append(("learned channels alone", options.weights))
        for name, encoder in encoders:
            seeds = range(options.seeds if encoder == "default" else 1)
            rows[name] = [
                recall.counts(boxes_of(options.command, encoder, seed, options.images, options.threads, recall))
                for seed in seeds
            ]
    for name, counts in rows.items():
        even, odd = (np.array([recall.average(one, half) for one in counts]) for half in (recall.even, recall.odd))
        difference, low, high = recall.difference(counts[0], searched, recall.odd)
        print(
            f"{name:30s} even {even.mean():5.2f} [{even.min():.2f}, {even.max():.2f}]"
            f"  odd {odd.mean():5.2f} [{odd.min():.2f}, {odd.max():.2f}]"
            f"  seed 0, odd, minus Selective Search {difference:+.2f} [{low:+.2f}, {high:+.2f}]",
            flush=True,
        )


if __name__ == "__main__":
    main()
