"""Runs model.onnx of a folder in ONNX Runtime on batches of several sizes.

Arguments: the folder, the height and the width that the model must declare, then the batches
("2x64x96": images, height, width), each a folder in it with images.f32, which get logits.f32 and
boxes.f32. A batch with "!" before it must be refused instead.
"""

import sys
from pathlib import Path

import numpy
import onnxruntime

folder, sides, batches = Path(sys.argv[1]), sys.argv[2:4], sys.argv[4:]
try:
    import onnx
except ImportError:
    pass
else:
    onnx.checker.check_model(onnx.load(folder / "model.onnx"), full_check=True)
session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
shape = [str(side) for side in session.get_inputs()[0].shape]
assert shape == ["batch", "3", *sides], shape
for batch in batches:
    count, height, width = (int(side) for side in batch.lstrip("!").split("x"))
    images = numpy.zeros((count, 3, height, width), numpy.float32)
    if batch.startswith("!"):
        try:
            session.run(None, {"images": images})
        except Exception as error:
            assert "INVALID_ARGUMENT" in str(error), error
            continue
        raise AssertionError(f"{batch} was not refused")
    images.flat = numpy.fromfile(folder / batch / "images.f32", dtype="<f4")
    logits, boxes = session.run(["logits", "boxes"], {"images": images})
    logits.astype("<f4").tofile(folder / batch / "logits.f32")
    boxes.astype("<f4").tofile(folder / batch / "boxes.f32")
