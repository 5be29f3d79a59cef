"""Does pretraining help? Runs every arm with the `simdetr` command and writes the tables as measured.

    cargo build --release
    python examples/evidence/run.py --data ../shared/data --out /tmp/evidence

(a) Boxes: pretrain on `imagenet1k-samples` and the images of `coco128`, without labels; AP and recall of
T_0, of every stage's detector and of its labels on the true boxes of `coco128`, which training never
sees.
(b) Detectors: fine-tune on 10 % and on all of BCCD's training images, the same steps in every arm;
AP and AP50 on its test images, mean and spread over the seeds.

A cell is one run of the command; its answer lies in OUT/cells, and a cell that is there is not run
again. A killed cell goes on from its last checkpoint. `--only TEXT` runs the cells whose name holds
TEXT. Nothing but Python's standard library is needed.
"""

import argparse
import pathlib
import statistics

from command import Cells, merged

# Keys over the preset `tiny`, by size of machine. `cpu` is for two cores: a cell takes minutes.
SCALES = {
    "cpu": {
        "preset": "tiny",
        "pretrain": {
            "cluster": {"classes": 64},
            # As many as the preset keeps of its own.
            "selective_search": {"selective_search_boxes": 25},
            "training": {"steps": 2000},
        },
        "finetune": {
            "training": {"steps": 300, "batch_size": 4, "learning_rate": 3e-3, "backbone_learning_rate": 2e-4,
                         "schedule": "cosine", "checkpoint_steps": 100},
            "augmentation": {"crop_probability": 0.5},
        },
    },
    "gpu": {
        "preset": "deformable-detr-r50",
        "pretrain": {"cluster": {"classes": 256}, "training": {"epochs": 50, "batch_size": 32}},
        "finetune": {"training": {"steps": 5000, "batch_size": 16}},
    },
}

# How each pretraining differs from the first.
PRETRAININGS = {
    "simdetr": {},
    "selective search": {"method": "selective-search"},
    "one pseudo-class": {"cluster": {"classes": 1}},
    "frozen backbone": {"detector": {"frozen": "backbone"}},
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
]
FRACTIONS = [0.1, 1.0]
# Of a row that was measured.
FIGURES = ["average_precision", "average_precision_50", "recall_1", "recall_10", "recall_25", "recall_100"]
# The arm and AP50 at all labels without which the comparison says nothing.
CONVERGED_ARM, CONVERGED_AP50 = "encoder weights only", 0.30


class Bench:
    def __init__(self, options):
        self.options, self.out = options, options.out
        self.scale = SCALES[options.scale]
        self.cells = Cells(options.out, options.simdetr, options.threads, options.only)

    def cell(self, name, command, config):
        return self.cells.run(name, [*command, "--preset", self.scale["preset"]], config)

    def images(self):
        """A folder with both sets of photographs."""
        folder = self.out / "images"
        folder.mkdir(exist_ok=True)
        for name, source in (("imagenet", "imagenet1k-samples"), ("coco", "coco128/images")):
            if not (folder / name).is_symlink():
                (folder / name).symlink_to((self.options.data / source).resolve(), target_is_directory=True)
        return folder

    def pretraining(self, name):
        config = merged(self.scale["pretrain"], PRETRAININGS[name])
        truth = self.options.data / "coco128/annotations.json"
        command = ["pretrain", "--images", self.images(), "--ground-truth", truth, "--stages", "2"]
        return self.cell(f"pretrain {name}", command, config)

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
        # Every arm has the sizes that its pretraining had, so that nothing but the weights differs.
        detector = {"detector": self.scale["pretrain"].get("detector", {}), "seed": seed}
        command = ["finetune", "--annotations", data / "train.json", "--images", data / "images", "--init", start,
                   "--fraction", fraction, "--split-seed", seed, "--test-annotations", data / "test.json"]
        return self.cell(f"finetune {name} {fraction} {seed}", command, merged(self.scale["finetune"], detector))

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

    def detectors_table(self):
        heads = [f"{figure}, {100 * fraction:.0f} %" for fraction in FRACTIONS for figure in ("AP", "AP50")]
        lines = ["| start | " + " | ".join(heads) + " |", "|---" * (1 + len(heads)) + "|"]
        converged = None
        for arm in ARMS:
            texts = []
            for fraction in FRACTIONS:
                cells = [self.finetuning(arm, fraction, seed) for seed in range(self.options.seeds)]
                cells = [cell for cell in cells if cell]
                for figure in ("AP", "AP50"):
                    values = [100 * cell[figure] for cell in cells]
                    spread = f" ± {statistics.stdev(values):.1f}" if len(values) > 1 else ""
                    texts.append(f"{statistics.mean(values):.1f}{spread}" if values else "not run")
                if cells and arm[0] == CONVERGED_ARM and fraction == FRACTIONS[-1]:
                    converged = statistics.mean(cell["AP50"] for cell in cells)
            lines.append(f"| {arm[0]} | " + " | ".join(texts) + " |")
        if converged is not None and converged < CONVERGED_AP50:
            lines += ["", f"The arm `{CONVERGED_ARM}` reaches AP50 {100 * converged:.1f} of {100 * CONVERGED_AP50:.0f}:"
                      " training has not converged, and the comparison does not count."]
        return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=pathlib.Path, required=True, help="imagenet1k-samples, coco128 and bccd")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--simdetr", default="target/release/simdetr")
    parser.add_argument("--scale", choices=SCALES, default="cpu")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", default="", help="run only the cells whose name holds this")
    options = parser.parse_args()
    bench = Bench(options)
    text = "\n".join([*bench.measured_table(), "", *bench.detectors_table(), ""])
    (options.out / "tables.md").write_text(text)
    print(text)


main()
