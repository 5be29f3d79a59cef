"""Computes resize, crop, colour jitter, greyscale and blur with torchvision, on 8-bit images.

golden.safetensors holds the image and the results as [height, width, 3]; the steps and numbers
are in the names of the tensors and in tests/augmentation.rs.

Made with Python 3.11, torch 2.15.0, torchvision 0.29.2, safetensors 0.8.0:
    python make.py
"""

from pathlib import Path

import torch
from safetensors.torch import save_file
from torchvision.transforms.v2 import functional as F

HEIGHT, WIDTH = 47, 61


def image():
    """Colours in all directions, edges and noise."""
    generator = torch.Generator().manual_seed(7)
    y = torch.arange(HEIGHT)[:, None]
    x = torch.arange(WIDTH)[None, :]
    levels = torch.stack([x * 4 + y, y * 5 + 3 * x % 40, 255 - x * 3 + y * 2]).clamp(0, 255)
    levels[:, 10:25, 15:40] = torch.tensor([20, 200, 90])[:, None, None]
    levels[:, 18:40, 30:55] += torch.randint(-90, 90, (3, 22, 25), generator=generator)
    return levels.clamp(0, 255).to(torch.uint8)


def main():
    source = image()
    resize = dict(interpolation=F.InterpolationMode.BILINEAR, antialias=True)
    results = {
        "source": source,
        "smaller": F.resize(source, [20, 33], **resize),
        "larger": F.resize(source, [70, 95], **resize),
        "brightness": F.adjust_brightness(source, 1.37),
        "contrast": F.adjust_contrast(source, 0.63),
        "saturation": F.adjust_saturation(source, 1.4),
        "hue": F.adjust_hue(source, -0.083),
        "grey": F.rgb_to_grayscale(source, num_output_channels=3),
        "blur": F.gaussian_blur(source, [9, 9], [1.3, 1.3]),
    }
    chained = F.adjust_contrast(F.adjust_hue(source, 0.06), 1.31)
    results["chained"] = F.adjust_brightness(F.adjust_saturation(chained, 0.72), 0.81)
    tensors = {name: tensor.permute(1, 2, 0).contiguous() for name, tensor in results.items()}
    save_file(tensors, Path(__file__).parent / "golden.safetensors")


if __name__ == "__main__":
    main()
