"""Opens a folder of ours (config.json, model.safetensors) with transformers, runs it and saves it again.

Arguments: the folder, the height and the width of the images in images.f32 ([2, 3, height, width]).
Writes logits.f32 and boxes.f32 of the last layer, and what transformers saves into saved/.
"""

import sys
from pathlib import Path

import numpy
import torch
from transformers import DeformableDetrForObjectDetection

folder, height, width = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
model, loading = DeformableDetrForObjectDetection.from_pretrained(folder, output_loading_info=True)
for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"):
    assert not loading[kind], f"{kind}: {sorted(loading[kind])}"
images = numpy.fromfile(folder / "images.f32", dtype="<f4").reshape(2, 3, height, width)
with torch.no_grad():
    found = model.eval()(torch.from_numpy(images))
found.logits.numpy().astype("<f4").tofile(folder / "logits.f32")
found.pred_boxes.numpy().astype("<f4").tofile(folder / "boxes.f32")
model.save_pretrained(folder / "saved")
