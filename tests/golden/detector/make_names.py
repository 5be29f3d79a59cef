"""Makes names.json: names and shapes in the files that transformers saves. Run it inside the folder."""

import json
import tempfile
from pathlib import Path

import transformers
from safetensors import safe_open
from transformers import DeformableDetrConfig, DeformableDetrForObjectDetection, ResNetConfig

answer = {"versions": {"transformers": transformers.__version__}}
for name, refine in (("plain", False), ("refining", True)):
    config = DeformableDetrConfig(
        backbone_config=ResNetConfig(embedding_size=8, hidden_sizes=[8, 16, 32, 64], depths=[2, 2, 2, 2],
                                     layer_type="basic", out_features=["stage2", "stage3", "stage4"]),
        d_model=32, encoder_layers=1, decoder_layers=2, encoder_ffn_dim=16, decoder_ffn_dim=16,
        num_queries=6, num_feature_levels=4, with_box_refine=refine, num_labels=3)
    with tempfile.TemporaryDirectory() as folder:
        DeformableDetrForObjectDetection(config).save_pretrained(folder)
        with safe_open(Path(folder) / "model.safetensors", "pt") as file:
            answer[name] = {key: file.get_slice(key).get_shape() for key in sorted(file.keys())}
with open("names.json", "w") as file:
    json.dump(answer, file, separators=(",", ":"))
    file.write("\n")
