"""Forward and gradients of the transformer's operations by torch and transformers, in f32.

transformer_operations.safetensors holds, for each case, `CASE.input_0`, `CASE.input_1`, ...,
`CASE.output`, `CASE.output_gradient`, and `CASE.gradient_0`, ... of the inputs that have one.
`sine_positions` holds a mask and the positions of its cells.

Made with Python 3.11, torch 2.15.0, transformers 5.23.0, safetensors 0.8.0:
    python transformer_operations.py
"""

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch.nn import functional
from transformers.models.deformable_detr import modeling_deformable_detr as reference

LEVELS = [(5, 4), (3, 2), (1, 1)]
CELLS = sum(height * width for height, width in LEVELS)
tensors = {}


def case(name, inputs, function, fixed=()):
    """Stores one case; inputs whose places are in `fixed` get no gradient."""
    for place, tensor in enumerate(inputs):
        tensor.requires_grad_(place not in fixed)
        tensors[f"{name}.input_{place}"] = tensor.detach()
    output = function(*inputs)
    gradient = torch.randn(output.shape)
    output.backward(gradient)
    tensors[f"{name}.output"] = output.detach().contiguous()
    tensors[f"{name}.output_gradient"] = gradient
    for place, tensor in enumerate(inputs):
        if place not in fixed:
            tensors[f"{name}.gradient_{place}"] = tensor.grad


def attention(q, k, v, mask=None):
    """Two heads of five channels; `mask` is 1 where a key takes part."""
    heads = [rows.unflatten(-1, (2, 5)).transpose(1, 2) for rows in (q, k, v)]
    mask = None if mask is None else mask[:, None, None].bool()
    return functional.scaled_dot_product_attention(*heads, attn_mask=mask).transpose(1, 2).flatten(2)


def deformable(value, locations, weights):
    shapes = torch.tensor(LEVELS)
    starts = torch.cat((shapes.new_zeros(1), shapes.prod(1).cumsum(0)[:-1]))
    core = reference.MultiScaleDeformableAttention()
    return core(value, shapes, LEVELS, starts, locations, weights, 64)


class Projected(torch.nn.Module):
    """Answers what it is given: makes a module's projection an input."""

    def forward(self, _):
        return self.rows


def locations(offsets, references):
    """The sampling locations of transformers' module, caught at its core."""
    batch, queries, heads, levels, points, _ = offsets.shape
    config = reference.DeformableDetrConfig(d_model=heads * 4, num_feature_levels=levels)
    module = reference.DeformableDetrMultiscaleDeformableAttention(config, heads, points)
    module.sampling_offsets = Projected()
    module.sampling_offsets.rows = offsets
    caught = []
    module.attn.register_forward_hook(lambda _module, arguments, _output: caught.append(arguments[4]))
    module(
        torch.zeros(batch, queries, heads * 4),
        encoder_hidden_states=torch.zeros(batch, CELLS, heads * 4),
        reference_points=references,
        spatial_shapes=torch.tensor(LEVELS),
        spatial_shapes_list=LEVELS,
        level_start_index=torch.zeros(levels, dtype=torch.long),
    )
    return caught[0]


def refined(correction, references):
    logits = reference.inverse_sigmoid(references)
    count = logits.shape[-1]
    return torch.cat((correction[..., :count] + logits, correction[..., count:]), -1).sigmoid()


torch.manual_seed(5)
linear_inputs = lambda: [torch.randn(11, 6), torch.randn(7, 6), torch.randn(7)]
case("linear", linear_inputs(), functional.linear)
case("linear_relu", linear_inputs(), lambda *inputs: functional.linear(*inputs).relu())
case(
    "layer_norm",
    [torch.randn(5, 19), torch.randn(19), torch.randn(19)],
    lambda rows, weight, bias: functional.layer_norm(rows, (19,), weight, bias),
)
case(
    "layer_norm_residual",
    [torch.randn(5, 19), torch.randn(5, 19), torch.randn(19), torch.randn(19)],
    lambda rows, other, weight, bias: functional.layer_norm(rows + other, (19,), weight, bias),
)
case("softmax", [torch.randn(9, 12)], lambda rows: rows.softmax(-1))
case("attention", [torch.randn(2, 6, 10), torch.randn(2, 7, 10), torch.randn(2, 7, 10)], attention)
case(
    "attention_masked",
    [*(torch.randn(2, 7, 10) for _ in range(3)), (torch.arange(14).reshape(2, 7) % 4 > 0).float()],
    attention,
    fixed=(3,),
)
case(
    "deformable_attention",
    [
        torch.randn(2, CELLS, 2, 32),
        torch.rand(2, 6, 2, len(LEVELS), 2, 2) * 1.4 - 0.2,
        torch.randn(2, 6, 2, len(LEVELS) * 2).softmax(-1).unflatten(-1, (len(LEVELS), 2)),
    ],
    deformable,
)
for coordinates in (2, 4):
    case(
        f"sampling_locations_{coordinates}",
        [torch.randn(2, 3, 2, len(LEVELS), 2, 2), torch.rand(2, 3, len(LEVELS), coordinates)],
        locations,
    )
    case(
        f"level_references_{coordinates}",
        [torch.rand(2, 5, coordinates), torch.rand(2, 3, 2)],
        lambda points, ratios: points[:, :, None] * ratios.repeat(1, 1, points.shape[-1] // 2)[:, None],
        fixed=(1,),
    )
    case(
        f"box_refinement_{coordinates}",
        [torch.randn(9, 4), torch.rand(9, coordinates)],
        refined,
    )
edges = torch.tensor([0.0, 1.0, -0.5, 1.5, 3e-6, 1 - 3e-6, 1e-5, 0.5])
case("inverse_sigmoid", [torch.cat((edges, torch.rand(9)))], reference.inverse_sigmoid)
case("sigmoid", [torch.randn(17) * 5], torch.sigmoid)

mask = torch.zeros(6, 5)
mask[:4, :3] = 1
positions = reference.DeformableDetrSinePositionEmbedding(8, normalize=True)
tensors["sine_positions.mask"] = mask
tensors["sine_positions.output"] = (
    positions(torch.Size((1, 16, 6, 5)), "cpu", torch.float32, mask[None]).permute(0, 2, 3, 1).contiguous()
)

save_file(tensors, Path(__file__).with_suffix(".safetensors"))
