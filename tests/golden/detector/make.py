"""Makes detector.json with Hugging Face's Deformable DETR. Run it inside the folder.

Weights, images and the weights of the summed outputs are not stored: a formula gives them from
(name, element), as in ../resnet, and `tests/detector.rs` has the same formula. Stored are, for every
decoder layer, slices of logits and boxes, the matches and the whole loss (matching, class, L1 and GIoU of all layers, with the
official weights), and for every parameter the norm of the loss's gradient and its products with
PROJECTIONS vectors of signs: the mean square of the products' differences is, in the mean, the
squared norm of the gradients' difference.
"""

import json
import platform
import re
import sys

import numpy
import torch
import transformers
from transformers import DeformableDetrConfig, DeformableDetrForObjectDetection, ResNetConfig
from transformers.loss.loss_deformable_detr import DeformableDetrHungarianMatcher, DeformableDetrImageLoss

sys.path.insert(0, "../resnet")
from make_golden import hash32, uniform  # noqa: E402

SLICE = 48
PROJECTIONS = 12
CASES = {
    "small": dict(depth=18, width=8, hidden=64, layers=(2, 3), feedforward=48, queries=17, classes=9,
                  levels=4, points=4, refine=False, padded=(96, 128), sizes=[(96, 128), (64, 90)]),
    "refining": dict(depth=18, width=8, hidden=32, layers=(1, 3), feedforward=40, queries=11, classes=5,
                     levels=3, points=2, refine=True, padded=(80, 96), sizes=[(80, 70), (48, 96)]),
    # As "refining", but that a layer's loss reaches the correction of the layer before.
    "looking forward twice": dict(depth=18, width=8, hidden=32, layers=(1, 4), feedforward=40, queries=11, classes=5,
                                  levels=3, points=2, refine=True, twice=True, padded=(80, 96),
                                  sizes=[(80, 70), (48, 96)]),
    "deep": dict(depth=18, width=8, hidden=32, layers=(1, 11), feedforward=40, queries=11, classes=5,
                 levels=3, points=2, refine=False, padded=(80, 96), sizes=[(80, 70), (48, 96)]),
    "full": dict(depth=50, width=64, hidden=256, layers=(6, 6), feedforward=1024, queries=300, classes=91,
                 levels=4, points=4, refine=False, padded=(128, 160), sizes=[(128, 160), (100, 120)]),
}
# Boxes of the two images.
TARGETS = (6, 3)
LOSS_WEIGHTS = {"loss_ce": 2.0, "loss_bbox": 5.0, "loss_giou": 2.0}
NORMS = ("weight", "bias", "running_mean", "running_var")


def values(name, shape):
    """Values of a parameter by its official name: activations stay near one."""
    u = uniform(name, int(numpy.prod(shape)))
    if len(shape) == 4:
        u = (2 * u - 1) * numpy.sqrt(6.0 / (shape[1] * shape[2] * shape[3]))
    elif "query_embed" in name or "level_embed" in name:
        u = 2 * u - 1
    elif len(shape) == 2:
        u = (2 * u - 1) * numpy.sqrt(3.0 / shape[1])
    elif name.endswith("sampling_offsets.bias"):
        u = 4 * u - 2
    elif name.endswith("running_var"):
        u = 0.5 + u
    elif name.endswith("weight"):
        u = (0.3 + 0.4 * u) if "backbone" in name else (0.75 + 0.5 * u)
    else:
        u = 0.2 * u - 0.1
    return u.astype(numpy.float32).reshape(shape)


def official(name):
    """The official name of a name in the model's memory, and which third of it this is."""
    third = None
    name = re.sub(r"^model\.", "", name)
    name = name.replace("backbone.model.embedder.embedder.convolution", "backbone.0.body.conv1")
    name = name.replace("backbone.model.embedder.embedder.normalization", "backbone.0.body.bn1")

    def layer(match):
        stage, index, inner, kind = match.groups()
        convolution = kind == "convolution"
        if inner == "shortcut":
            part = f"downsample.{0 if convolution else 1}"
        else:
            part = f"{'conv' if convolution else 'bn'}{int(inner.split('.')[1]) + 1}"
        return f"backbone.0.body.layer{int(stage) + 1}.{index}.{part}"

    name = re.sub(r"backbone\.model\.encoder\.stages\.(\d+)\.layers\.(\d+)\.(layer\.\d+|shortcut)"
                  r"\.(convolution|normalization)", layer, name)
    name = name.replace("query_position_embeddings", "query_embed")
    name = re.sub(r"^(level_embed|reference_points|encoder|decoder)", r"transformer.\1", name)
    name = name.replace("mlp.fc1", "linear1").replace("mlp.fc2", "linear2")
    if "transformer.encoder" in name:
        name = name.replace("self_attn_layer_norm", "norm1").replace("final_layer_norm", "norm2")
    if "transformer.decoder" in name:
        name = name.replace("encoder_attn_layer_norm", "norm1").replace("self_attn_layer_norm", "norm2")
        name = name.replace("final_layer_norm", "norm3").replace("encoder_attn", "cross_attn")
        name = name.replace("self_attn.o_proj", "self_attn.out_proj")
        match = re.match(r"(.*self_attn)\.([qkv])_proj\.(weight|bias)$", name)
        if match:
            third = "qkv".index(match[2])
            name = f"{match[1]}.in_proj_{match[3]}"
        name = name.replace("transformer.decoder.bbox_embed", "bbox_embed")
    return name, third


def model_of(case):
    kind, depths = {18: ("basic", [2, 2, 2, 2]), 50: ("bottleneck", [3, 4, 6, 3])}[case["depth"]]
    sizes = [(case["width"] << stage) * (4 if kind == "bottleneck" else 1) for stage in range(4)]
    stages = [f"stage{stage}" for stage in (2, 3, 4)]
    config = DeformableDetrConfig(
        backbone_config=ResNetConfig(embedding_size=case["width"], hidden_sizes=sizes, depths=depths,
                                     layer_type=kind, out_features=stages),
        d_model=case["hidden"], encoder_layers=case["layers"][0], decoder_layers=case["layers"][1],
        encoder_ffn_dim=case["feedforward"], decoder_ffn_dim=case["feedforward"],
        encoder_attention_heads=8, decoder_attention_heads=8, num_queries=case["queries"],
        num_feature_levels=case["levels"], encoder_n_points=case["points"],
        decoder_n_points=case["points"], with_box_refine=case["refine"], num_labels=case["classes"],
        dropout=0.0, attention_dropout=0.0, activation_dropout=0.0, auxiliary_loss=True)
    model = DeformableDetrForObjectDetection(config).eval()
    state = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    parameters = {}
    with torch.no_grad():
        for name, tensor in state.items():
            if name.endswith("num_batches_tracked") or not tensor.dtype.is_floating_point:
                continue
            plain, third = official(name)
            shape = list(tensor.shape)
            if third is None:
                tensor.copy_(torch.from_numpy(values(plain, shape)))
            else:
                whole = values(plain, [3 * shape[0], *shape[1:]])
                tensor.copy_(torch.from_numpy(whole[third * shape[0]:][:shape[0]]))
            parameters.setdefault(plain, {})[third or 0] = tensor
    return model, parameters


def corrected(correction, reference):
    reference = reference.clamp(0, 1)
    reference = torch.log(reference.clamp(min=1e-5) / (1 - reference).clamp(min=1e-5))
    width = reference.shape[-1]
    return torch.cat([correction[..., :width] + reference, correction[..., width:]], -1).sigmoid()


def outputs_of(model, pixels, mask, twice):
    found = model.model(pixels, pixel_mask=mask)
    logits, boxes = [], []
    for layer in range(found.intermediate_hidden_states.shape[1]):
        hidden = found.intermediate_hidden_states[:, layer]
        reference = found.init_reference_points if layer == 0 else found.intermediate_reference_points[:, layer - 1]
        correction = model.bbox_embed[layer](hidden)
        # DINO, §3.5: the references of the peer's later layers are detached, `ahead` is not.
        boxes.append(corrected(correction, ahead if twice and layer > 0 else reference))
        ahead = corrected(correction, reference)
        logits.append(model.class_embed[layer](hidden))
    return logits, boxes


def signs(name, count, projection):
    return numpy.where(uniform(f"{name} projection {projection}", count) < 0.5, -1.0, 1.0)


def describe(tensor):
    flat = tensor.detach().flatten().double()
    at = [index * (len(flat) - 1) // (SLICE - 1) for index in range(SLICE)]
    return {"largest": flat.abs().max().item(), "values": [round(flat[i].item(), 7) for i in at]}


def targets_of(name, classes):
    """Classes and cxcywh boxes of each image."""
    count = sum(TARGETS)
    u = torch.from_numpy(uniform(f"targets {name}", 5 * count).reshape(count, 5))
    boxes = torch.cat([0.3 + 0.4 * u[:, 1:3], 0.1 + 0.4 * u[:, 3:]], 1).float()
    labels = (u[:, 0] * classes).floor().long()
    return [{"class_labels": c, "boxes": b} for c, b in zip(labels.split(TARGETS), boxes.split(TARGETS))]


def loss_of(name, case, logits, boxes):
    """The loss, and for every layer the query of each target."""
    targets = targets_of(name, case["classes"])
    matcher = DeformableDetrHungarianMatcher(class_cost=2.0, bbox_cost=5.0, giou_cost=2.0)
    criterion = DeformableDetrImageLoss(matcher, case["classes"], 0.25, ["labels", "boxes"])
    layers = [{"logits": a, "pred_boxes": b} for a, b in zip(logits, boxes)]
    losses = criterion({**layers[-1], "auxiliary_outputs": layers[:-1]}, targets)
    kind = lambda key: key.rsplit("_", 1)[0] if key[-1].isdigit() else key
    matches = []
    for layer in layers:
        pairs = [sorted(zip(targets.tolist(), queries.tolist())) for queries, targets in matcher(layer, targets)]
        matches.append([query for image in pairs for _, query in image])
    return sum(LOSS_WEIGHTS[kind(key)] * loss for key, loss in losses.items()), matches


def main():
    torch.manual_seed(0)
    answer = {"versions": {"torch": torch.__version__, "transformers": transformers.__version__,
                           "python": platform.python_version()}, "cases": []}
    for name, case in CASES.items():
        model, parameters = model_of(case)
        (height, width), sizes = case["padded"], case["sizes"]
        pixels = 4 * uniform(f"images {name}", len(sizes) * height * width * 3) - 2
        pixels = pixels.astype(numpy.float32).reshape(len(sizes), height, width, 3)
        mask = torch.zeros(len(sizes), height, width, dtype=torch.long)
        for image, (rows, columns) in enumerate(sizes):
            mask[image, :rows, :columns] = 1
        pixels = torch.from_numpy(pixels) * mask[..., None]
        logits, boxes = outputs_of(model, pixels.permute(0, 3, 1, 2).contiguous(), mask, case.get("twice", False))
        result = {"name": name, **case, "logits": [describe(x) for x in logits],
                  "boxes": [describe(x) for x in boxes], "gradients": {}}
        answer["cases"].append(result)
        if name == "full":
            continue
        total, result["matches"] = loss_of(name, case, logits, boxes)
        result["loss"] = total.item()
        total.backward()
        for plain, parts in sorted(parameters.items()):
            parts = [parts[index] for index in sorted(parts)]
            if not all(isinstance(part, torch.nn.Parameter) and part.grad is not None for part in parts):
                continue
            gradient = numpy.concatenate([part.grad.double().numpy().ravel() for part in parts])
            result["gradients"][plain] = {
                "norm": float(numpy.linalg.norm(gradient)),
                "products": [float(gradient @ signs(plain, len(gradient), p)) for p in range(PROJECTIONS)]}
    with open("detector.json", "w") as file:
        json.dump(answer, file, indent=None, separators=(",", ":"))
        file.write("\n")


main()
