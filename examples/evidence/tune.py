"""What should a preset be? Runs every option for the same wall time and writes each trial as measured.

    cargo build --release
    python examples/evidence/tune.py --out /tmp/tune --minutes 5                       # scenes of the demo
    python examples/evidence/tune.py --out /tmp/mine --minutes 20 --images photos \\
        --validation-images others --validation-annotations others.json                # a set of one's own

A trial is one run of `pretrain` with one option changed and one seed. How many steps it has is measured
first: a run with a few steps a stage and one with a few more say what a step takes, and the trial has as
many as fit into the minutes beside extraction, labelling and measuring. The scenes have another seed than
those that `demo` shows, so that what is chosen on a set is not reported on it.

OUT/trials.jsonl has a line for every trial with its keys, steps, seconds and rows; OUT/tables.md has what is
held out, mean over the seeds, best AP of the last stage first. Both are made of OUT/cells at the end of every
call. A trial that is there is not run again, a killed one goes on from its last checkpoint (its seconds are
then those of the last call), and one that was made of other arguments is refused. `--only TEXT` runs the
trials whose name holds TEXT. Nothing but Python's standard library is needed.
"""

import argparse
import json
import pathlib
import statistics
import sys

from command import Cells, merged, write

# What the demo has beside the preset: objects of its scenes stand before a background.
BEFORE_A_BACKGROUND = {"proposals": {"box_share_max": 0.64}, "relabel": {"box_share_max": 0.64}}
ANY_SIZE = {"proposals": {"box_share_max": 1.0}, "relabel": {"box_share_max": 1.0}}
# One change each over the preset `tiny`, whose detector has 100 queries; on scenes with the demo's keys.
OPTIONS = {
    "preset": {},
    # What ranks boxes.
    "class target one": {"criterion": {"class_target": "one"}},
    "varifocal": {"criterion": {"class_loss": "varifocal", "class_target": "iou"}},
    # How many queries a target teaches.
    "one group": {"detector": {"query_groups_count": 1}},
    "eight groups": {"detector": {"query_groups_count": 8}},
    # What labels of a detector are to the next stage.
    "label score ignored": {"criterion": {"label_score": "ignore"}},
    "label score as weight": {"criterion": {"label_score": "weight"}},
    "all queries as labels": {"relabel": {"predictions_per_image": 100, "suppression": "off", "mirrored": False}},
    # A third of the queries, each seen once.
    "suppression of the patent": {"relabel": {"predictions_per_image": 33, "suppression": "after_cut",
                                              "suppression_iou": 0.55, "mirrored": False}},
    "cold second stage": {"pretrain": {"cold": True}},
    # Sizes and rates.
    "two encoder layers": {"detector": {"encoder_layers_count": 2}},
    "three decoder layers": {"detector": {"decoder_layers_count": 3}},
    "larger images": {"augmentation": {"image_short_sides": [160, 192, 224], "image_long_side_max": 300}},
    "third of the rate": {"training": {"learning_rate": 1e-3}},
    "batches of eight": {"training": {"batch_size": 8}},
    # Ends a stage before its steps are done; its schedule is that of all steps.
    "early stopping": {"training": {"held_out_share": 0.1, "check_steps": 100, "patience_checks": 3}},
    "64 pseudo-classes": {"cluster": {"classes": 64}},
    "ten boxes in T_0": {"proposals": {"proposals_max": 10}},
}
# Steps of a stage of the two short runs that tell what a step takes; they have as many stages as a trial.
SHORT, LONGER = 20, 80
STAGES = 2


class Tuning:
    def __init__(self, options):
        self.options = options
        self.cells = Cells(options.out, options.simdetr, options.threads, options.only)
        self.data = self.data_arguments()
        self.base = {} if options.images else BEFORE_A_BACKGROUND
        large = {"no whole images": BEFORE_A_BACKGROUND} if options.images else {"whole images too": ANY_SIZE}
        self.changes = OPTIONS | large

    def keys(self, option):
        return merged(self.base, self.changes[option])

    def data_arguments(self):
        """Arguments that say what is trained and measured on; renders scenes where nothing was given."""
        options = self.options
        if options.images:
            return ["--images", options.images, "--validation-images", options.validation_images,
                    "--validation-annotations", options.validation_annotations]
        name = f"scenes {options.scenes} and {options.held_out} of seed {options.scenes_seed}"
        scenes = self.cells.folder(name)
        self.cells.run(name, ["demo", "--scenes", options.scenes, "--held-out", options.held_out],
                       {"seed": options.scenes_seed, "pretrain": {"stages_count": 0}}, wanted=True)
        return ["--images", scenes / "images", "--validation-images", scenes / "held_out",
                "--validation-annotations", scenes / "held_out_truth.json"]

    def run(self, name, steps, config, wanted, about=None, arguments=()):
        keys = {"training": {"steps": steps}, "pretrain": {"stages_count": STAGES}}
        command = ["pretrain", "--preset", self.options.preset, *arguments, *self.data]
        return self.cells.run(name, command, merged(config, keys), wanted, about)

    def steps(self, option, wanted):
        """Steps of a stage that fit into the budget; None where none do and where it was not measured."""
        # One that was killed begins anew: seconds of a part say nothing.
        short, longer = (self.run(f"{option} {steps} steps", steps, self.keys(option), wanted, arguments=["--restart"])
                         for steps in (SHORT, LONGER))
        if short is None or longer is None:
            return None
        step = (longer["seconds"] - short["seconds"]) / (STAGES * (LONGER - SHORT))
        # Extraction, labelling and measuring: all of the short run but its steps.
        beside = short["seconds"] - STAGES * SHORT * step
        budget = 60 * self.options.minutes
        if step <= 0 or beside + STAGES * step > budget:
            print(f"{option}: no trial: {SHORT} steps a stage take {short['seconds']} s and {LONGER} take "
                  f"{longer['seconds']} s, so that no number of them takes {budget:.0f} s", file=sys.stderr)
            return None
        return int((budget - beside) / (STAGES * step))

    def trial(self, option, seed):
        """The answer of a trial, or None where it is not there and not to run."""
        name = f"{option} {self.options.minutes} minutes {seed}"
        wanted = self.options.only in name
        steps = self.steps(option, wanted)
        if steps is None:
            return None
        config = merged(self.keys(option), {"seed": seed})
        about = {"option": option, "seed": seed, "minutes": self.options.minutes, "steps": steps,
                 "preset": self.options.preset, "keys": config}
        return self.run(name, steps, config, wanted, about)

    def trials(self):
        """A line for every trial that is there, those of earlier calls included."""
        return [json.dumps(about | {name: answer[name] for name in ("seconds", "measured")})
                for about, answer in self.cells.noted()]

    def table(self):
        rows = []
        for option in self.changes:
            found = [self.trial(option, seed) for seed in range(self.options.seeds)]
            found = [trial for trial in found if trial]
            if found:
                rows.append((option, len(found), statistics.mean(trial["seconds"] for trial in found),
                             [held_out(found, stage) for stage in range(STAGES + 1)]))
        rows.sort(key=lambda row: -row[3][-1][0])
        heads = ["option", "seeds", "seconds"]
        heads += [f"{of}: AP, AR@10, AR@25, AR@100" for of in ("T_0 (as many boxes)", "stage 1", "stage 2")]
        lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
        for option, seeds, seconds, stages in rows:
            figures = [", ".join(f"{figure:.1f}" for figure in stage) for stage in stages]
            lines.append(f"| {option} | {seeds} | {seconds:.0f} | " + " | ".join(figures) + " |")
        return lines


FIGURES = ("average_precision", "recall_10", "recall_25", "recall_100")


def held_out(trials, stage):
    """Means (x100) of the detector's own boxes, or of T_0 at 100 boxes for stage 0."""
    def row(trial):
        kind = "detector" if stage else "proposals"
        return [row for row in trial["measured"]
                if (row["images"], row["kind"], row["stage"]) == ("held_out", kind, stage)][-1]
    return [100 * statistics.mean(row(trial)[figure] for trial in trials) for figure in FIGURES]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--minutes", type=float, default=5, help="wall time of a trial")
    parser.add_argument("--preset", default="tiny")
    parser.add_argument("--scenes", type=int, default=512)
    parser.add_argument("--held-out", type=int, default=64)
    parser.add_argument("--scenes-seed", type=int, default=1000, help="0 draws those of `demo` itself")
    parser.add_argument("--images", type=pathlib.Path, help="a set of one's own in place of scenes")
    parser.add_argument("--validation-images", type=pathlib.Path)
    parser.add_argument("--validation-annotations", type=pathlib.Path)
    parser.add_argument("--simdetr", default="target/release/simdetr")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", default="", help="run only the trials whose name holds this")
    options = parser.parse_args()
    if options.images and not (options.validation_images and options.validation_annotations):
        parser.error("--images needs --validation-images and --validation-annotations")
    tuning = Tuning(options)
    text = "\n".join([*tuning.table(), ""])
    write(options.out / "trials.jsonl", "".join(line + "\n" for line in tuning.trials()))
    write(options.out / "tables.md", text)
    print(text)


main()
