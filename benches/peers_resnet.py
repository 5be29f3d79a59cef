"""ResNet-50 forward beside torch: same weights, same images, in turns; prints time ratios and the error.

    cargo bench --no-run --bench resnet_forward
    python benches/peers_resnet.py target/release/deps/resnet_forward-... [--rounds 10]

torch runs in inference mode with folded batch norms and channels_last, eagerly and compiled with
frozen weights; the faster of the two is the peer.
"""

import argparse
import copy
import os
import pathlib
import statistics
import subprocess
import tempfile
import time

import numpy
import safetensors.torch
import torch
import torch._inductor.config
import torchvision
from torch.fx.experimental.optimization import fuse


def networks(model):
    """Every mode of torch that is tried, by name."""
    plain = copy.deepcopy(model)
    plain.fc = torch.nn.Identity()
    plain.avgpool = torch.nn.Identity()
    plain = fuse(plain).to(memory_format=torch.channels_last)
    torch._inductor.config.freezing = True
    # Its pool of compiler processes can hang a busy machine; one process takes seconds here.
    torch._inductor.config.compile_threads = 1
    return {"torch eager": plain, "torch compiled": torch.compile(copy.deepcopy(plain))}


class Ours:
    """The bench binary, which runs one forward for each line it is sent."""

    def __init__(self, binary, model, images, threads, folder):
        weights, input, self.output = (folder / name for name in ("weights", "input", "output"))
        safetensors.torch.save_file(model.state_dict(), weights)
        images.permute(0, 2, 3, 1).contiguous().numpy().tofile(input)
        sizes = [images.shape[0], images.shape[2], images.shape[3], threads]
        command = [binary, weights, input, self.output, *map(str, sizes)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def forward_ms(self):
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def finish(self):
        self.process.stdin.close()
        assert self.process.wait() == 0
        return numpy.fromfile(self.output, dtype=numpy.float32)


def forward_ms(network, images):
    start = time.perf_counter()
    network(images)
    return (time.perf_counter() - start) * 1e3


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary", type=os.path.abspath)
    parser.add_argument("--images", type=int, default=4)
    parser.add_argument("--side", type=int, default=480)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=10)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    model = torchvision.models.resnet50().eval()
    images = torch.randn(options.images, 3, options.side, options.side)
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        ours = Ours(options.binary, model, images, options.threads, pathlib.Path(folder))
        modes = networks(model)
        batch = images.to(memory_format=torch.channels_last)
        # The first call of each is its warm-up, and compiles.
        wanted = [network(batch) for network in modes.values()][0]
        ours.forward_ms()
        times = {name: [] for name in ["ours", *modes]}
        for _ in range(options.rounds):
            times["ours"].append(ours.forward_ms())
            for name, network in modes.items():
                times[name].append(forward_ms(network, batch))
        found = torch.from_numpy(ours.finish()).reshape(options.images, -1, 2048)
        wanted = wanted.reshape(options.images, 2048, -1).permute(0, 2, 1)
        error = ((found - wanted).abs().max() / wanted.abs().max()).item()
    peer = min(modes, key=lambda name: min(times[name]))
    for name, values in times.items():
        print(f"{name:15} fastest {min(values):8.1f} ms   median {statistics.median(values):8.1f} ms")
    fastest = min(times["ours"]) / min(times[peer])
    medians = statistics.median(times["ours"]) / statistics.median(times[peer])
    print(f"ours / {peer}: fastest {fastest:.3f}, median {medians:.3f}; largest relative error {error:.1e}")


if __name__ == "__main__":
    main()
