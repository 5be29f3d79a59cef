"""Makes two tiny ONNX models and the maps that onnxruntime computes with them.

maps.onnx    any size: a convolution of stride 16, and one of stride 2 over its result
tokens.onnx  64x96 only: the tokens of a vision transformer behind one class token, and a pooled
             vector that is no map

golden.safetensors holds the maps in HWC order for the images that `image` below renders; the Rust
test renders them by the same formula.

Made with Python 3.11, numpy 2.4.6, onnx 1.23.2, onnxruntime 1.32.0, safetensors 0.8.0:
    python make.py
"""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save_file

HERE = Path(__file__).parent
MEAN = np.array([0.485, 0.456, 0.406], np.float32)
DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)
RANDOM = np.random.default_rng(0)


def image(height, width):
    y, x, channel = np.meshgrid(np.arange(height), np.arange(width), np.arange(3), indexing="ij")
    return ((x * 7 + y * 13 + channel * 29 + x * y) % 256).astype(np.uint8)


def tensor(height, width):
    normalised = (image(height, width).astype(np.float32) / 255 - MEAN) / DEVIATION
    return np.ascontiguousarray(normalised.transpose(2, 0, 1)[None])


def weights(name, *shape):
    return numpy_helper.from_array(RANDOM.normal(0, 0.5, shape).astype(np.float32), name)


def value(name, shape):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def save(name, nodes, inputs, outputs, initialisers):
    graph = helper.make_graph(nodes, name, inputs, outputs, initialisers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, HERE / f"{name}.onnx")


def maps_model():
    nodes = [
        helper.make_node("Conv", ["image", "w16", "b16"], ["fine"], strides=[16, 16]),
        helper.make_node("Relu", ["fine"], ["fine_relu"]),
        helper.make_node("Conv", ["fine_relu", "w32"], ["coarse"], strides=[2, 2]),
    ]
    outputs = [value("fine", ["n", 5, "h16", "w16"]), value("coarse", ["n", 7, "h32", "w32"])]
    initialisers = [weights("w16", 5, 3, 4, 4), weights("b16", 5), weights("w32", 7, 5, 2, 2)]
    save("maps", nodes, [value("image", ["n", 3, "h", "w"])], outputs, initialisers)


def tokens_model():
    nodes = [
        helper.make_node("Conv", ["image", "w"], ["patches"], strides=[16, 16]),
        helper.make_node("Reshape", ["patches", "shape"], ["rows"]),
        helper.make_node("Transpose", ["rows"], ["cells"], perm=[0, 2, 1]),
        helper.make_node("Concat", ["class", "cells"], ["tokens"], axis=1),
        helper.make_node("ReduceMean", ["cells"], ["pooled"], axes=[1], keepdims=0),
    ]
    outputs = [value("pooled", [1, 6]), value("tokens", [1, 25, 6])]
    shape = numpy_helper.from_array(np.array([1, 6, 24]), "shape")
    initialisers = [weights("w", 6, 3, 4, 4), weights("class", 1, 1, 6), shape]
    save("tokens", nodes, [value("image", [1, 3, 64, 96])], outputs, initialisers)


def run(name, height, width):
    session = onnxruntime.InferenceSession(HERE / f"{name}.onnx", providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, {"image": tensor(height, width)})))


def hwc(planes):
    return np.ascontiguousarray(planes[0].transpose(1, 2, 0))


maps_model()
tokens_model()
golden = {}
for height, width in [(64, 96), (32, 32)]:
    outputs = run("maps", height, width)
    golden[f"coarse_{height}x{width}"] = hwc(outputs["coarse"])
    golden[f"fine_{height}x{width}"] = hwc(outputs["fine"])
golden["tokens_64x96"] = run("tokens", 64, 96)["tokens"][0, 1:].reshape(4, 6, 6).copy()
save_file(golden, HERE / "golden.safetensors")
