"""ResNet-50's forward and backward beside torch: same weights, same images, in turns; times and error.

    cargo bench --no-run --bench operations
    python benches/peers_operations.py target/release/deps/operations-... [--rounds 5]

Frozen batch norms, gradients of every convolution's weights. torch runs eagerly, once with
channels_last and once without; the faster of the two is the peer. The loss is the sum of the
deepest map. The error is that of the gradient of each tensor of weights, as a share of its norm.
"""

import argparse
import os
import pathlib
import statistics
import subprocess
import tempfile
import time

import numpy
import torch
import torchvision

# Twice these make a run on a full machine stable enough for the second digit.
ROUNDS = 5


def network():
    """Drawn weights and norms that keep the maps near one."""
    torch.manual_seed(1)
    model = torchvision.models.resnet50(norm_layer=torchvision.ops.FrozenBatchNorm2d)
    for name, module in model.named_modules():
        if isinstance(module, torchvision.ops.FrozenBatchNorm2d):
            module.weight.uniform_(0.5, 1.0)
            module.bias.uniform_(-0.2, 0.2)
            module.running_mean.uniform_(-0.1, 0.1)
            module.running_var.uniform_(0.5, 1.5)
            if name.endswith("bn3"):
                module.weight.mul_(0.3)
    return model


def layers(model):
    """(convolution, norm) in the order of our table: a block's shortcut is its last."""
    list = [(model.conv1, model.bn1)]
    for stage in (model.layer1, model.layer2, model.layer3, model.layer4):
        for block in stage:
            list += [(block.conv1, block.bn1), (block.conv2, block.bn2), (block.conv3, block.bn3)]
            if block.downsample is not None:
                list.append((block.downsample[0], block.downsample[1]))
    return list


def backbone(model):
    return torch.nn.Sequential(
        model.conv1, model.bn1, model.relu, model.maxpool,
        model.layer1, model.layer2, model.layer3, model.layer4,
    )


class Ours:
    """The bench binary, which runs one step for each line it is sent."""

    def __init__(self, binary, model, images, threads, folder):
        parameters, input, self.output = (folder / name for name in ("parameters", "input", "output"))
        weights = [layer.weight.detach().flatten() for layer, _ in layers(model)]
        norms = []
        for _, norm in layers(model):
            scale = norm.weight * (norm.running_var + norm.eps).rsqrt()
            norms += [scale, norm.bias - norm.running_mean * scale]
        torch.cat(weights + norms).numpy().tofile(parameters)
        images.permute(0, 2, 3, 1).contiguous().numpy().tofile(input)
        sizes = [images.shape[0], images.shape[2], images.shape[3], threads]
        command = [binary, parameters, input, self.output, *map(str, sizes)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def step(self):
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        return [float(text) for text in self.process.stdout.readline().split()]

    def finish(self):
        self.process.stdin.close()
        assert self.process.wait() == 0
        return torch.from_numpy(numpy.fromfile(self.output, dtype=numpy.float32))


def torch_step(model, network, images):
    model.zero_grad(set_to_none=False)
    start = time.perf_counter()
    loss = network(images).sum()
    middle = time.perf_counter()
    loss.backward()
    return [(middle - start) * 1e3, (time.perf_counter() - middle) * 1e3]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary", type=os.path.abspath)
    parser.add_argument("--images", type=int, default=2)
    parser.add_argument("--side", type=int, default=320)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    model, last = network(), network().to(memory_format=torch.channels_last)
    images = torch.randn(options.images, 3, options.side, options.side)
    modes = {
        "torch": (model, backbone(model), images),
        "torch channels_last": (last, backbone(last), images.to(memory_format=torch.channels_last)),
    }
    with tempfile.TemporaryDirectory() as folder:
        ours = Ours(options.binary, model, images, options.threads, pathlib.Path(folder))
        times = {name: [] for name in ["ours", *modes]}
        for round in range(options.rounds + 1):
            steps = {"ours": ours.step()}
            for name, mode in modes.items():
                steps[name] = torch_step(*mode)
            # The first round warms up.
            if round > 0:
                for name, step in steps.items():
                    times[name].append(step)
        found = ours.finish()
    error, start = 0.0, 0
    for layer, _ in layers(model):
        wanted = layer.weight.grad.flatten()
        mine = found[start : start + wanted.numel()]
        error = max(error, ((mine - wanted).norm() / wanted.norm()).item())
        start += wanted.numel()
    totals = {name: [sum(step) for step in steps] for name, steps in times.items()}
    peer = min(modes, key=lambda name: min(totals[name]))
    for name, steps in times.items():
        forward, backward = (min(step[part] for step in steps) for part in (0, 1))
        total, median = min(totals[name]), statistics.median(totals[name])
        print(f"{name:20} fastest {total:7.1f} ms (forward {forward:.1f}, backward {backward:.1f})   median {median:7.1f} ms")
    fastest = min(totals[peer]) / min(totals["ours"])
    medians = statistics.median(totals[peer]) / statistics.median(totals["ours"])
    print(f"{peer} / ours: fastest {fastest:.2f}, median {medians:.2f}; largest error of a gradient {error:.1e}")


if __name__ == "__main__":
    main()
