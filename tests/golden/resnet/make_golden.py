"""Makes the golden files of this folder with torchvision. Run it inside the folder.

Weights and inputs are not stored: a formula gives them from (name, element), and
`tests/resnet.rs` has the same formula. Stored are sizes, norms and slices of every map.
"""

import json
import platform

import numpy
import safetensors
import safetensors.torch
import torch
import torchvision
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet

SLICE = 64


def hash32(x):
    """Wellons' lowbias32, an integer hash, on uint32 arrays."""
    x = x.astype(numpy.uint32)
    x ^= x >> numpy.uint32(16)
    x *= numpy.uint32(0x7FEB352D)
    x ^= x >> numpy.uint32(15)
    x *= numpy.uint32(0x846CA68B)
    x ^= x >> numpy.uint32(16)
    return x


def uniform(name, count):
    """`count` numbers in [0, 1), a function of the name and the element's index."""
    key = 0x811C9DC5
    for byte in name.encode():
        key = ((key ^ byte) * 0x01000193) & 0xFFFFFFFF
    index = numpy.arange(count, dtype=numpy.uint32)
    return (hash32(hash32(index) ^ numpy.uint32(key)) >> numpy.uint32(8)).astype(numpy.float64) / 2.0**24


def parameter(name, shape):
    """Values that keep activations near one: He's bound for kernels, mild norms."""
    values = uniform(name, int(numpy.prod(shape)))
    if len(shape) == 4:
        values = (2 * values - 1) * numpy.sqrt(6.0 / (shape[1] * shape[2] * shape[3]))
    elif name.endswith("weight") or name.endswith("running_var"):
        values = 0.5 + values
    else:
        values = values - 0.5
    return torch.from_numpy(values.astype(numpy.float32).reshape(shape))


def build(block, layers, width):
    """torchvision's ResNet with `width` channels in the stem; torchvision itself only has 64."""
    model = ResNet(block, layers)
    model.inplanes = width
    model.conv1 = torch.nn.Conv2d(3, width, 7, 2, 3, bias=False)
    model.bn1 = torch.nn.BatchNorm2d(width)
    for stage in range(4):
        stride = 1 if stage == 0 else 2
        setattr(model, f"layer{stage + 1}",
                model._make_layer(block, width << stage, layers[stage], stride=stride))
    model.fc = torch.nn.Linear(8 * width * block.expansion, 10)
    state = model.state_dict()
    for name in state:
        if not name.startswith("fc.") and not name.endswith("num_batches_tracked"):
            state[name] = parameter(name, tuple(state[name].shape))
    model.load_state_dict(state)
    return model.eval()


def maps(model, images):
    x = model.maxpool(model.relu(model.bn1(model.conv1(images))))
    answer = []
    for stage in range(4):
        x = getattr(model, f"layer{stage + 1}")(x)
        answer.append(x.permute(0, 2, 3, 1).contiguous())
    return answer


def describe(tensor):
    """Shape (NHWC), largest magnitude, mean, and SLICE values at equal steps of the flat map."""
    flat = tensor.flatten().double()
    at = [index * (len(flat) - 1) // (SLICE - 1) for index in range(SLICE)]
    return {
        "shape": list(tensor.shape),
        "largest": flat.abs().max().item(),
        "mean": flat.mean().item(),
        "values": [round(flat[index].item(), 7) for index in at],
    }


def case(name, depth, width, images, height, width_pixels):
    block, layers = {
        18: (BasicBlock, [2, 2, 2, 2]),
        34: (BasicBlock, [3, 4, 6, 3]),
        50: (Bottleneck, [3, 4, 6, 3]),
    }[depth]
    model = build(block, layers, width).double()
    pixels = uniform(f"input {name}", images * height * width_pixels * 3) * 4 - 2
    pixels = pixels.astype(numpy.float32).reshape(images, height, width_pixels, 3)
    with torch.inference_mode():
        # Double precision: the truth, and not torch's own rounding.
        found = maps(model, torch.from_numpy(pixels).double().permute(0, 3, 1, 2))
    return {
        "name": name, "depth": depth, "width": width,
        "images": images, "height": height, "width_pixels": width_pixels,
        "maps": [describe(map) for map in found],
    }


def main():
    cases = [
        case("resnet18 half", 18, 32, 2, 64, 96),
        case("resnet18 odd", 18, 64, 1, 75, 97),
        case("resnet18 narrow", 18, 20, 1, 33, 1),
        case("resnet34", 34, 64, 1, 97, 61),
        case("resnet50", 50, 64, 2, 67, 45),
        case("resnet50 wide picture", 50, 64, 1, 96, 161),
    ]
    versions = {
        "python": platform.python_version(), "torch": torch.__version__,
        "torchvision": torchvision.__version__, "numpy": numpy.__version__,
        "safetensors": safetensors.__version__,
    }
    with open("maps.json", "w") as file:
        json.dump({"versions": versions, "cases": cases}, file, indent=1)
    # A checkpoint as contrastive learners save it: wrapped, with a copy, a head and counters.
    model = build(BasicBlock, [2, 2, 2, 2], 2)
    state = {}
    for name, value in model.state_dict().items():
        half = value.half() if value.is_floating_point() else value
        state[f"module.encoder_q.{name}"] = half
        if name.startswith("layer1."):
            state[f"module.encoder_k.{name}"] = half + 1
    state["module.queue"] = torch.zeros(4)
    safetensors.torch.save_file(state, "contrastive.safetensors")


if __name__ == "__main__":
    main()
