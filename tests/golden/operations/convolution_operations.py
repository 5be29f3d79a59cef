"""Makes convolution_operations.safetensors: outputs and gradients of torch in single precision.

    python convolution_operations.py

Maps are stored NHWC. The gradient of each output is drawn; weights and norms are drawn so that no
sum lies near 0, where ReLU would depend on rounding.
"""

import platform
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch.nn import functional

tensors = {}


def nhwc(tensor):
    return tensor.permute(0, 2, 3, 1) if tensor.dim() == 4 else tensor


def store(name, inputs, compute, maps):
    """Stores inputs, output and gradients; `maps` are the inputs that are maps."""
    inputs = [tensor.clone().requires_grad_() for tensor in inputs]
    output = compute(*inputs)
    gradient = torch.randn_like(output)
    output.backward(gradient)
    for place, tensor in enumerate(inputs):
        convert = nhwc if place in maps else lambda tensor: tensor
        tensors[f"{name}.input_{place}"] = convert(tensor.detach()).contiguous()
        tensors[f"{name}.gradient_{place}"] = convert(tensor.grad).contiguous()
    tensors[f"{name}.output"] = nhwc(output.detach()).contiguous()
    tensors[f"{name}.output_gradient"] = nhwc(gradient).contiguous()


def frozen(stride, padding):
    def compute(map, weights, scale, shift, residual):
        sums = functional.conv2d(map, weights, stride=stride, padding=padding)
        return functional.relu(sums * scale[:, None, None] + shift[:, None, None] + residual)

    return compute


def convolutions():
    for name, (inputs, outputs, kernel, stride, padding, side) in {
        "same": (6, 10, 3, 1, 1, 5),
        "strided": (6, 10, 3, 2, 1, 7),
        "pointwise": (10, 18, 1, 1, 0, 4),
        "shortcut": (10, 18, 1, 2, 0, 7),
        "stem": (3, 5, 7, 2, 3, 11),
    }.items():
        to = (side + 2 * padding - kernel) // stride + 1
        drawn = [
            torch.randn(2, inputs, side, side - 1),
            torch.randn(outputs, inputs, kernel, kernel) / (inputs * kernel**2) ** 0.5,
            torch.rand(outputs) + 0.5,
            torch.randn(outputs),
            # Far from the others' sum.
            torch.randn(2, outputs, to, (side - 1 + 2 * padding - kernel) // stride + 1).sign() * 20,
        ]
        store(f"frozen_{name}", drawn, frozen(stride, padding), {0, 4})
    bias = lambda map, weights, bias: functional.conv2d(map, weights, bias)
    store("bias", [torch.randn(2, 5, 4, 7), torch.randn(20, 5, 1, 1), torch.randn(20)], bias, {0})


def main():
    torch.manual_seed(3)
    convolutions()
    pool = lambda map: functional.max_pool2d(map, 3, 2, 1)
    # Whole numbers have ties.
    store("max_pool", [torch.randint(0, 4, (2, 5, 7, 8)).float()], pool, {0})
    norm = lambda map, weight, bias: functional.group_norm(map, 4, weight, bias)
    store("group_norm", [torch.randn(2, 12, 5, 6), torch.randn(12), torch.randn(12)], norm, {0})
    for name, size in {"up": (9, 11), "down": (2, 3)}.items():
        resize = lambda map: functional.interpolate(map, size, mode="bilinear", align_corners=False)
        store(f"resize_{name}", [torch.randn(2, 3, 5, 6)], resize, {0})
    versions = {"torch": torch.__version__, "python": platform.python_version()}
    save_file(tensors, Path(__file__).with_suffix(".safetensors"), versions)


if __name__ == "__main__":
    main()
