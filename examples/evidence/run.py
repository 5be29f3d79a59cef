"""Does pretraining help? Runs every arm with the `simdetr` command and writes the tables as measured.

    cargo build --release
    python examples/evidence/run.py --data ../shared/data --out /tmp/evidence --on photographs
    python examples/evidence/run.py --data ../shared/data --out /tmp/evidence --on cells --seeds 5

Detectors are pretrained without labels, on `photographs` (`imagenet1k-samples` and the images of `coco128`) or
on `cells`, the training images of BCCD, which is what somebody does who has few labels of a kind of image of
his own. Then
(a) boxes: AP and recall of T_0, of every stage's detector and of its labels on the true boxes of the images
that were trained on without them;
(b) detectors: fine-tuning on a part of BCCD's labels, the same steps in every arm; AP and AP50 on its test
images, mean and spread over the seeds, and how much more than without pretraining, seed by seed, with
the 95 % interval of that difference (Student's t). A seed draws the images that keep their labels, the
weights that are new, and the batches; every arm is pretrained once, so that intervals do not hold what
another pretraining would change.

A cell is one run of the command; its answer lies in OUT/cells, and a cell that is there is not run
again. A killed cell goes on from its last checkpoint. `--only TEXT` runs the cells whose name holds
TEXT. Nothing but Python's standard library is needed.
"""

import argparse
import json
import pathlib
import statistics

from command import Cells, merged

# Keys over the preset `tiny`, by size of machine. `cpu` is for two cores: a cell takes minutes.
SCALES = {
    "cpu": {
        "preset": "tiny",
        "pretrain": {
            "photographs": {
                "cluster": {"classes": 64},
                "training": {"steps": 3000},
            },
            "cells": {
                # README, "Many small objects of one sort".
                "proposals": {"affinity_reach": 0.05, "temperature": 0.15, "cluster_counts": [[2, 4, 8], [12, 24, 48]],
                              "nested_similarity": 1.0, "cap_order": "compactness", "cap_overlap_min": 0.65},
                # An image has about 14 objects.
                "relabel": {"predictions_per_image": 30},
            },
        },
        "finetune": {
            "training": {"steps": 300, "batch_size": 4, "learning_rate": 3e-3, "backbone_learning_rate": 2e-4,
                         "schedule": "cosine", "checkpoint_steps": 100},
            "augmentation": {"crop_probability": 0.5},
        },
    },
    "gpu": {
        "preset": "deformable-detr-r50",
        "pretrain": {on: {"cluster": {"classes": 256}, "training": {"epochs": 50, "batch_size": 32}}
                     for on in ("photographs", "cells")},
        "finetune": {"training": {"steps": 5000, "batch_size": 16}},
    },
}

# As many boxes as the presets keep of their own.
SELECTIVE_SEARCH = {"method": "selective-search", "selective_search": {"selective_search_boxes": 25}}
# How each pretraining differs from the first.
PRETRAININGS = {
    "simdetr": {},
    "selective search": SELECTIVE_SEARCH,
    "one pseudo-class": {"cluster": {"classes": 1}},
    "frozen backbone": {"detector": {"frozen": "backbone"}},
    # What DETReg has but for its embeddings: such boxes, objects of one sort, a backbone that stays.
    "as DETReg": SELECTIVE_SEARCH | {"cluster": {"classes": 1}, "detector": {"frozen": "backbone"}},
    "from scratch": {"pretrain": {"backbone_init": "random"}},
}

# Name of the arm, its pretraining and how many of its stages; without one, what `--init` says.
ARMS = [
    ("random initialisation", None, "random"),
    ("encoder weights only", None, "encoder"),
    ("pretrained, one stage", "simdetr", 1),
    ("pretrained, two stages", "simdetr", 2),
    ("two stages, Selective Search proposals", "selective search", 2),
    ("two stages, one pseudo-class", "one pseudo-class", 2),
    ("two stages, frozen backbone", "frozen backbone", 2),
    ("one stage as DETReg", "as DETReg", 1),
    ("two stages, from drawn weights", "from scratch", 2),
]
# Shares of BCCD's labels.
FRACTIONS = {"photographs": [0.1, 1.0], "cells": [0.05, 0.1, 0.2, 1.0]}
# Student's t that holds 95 % on both sides, by degrees of freedom.
T_95 = {1: 12.71, 2: 4.30, 3: 3.18, 4: 2.78, 5: 2.57, 6: 2.45, 7: 2.36, 8: 2.31, 9: 2.26}
# Of a row that was measured.
FIGURES = ["average_precision", "average_precision_50", "recall_1", "recall_10", "recall_25", "recall_100"]
# The arm and AP50 at all labels without which the comparison says nothing.
CONVERGED_ARM, CONVERGED_AP50 = "encoder weights only", 0.30
RANDOM_ARM = "random initialisation"


class Bench:
    def __init__(self, options):
        self.options, self.out = options, options.out
        self.scale = SCALES[options.scale]
        self.pretrain, self.fractions = self.scale["pretrain"][options.on], FRACTIONS[options.on]
        self.cells = Cells(options.out, options.simdetr, options.threads, options.only)

    def cell(self, name, command, config):
        return self.cells.run(name, [*command, "--preset", self.scale["preset"]], config)

    def images(self):
        """A folder with links to what is pretrained on, and the true boxes of some of it."""
        data, folder = self.options.data, self.out / f"images-{self.options.on}"
        if self.options.on == "cells":
            truth = data / "bccd/train.json"
            names = [image["file_name"] for image in json.loads(truth.read_text())["images"]]
            links = {name: data / "bccd/images" / name for name in names}
        else:
            truth = data / "coco128/annotations.json"
            links = {"imagenet": data / "imagenet1k-samples", "coco": data / "coco128/images"}
        folder.mkdir(exist_ok=True)
        for name, source in links.items():
            if not (folder / name).is_symlink():
                (folder / name).symlink_to(source.resolve())
        return folder, truth

    def pretraining(self, name):
        images, truth = self.images()
        command = ["pretrain", "--images", images, "--ground-truth", truth, "--stages", "2"]
        return self.cell(f"pretrain {self.options.on} {name}", command, merged(self.pretrain, PRETRAININGS[name]))

    def start(self, pretraining, stages):
        """What `--init` is for an arm, or None where its pretraining is not there."""
        if pretraining is None:
            return stages
        found = self.pretraining(pretraining)
        if found is None:
            return None
        return pathlib.Path(found["detector"]).with_name(f"detector-stage{stages}.safetensors")

    def finetuning(self, arm, fraction, seed):
        name, pretraining, stages = arm
        start = self.start(pretraining, stages)
        if start is None:
            return None
        data = self.options.data / "bccd"
        # Arms that no pretraining is in are the same whatever the others were pretrained on.
        name = name if pretraining is None else f"{self.options.on} {name}"
        command = ["finetune", "--annotations", data / "train.json", "--images", data / "images", "--init", start,
                   "--fraction", fraction, "--split-seed", seed, "--test-annotations", data / "test.json"]
        return self.cell(f"finetune {name} {fraction} {seed}", command, merged(self.scale["finetune"], {"seed": seed}))

    def measured_table(self):
        """What `pretrain` measured on the images that have true boxes, which it trained on without them."""
        heads = ["pretraining", "boxes of", "an image", "AP", "AP50", "AR@1", "AR@10", "AR@25", "AR@100"]
        lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
        for name in PRETRAININGS:
            found = self.pretraining(name)
            for row in found["measured"] if found else []:
                count = row["boxes_count"] / row["images_count"]
                figures = " | ".join(f"{100 * row[figure]:.1f}" for figure in FIGURES)
                what = f"{row['kind'].replace('_', ' ')} {row['stage']}, at most {row['boxes_max']}"
                lines.append(f"| {name} | {what} | {count:.1f} | {figures} |")
        return lines

    def arms(self):
        """The seeds' answers that are there, by fraction, of each arm."""
        for arm in ARMS:
            cells = {fraction: {seed: self.finetuning(arm, fraction, seed) for seed in range(self.options.seeds)}
                     for fraction in self.fractions}
            yield arm[0], {fraction: {seed: cell for seed, cell in of.items() if cell} for fraction, of in cells.items()}

    def differences_table(self):
        """AP of each arm less that of its start without pretraining, at the same seed."""
        heads = [f"{100 * fraction:.0f} %" for fraction in self.fractions]
        lines = ["| AP at the same seed | more than | " + " | ".join(heads) + " |", "|---" * (2 + len(heads)) + "|"]
        arms = dict(self.arms())
        for name, pretraining, _ in ARMS:
            if pretraining is None:
                continue
            without = RANDOM_ARM if "backbone_init" in PRETRAININGS[pretraining].get("pretrain", {}) else CONVERGED_ARM
            texts = [difference(arms[name][fraction], arms[without][fraction]) for fraction in self.fractions]
            lines.append(f"| {name} | {without} | " + " | ".join(texts) + " |")
        return lines

    def detectors_table(self):
        heads = [f"{figure}, {100 * fraction:.0f} %" for fraction in self.fractions for figure in ("AP", "AP50")]
        lines = ["| start | " + " | ".join(heads) + " |", "|---" * (1 + len(heads)) + "|"]
        converged = None
        for name, of in self.arms():
            texts = []
            for fraction in self.fractions:
                cells = list(of[fraction].values())
                for figure in ("AP", "AP50"):
                    values = [100 * cell[figure] for cell in cells]
                    spread = f" ± {statistics.stdev(values):.1f}" if len(values) > 1 else ""
                    texts.append(f"{statistics.mean(values):.1f}{spread}" if values else "not run")
                if cells and name == CONVERGED_ARM and fraction == self.fractions[-1]:
                    converged = statistics.mean(cell["AP50"] for cell in cells)
            lines.append(f"| {name} | " + " | ".join(texts) + " |")
        if converged is not None and converged < CONVERGED_AP50:
            lines += ["", f"The arm `{CONVERGED_ARM}` reaches AP50 {100 * converged:.1f} of {100 * CONVERGED_AP50:.0f}:"
                      " training has not converged, and the comparison does not count."]
        return lines


def difference(ours, theirs):
    """Mean of the differences (x100) of the seeds that both have, and its 95 % interval."""
    values = [100 * (cell["AP"] - theirs[seed]["AP"]) for seed, cell in ours.items() if seed in theirs]
    if not values:
        return "not run"
    if len(values) == 1:
        return f"{values[0]:+.1f}"
    mean, reach = statistics.mean(values), T_95[len(values) - 1] * statistics.stdev(values) / len(values) ** 0.5
    return f"{mean:+.1f} ({mean - reach:+.1f} to {mean + reach:+.1f})"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=pathlib.Path, required=True, help="imagenet1k-samples, coco128 and bccd")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--on", choices=list(FRACTIONS), default="photographs", help="what is pretrained on")
    parser.add_argument("--simdetr", default="target/release/simdetr")
    parser.add_argument("--scale", choices=SCALES, default="cpu")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--seeds", type=int, default=3, choices=range(1, 2 + max(T_95)))
    parser.add_argument("--only", default="", help="run only the cells whose name holds this")
    options = parser.parse_args()
    bench = Bench(options)
    text = "\n".join([*bench.measured_table(), "", *bench.detectors_table(), "", *bench.differences_table(), ""])
    (options.out / f"tables-{options.on}.md").write_text(text)
    print(text)


main()
