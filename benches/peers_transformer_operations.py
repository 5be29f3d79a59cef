"""Trainable operations of the transformer beside torch: same numbers, in turns; times and errors.

    cargo bench --no-run --bench transformer_operations
    python benches/peers_transformer_operations.py target/release/deps/transformer_operations-... [NAME...]

Forward and backward with gradients of every input. The peer of deformable attention is
transformers' torch path (a loop of grid_sample over the levels); of attention the faster of
transformers' eager form and torch's scaled_dot_product_attention; of the others torch's own
operation. Errors are the largest differences as a share of the largest number.
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
from torch.nn import functional
from transformers.models.deformable_detr.modeling_deformable_detr import MultiScaleDeformableAttention

# The maps of a 320x320 image at strides 8, 16, 32 and 64.
LEVELS = [(40, 40), (20, 20), (10, 10), (5, 5)]
CELLS = sum(height * width for height, width in LEVELS)
BATCH, HEADS, DIM, POINTS = 2, 8, 32, 4
ROWS = BATCH * CELLS


def deformable(queries):
    core = MultiScaleDeformableAttention()
    shapes = torch.tensor(LEVELS)
    starts = torch.cat((shapes.new_zeros(1), shapes.prod(1).cumsum(0)[:-1]))
    inputs = [
        torch.randn(BATCH, CELLS, HEADS, DIM),
        # Somewhat outside as well, as offsets near the edges lead there.
        torch.rand(BATCH, queries, HEADS, len(LEVELS), POINTS, 2) * 1.2 - 0.1,
        torch.rand(BATCH, queries, HEADS, len(LEVELS), POINTS).flatten(3).softmax(-1),
    ]
    inputs[2] = inputs[2].unflatten(3, (len(LEVELS), POINTS))
    numbers = [BATCH, queries, HEADS, DIM, POINTS, *(side for level in LEVELS for side in level)]
    peer = lambda value, locations, weights: core(value, shapes, LEVELS, starts, locations, weights, 64)
    return "deformable", numbers, inputs, {"transformers": peer}


def linear(rows, inputs, outputs, relu):
    def peer(x, weight, bias):
        y = functional.linear(x, weight, bias)
        return torch.relu(y) if relu else y

    tensors = [torch.randn(rows, inputs), torch.randn(outputs, inputs) / inputs**0.5, torch.randn(outputs)]
    return "linear", [rows, inputs, outputs, int(relu)], tensors, {"torch": peer}


def layer_norm():
    peer = lambda x, residual, weight, bias: functional.layer_norm(x + residual, (256,), weight, bias)
    tensors = [torch.randn(ROWS, 256), torch.randn(ROWS, 256), torch.randn(256), torch.randn(256)]
    return "layer_norm", [ROWS, 256], tensors, {"torch": peer}


def split_heads(rows):
    return rows.unflatten(-1, (HEADS, DIM)).transpose(1, 2)


def eager_attention(q, k, v):
    q, k, v = map(split_heads, (q, k, v))
    return ((q @ k.transpose(2, 3) * DIM**-0.5).softmax(-1) @ v).transpose(1, 2).flatten(2)


def fused_attention(q, k, v):
    heads = functional.scaled_dot_product_attention(*map(split_heads, (q, k, v)))
    return heads.transpose(1, 2).flatten(2)


def attention():
    tensors = [torch.randn(BATCH, 300, HEADS * DIM) for _ in range(3)]
    peers = {"torch eager": eager_attention, "torch fused": fused_attention}
    return "attention", [BATCH, 300, 300, HEADS, DIM], tensors, peers


def softmax():
    tensors = [torch.randn(ROWS * HEADS, len(LEVELS) * POINTS)]
    return "softmax", [ROWS * HEADS, len(LEVELS) * POINTS], tensors, {"torch": lambda x: x.softmax(-1)}


def dropout():
    # No errors: the masks are different draws.
    tensors = [torch.randn(ROWS * 256)]
    return "dropout", [ROWS * 256], tensors, {"torch": lambda x: functional.dropout(x, 0.1)}


CASES = {
    "deformable 300 queries": lambda: deformable(300),
    "deformable 2125 queries": lambda: deformable(2125),
    "linear 256-256": lambda: linear(ROWS, 256, 256, False),
    "linear 256-1024 ReLU": lambda: linear(ROWS, 256, 1024, True),
    "linear 1024-256": lambda: linear(ROWS, 1024, 256, False),
    "linear 256-128, 600 rows": lambda: linear(600, 256, 128, False),
    "layer norm of a sum": layer_norm,
    "attention 300": attention,
    "softmax of 16": softmax,
    "dropout": dropout,
}


class Ours:
    """The bench binary, which runs forward and backward for each line it is sent."""

    def __init__(self, binary, name, numbers, inputs, output_gradient, threads, folder):
        self.folder = folder
        for number, tensor in enumerate(inputs):
            tensor.detach().numpy().tofile(folder / f"input_{number}")
        output_gradient.numpy().tofile(folder / "output_gradient")
        command = [binary, name, folder, threads, *numbers]
        self.process = subprocess.Popen(
            list(map(str, command)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def times_ms(self):
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        return [float(text) for text in self.process.stdout.readline().split()]

    def finish(self):
        self.process.stdin.close()
        assert self.process.wait() == 0
        names = sorted(path.name for path in self.folder.glob("gradient_*"))
        return [numpy.fromfile(self.folder / name, dtype=numpy.float32) for name in ["output", *names]]


def times_ms(peer, inputs, output_gradient):
    for tensor in inputs:
        tensor.grad = None
    start = time.perf_counter()
    output = peer(*inputs)
    between = time.perf_counter()
    output.backward(output_gradient)
    return [(between - start) * 1e3, (time.perf_counter() - between) * 1e3]


def exact(peer, inputs, output_gradient):
    """Output and gradients of the same numbers in double precision."""
    wide = [tensor.detach().double().requires_grad_() for tensor in inputs]
    output = peer(*wide)
    output.backward(output_gradient.double().reshape(output.shape))
    return [output.detach()] + [tensor.grad for tensor in wide]


def error(found, wanted):
    found = torch.as_tensor(found).reshape(wanted.shape).double()
    return ((found - wanted).abs().max() / wanted.abs().max()).item()


def compare(title, binary, threads, rounds):
    name, numbers, inputs, peers = CASES[title]()
    inputs = [tensor.requires_grad_() for tensor in inputs]
    first = next(iter(peers.values()))
    output_gradient = torch.randn(first(*inputs).shape)
    with tempfile.TemporaryDirectory() as folder:
        ours = Ours(binary, name, numbers, inputs, output_gradient, threads, pathlib.Path(folder))
        times = {"ours": [], **{peer: [] for peer in peers}}
        for _ in range(rounds + 1):
            times["ours"].append(ours.times_ms())
            for peer, run in peers.items():
                times[peer].append(times_ms(run, inputs, output_gradient))
        found = ours.finish()
    # The first round warms up.
    best = {key: [min(part) for part in zip(*values[1:])] for key, values in times.items()}
    middle = {key: statistics.median(map(sum, values[1:])) for key, values in times.items()}
    peer = min(peers, key=lambda key: sum(best[key]))
    for key, parts in best.items():
        print(f"{title:26} {key:13} forward {parts[0]:8.2f} ms   backward {parts[1]:8.2f} ms")
    line = f"{title:26} {peer} / ours: fastest {sum(best[peer]) / sum(best['ours']):.2f}, "
    line += f"median {middle[peer] / middle['ours']:.2f}"
    if name != "dropout":
        wanted = exact(first, inputs, output_gradient)
        times_ms(peers[peer], inputs, output_gradient)
        theirs = [peers[peer](*inputs).detach()] + [tensor.grad for tensor in inputs]
        ours_errors = [error(*pair) for pair in zip(found, wanted)]
        their_errors = [error(*pair) for pair in zip(theirs, wanted)]
        line += f"; largest error of output {ours_errors[0]:.0e}, gradients {max(ours_errors[1:]):.0e}"
        line += f" (theirs {their_errors[0]:.0e}, {max(their_errors[1:]):.0e})"
    print(line, flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary", type=os.path.abspath)
    parser.add_argument("names", nargs="*", help="starts of the cases' names; all without")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=10)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    for title in CASES:
        if not options.names or any(title.startswith(name) for name in options.names):
            compare(title, options.binary, options.threads, options.rounds)


if __name__ == "__main__":
    main()
