"""Runs model.onnx of a folder in ONNX Runtime on images.f32 ([2, 3, height, width]).

Arguments: the folder, height, width. Writes logits.f32 and boxes.f32.
"""

import sys
from pathlib import Path

import numpy
import onnxruntime

folder, height, width = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
try:
    import onnx
except ImportError:
    pass
else:
    onnx.checker.check_model(onnx.load(folder / "model.onnx"), full_check=True)
session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
assert session.get_inputs()[0].shape == ["batch", 3, height, width], session.get_inputs()[0].shape
assert "simdetr_detector" in session.get_modelmeta().custom_metadata_map
images = numpy.fromfile(folder / "images.f32", dtype="<f4").reshape(2, 3, height, width)
logits, boxes = session.run(["logits", "boxes"], {"images": images})
logits.astype("<f4").tofile(folder / "logits.f32")
boxes.astype("<f4").tofile(folder / "boxes.f32")
