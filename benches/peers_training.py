"""Whole training steps beside transformers and torch: same weights, same batches, in turns.

    cargo bench --no-run --bench training_step
    python benches/peers_training.py target/release/deps/training_step-... [--rounds 5] [--steps 50]

A step is forward, matching, losses of all decoder layers, backward, clipping and AdamW of a
Deformable DETR with a ResNet-50, 256 channels, 3 + 3 layers and 300 queries, on two images of
320x320 with 25 targets each, f32, no dropout, every convolution trained and every batch norm frozen.
torch runs eagerly, once with channels_last and once without; the faster of the two is the peer.

Printed: times of both and their ratio; the largest relative difference of the loss over --steps
steps from the same weights; and how much memory each process grew at its peak over what it held
when its libraries were loaded, in processes of their own (--memory).
"""

import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import torch
from safetensors.torch import save_file
from transformers import DeformableDetrConfig, DeformableDetrForObjectDetection, TimmBackboneConfig
from transformers.loss.loss_deformable_detr import DeformableDetrHungarianMatcher, DeformableDetrImageLoss

WEIGHTS = {"loss_ce": 2.0, "loss_bbox": 5.0, "loss_giou": 2.0}
RATE, BACKBONE_RATE, OFFSETS_RATE, DECAY, NORM_MAX = 2e-4, 2e-5, 2e-5, 1e-4, 0.1
BATCHES = 4
SETTINGS = """threads = {threads}
[detector]
encoder_layers_count = {layers}
decoder_layers_count = {layers}
classes_count = {classes}
dropout = 0.0
[criterion]
[training]
schedule = "constant"
recompute = {recompute}
"""


def model_of(options):
    torch.manual_seed(0)
    config = DeformableDetrConfig(
        backbone_config=TimmBackboneConfig(
            backbone="resnet50", out_indices=(2, 3, 4), features_only=True, use_pretrained_backbone=False),
        encoder_layers=options.layers, decoder_layers=options.layers, num_labels=options.classes,
        dropout=0.0, attention_dropout=0.0, activation_dropout=0.0, auxiliary_loss=True)
    model = DeformableDetrForObjectDetection(config).train()
    for parameter in model.parameters():
        parameter.requires_grad_(True)
    for name, buffer in model.named_buffers():
        # A residual branch that is weaker than its shortcut keeps a drawn network's maps near one.
        if name.endswith("bn3.weight"):
            buffer.fill_(0.3)
    return model


class Torch:
    def __init__(self, options, format):
        self.model = model_of(options).to(memory_format=format)
        self.format = format
        groups = {RATE: [], BACKBONE_RATE: [], OFFSETS_RATE: []}
        offsets = []
        for name, parameter in self.model.named_parameters():
            if "backbone" in name:
                groups[BACKBONE_RATE].append(parameter)
            elif "reference_points" in name or "sampling_offsets" in name:
                offsets.append(parameter)
            else:
                groups[RATE].append(parameter)
        self.optimiser = torch.optim.AdamW(
            [{"params": groups[RATE], "lr": RATE}, {"params": groups[BACKBONE_RATE], "lr": BACKBONE_RATE},
             {"params": offsets, "lr": OFFSETS_RATE}], weight_decay=DECAY)
        matcher = DeformableDetrHungarianMatcher(class_cost=2.0, bbox_cost=5.0, giou_cost=2.0)
        self.criterion = DeformableDetrImageLoss(matcher, options.classes, 0.25, ["labels", "boxes"])

    def step(self, batch):
        images = batch["images"].permute(0, 3, 1, 2).contiguous(memory_format=self.format)
        targets = [{"class_labels": c.long(), "boxes": b} for c, b in
                   zip(batch["classes"].split(batch["lengths"]), batch["boxes"].split(batch["lengths"]))]
        begin = time.perf_counter()
        self.optimiser.zero_grad(set_to_none=True)
        # Everything but the loss, which here has the official weights: theirs has 1 for the classes.
        found = self.model(images, pixel_mask=batch["mask"])
        layers = found.auxiliary_outputs if found.auxiliary_outputs is not None else self.layers_of(found)
        losses = self.criterion({"logits": found.logits, "pred_boxes": found.pred_boxes, "auxiliary_outputs": layers}, targets)
        total = sum(WEIGHTS[name.rsplit("_", 1)[0] if name[-1].isdigit() else name] * loss for name, loss in losses.items())
        total.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), NORM_MAX)
        self.optimiser.step()
        return (time.perf_counter() - begin) * 1e3, total.item()

    def layers_of(self, found):
        """Logits and boxes of all layers but the last, as the model's own loss takes them."""
        layers = []
        for layer in range(found.intermediate_hidden_states.shape[1] - 1):
            hidden = found.intermediate_hidden_states[:, layer]
            reference = found.init_reference_points if layer == 0 else found.intermediate_reference_points[:, layer - 1]
            reference = torch.special.logit(reference.clamp(0, 1), eps=1e-5)
            correction = self.model.bbox_embed[layer](hidden)
            width = reference.shape[-1]
            boxes = torch.cat([correction[..., :width] + reference, correction[..., width:]], -1).sigmoid()
            layers.append({"logits": self.model.class_embed[layer](hidden), "pred_boxes": boxes})
        return layers


class Ours:
    def __init__(self, binary, folder):
        paths = [folder / name for name in ("weights.safetensors", "batches.safetensors", "settings.toml")]
        self.process = subprocess.Popen([binary, *map(str, paths)], text=True, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def step(self, index):
        self.process.stdin.write(f"{index}\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().split()
        if not answer:
            sys.exit(f"no answer to step: {self.process.stderr.read()}")
        milliseconds, loss = answer
        return float(milliseconds), float(loss)

    def end(self):
        self.process.stdin.close()
        return self.process.stderr.read().strip()


def batches_of(options):
    generator = torch.Generator().manual_seed(1)
    batches = []
    for _ in range(BATCHES):
        total = options.batch * options.targets
        boxes = torch.cat([torch.rand(total, 2, generator=generator) * 0.5 + 0.25,
                           torch.rand(total, 2, generator=generator) * 0.4 + 0.05], 1)
        batches.append({
            "images": torch.randn(options.batch, options.side, options.side, 3, generator=generator),
            "mask": torch.ones(options.batch, options.side, options.side, dtype=torch.long),
            "classes": torch.randint(options.classes, (total,), generator=generator).float(),
            "boxes": boxes, "lengths": [options.targets] * options.batch})
    return batches


def write(options, folder):
    model_of(options).save_pretrained(folder)
    os.rename(folder / "model.safetensors", folder / "weights.safetensors")
    tensors = {}
    for index, batch in enumerate(batches_of(options)):
        tensors |= {f"{kind}.{index}": batch[kind].contiguous() for kind in ("images", "classes", "boxes")}
        tensors[f"sizes.{index}"] = torch.full((options.batch, 2), float(options.side))
        tensors[f"counts.{index}"] = torch.tensor(batch["lengths"], dtype=torch.float32)
    save_file(tensors, folder / "batches.safetensors")
    text = SETTINGS.format(threads=options.threads, layers=options.layers, classes=options.classes,
        recompute=str(options.recompute).lower())
    (folder / "settings.toml").write_text(text)


def resident(key):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(key))


def memory_of_torch(options):
    """For a process of its own: libraries are loaded, nothing else."""
    begun = resident("VmRSS")
    format = torch.channels_last if options.memory == "channels_last" else torch.contiguous_format
    peer, batches = Torch(options, format), batches_of(options)
    for step in range(3):
        peer.step(batches[step])
    print(resident("VmHWM") - begun)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binary")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=50, help="of the curve of losses; 0: none")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--layers", type=int, default=3)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--side", type=int, default=320)
    parser.add_argument("--targets", type=int, default=25)
    parser.add_argument("--classes", type=int, default=2048)
    parser.add_argument("--recompute", action="store_true", help="ours runs cheap operations again on the way back")
    parser.add_argument("--memory", help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.memory:
        return memory_of_torch(options)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        write(options, folder)
        batches = batches_of(options)
        if options.steps:
            ours, peer = Ours(options.binary, folder), Torch(options, torch.channels_last)
            pairs = [(ours.step(step % BATCHES)[1], peer.step(batches[step % BATCHES])[1]) for step in range(options.steps)]
            ours.end()
            worst = max(abs(a - b) / b for a, b in pairs)
            print(f"losses of {options.steps} steps: {pairs[0][1]:.4f} to {pairs[-1][1]:.4f}, largest relative difference {worst:.1e}")
        ours = Ours(options.binary, folder)
        peers = {"eager": Torch(options, torch.contiguous_format), "eager channels_last": Torch(options, torch.channels_last)}
        times = {name: [] for name in ["ours", *peers]}
        for round in range(options.rounds + 1):
            index = round % BATCHES
            found = {"ours": ours.step(index)} | {name: peer.step(batches[index]) for name, peer in peers.items()}
            for name, (milliseconds, _) in found.items() if round else []:
                times[name].append(milliseconds)
        del peers
        print(f"ours: {ours.end()}")
        best = min((min(times[name]), name) for name in times if name != "ours")[1]
        for name, list in times.items():
            print(f"{name:20} fastest {min(list):8.1f} ms, median {statistics.median(list):8.1f} ms")
        print(f"torch {best} / ours: fastest {min(times[best]) / min(times['ours']):.2f},"
              f" median {statistics.median(times[best]) / statistics.median(times['ours']):.2f}")
        ours = Ours(options.binary, folder)
        for step in range(3):
            ours.step(step)
        mine = int(ours.end().split()[1])
        # Their allocator's least: the smaller of both formats.
        command = [sys.executable, __file__, *sys.argv[1:], "--memory"]
        others = [int(subprocess.run([*command, format], capture_output=True, text=True, check=True).stdout)
                  for format in ("contiguous", "channels_last")]
        print(f"peak memory: ours {mine / 1024:.0f} MiB, torch {min(others) / 1024:.0f} MiB, ours / torch {mine / min(others):.2f}")


main()
