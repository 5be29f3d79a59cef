"""Computes the default encoder's maps with PyTorch and numpy from the weights that the library
embeds. To be run again whenever these weights change.

golden.safetensors holds both maps in HWC order for the image that `picture` renders; the Rust
test renders it by the same formula.

Made with Python 3.11, numpy 2.4.6, torch 2.15.0, safetensors 0.8.0:
    python make.py
"""

import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
sys.path.append(str(ROOT / "examples" / "default_encoder"))

from descriptor import GROUPS, describe  # noqa: E402
from network import ResNet18  # noqa: E402

MEAN = np.array([0.485, 0.456, 0.406])
DEVIATION = np.array([0.229, 0.224, 0.225])


def picture(height=64, width=96):
    """A gradient, stripes and a disc, by integer arithmetic."""
    y, x = np.indices((height, width))
    red = (x * 2 + y) % 256
    green = (x * 5 + y * 3 + x * y // 16) % 256
    blue = (y * 2 + 40 * (x // 8 % 2)) % 256
    pixels = np.stack([red, green, blue], -1)
    pixels[(x - 60) ** 2 + (y - 30) ** 2 < 20**2] = [200, 60, 30]
    return pixels.astype(np.uint8)


def scaled(values, tensors, level):
    deviation = tensors[f"statistics.level{level}.deviation"].double().numpy()
    groups = [values.shape[-1] - sum(GROUPS), *GROUPS]
    weight = np.concatenate([np.full(size, size**-0.5) for size in groups])
    factor = np.where(deviation > 0, weight / np.where(deviation > 0, deviation, 1), 0)
    return (values - tensors[f"statistics.level{level}.mean"].double().numpy()) * factor


tensors = load_file(ROOT / "src" / "encoder" / "default_weights.safetensors")
network = ResNet18().double().eval()
names = network.state_dict().keys()
missing, _ = network.load_state_dict(
    {name: tensor for name, tensor in tensors.items() if name in names}, strict=False
)
assert all(name.endswith("num_batches_tracked") for name in missing), missing
pixels = picture()
with torch.inference_mode():
    middle, last = network(torch.from_numpy((pixels / 255 - MEAN) / DEVIATION).permute(2, 0, 1)[None])
golden = {}
for level, (learned, plain) in enumerate(zip((last, middle), describe(pixels, (32, 16)))):
    both = np.concatenate([learned[0].permute(1, 2, 0).numpy(), plain], -1)
    golden[f"level{level}"] = torch.from_numpy(scaled(both, tensors, level)).float().contiguous()
    print(golden[f"level{level}"].shape, golden[f"level{level}"].abs().max().item())
save_file(golden, HERE / "golden.safetensors")
