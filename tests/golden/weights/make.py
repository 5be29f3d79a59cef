"""Makes files that are given where weights are wanted: what other programs and failed downloads leave.

Run it inside the folder; it needs Python's own library alone. PyTorch is imitated: a zip whose
`data.pkl` is a pickle of a dictionary, and a legacy file of a magic number, a version and a pickle.
`nan.onnx` is a model whose only output divides nothing by nothing.
"""

import gzip
import io
import pickle
import struct
import tarfile
import zipfile

STATE = {"state_dict": {"layer1.0.conv1.weight": "storage 0"}, "epoch": 7}
# The magic number and the version of torch.serialization.
LEGACY = [0x1950A86A20F9469CFC6C, 1001]


def write(name, data):
    with open(name, "wb") as file:
        file.write(data)


def entry(name):
    return zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0))


with zipfile.ZipFile("torch_zip.pth", "w") as archive:
    archive.writestr(entry("archive/data.pkl"), pickle.dumps(STATE, protocol=2))
    archive.writestr(entry("archive/version"), b"3\n")
write("torch_legacy.pth", b"".join(pickle.dumps(one, protocol=2) for one in [*LEGACY, STATE]))
with zipfile.ZipFile("arrays.npz", "w") as archive:
    archive.writestr(entry("weight.npy"), b"\x93NUMPY\x01\x00")
write("lfs_pointer.safetensors", b"version https://git-lfs.github.com/spec/v1\n"
      b"oid sha256:" + b"5" * 64 + b"\nsize 102540417\n")
write("page.safetensors", b"\n<!DOCTYPE html>\n<html><head><title>Sign in</title></head></html>\n")
write("error.safetensors", b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>')
write("answer.safetensors", b'{"error":"Repository not found"}')
write("index.json", b'{"metadata":{},"weight_map":{"conv1.weight":"model-00001-of-00002.safetensors"}}')
write("weights.safetensors.gz", gzip.compress(b"weights", mtime=0))
with io.BytesIO() as buffer:
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        archive.addfile(tarfile.TarInfo("model/weights.bin"))
    write("weights.tar", buffer.getvalue()[:1024])
write("keras.h5", b"\x89HDF\r\n\x1a\n" + bytes(56))
write("zeros.safetensors", bytes(64))
write("empty.safetensors", b"")


def varint(number):
    answer = b""
    while number > 127:
        answer += bytes([number & 127 | 128])
        number >>= 7
    return answer + bytes([number])


def field(number, value):
    """One field of a protocol buffer: integers as they are, everything else with its length."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def node(kind, inputs, output, attributes=b""):
    names = b"".join(field(1, name) for name in inputs)
    return field(1, names + field(2, output) + field(4, kind) + attributes)


def integers(name, values):
    return field(5, field(1, name) + b"".join(field(8, value) for value in values) + field(20, 7))


def tensor(name, sides):
    shape = b"".join(field(1, field(1, side) if isinstance(side, int) else field(2, side)) for side in sides)
    return field(1, name) + field(2, field(1, field(1, 1) + field(2, shape)))


pooled = integers("kernel_shape", [32, 32]) + integers("strides", [32, 32])
graph = (node("AveragePool", ["image"], "pooled", pooled) + node("Sub", ["pooled", "pooled"], "zero")
         + node("Div", ["zero", "zero"], "map") + field(2, "nan")
         + field(11, tensor("image", [1, 3, "height", "width"]))
         + field(12, tensor("map", [1, 3, "rows", "columns"])))
write("nan.onnx", field(1, 8) + field(2, "make.py") + field(7, graph) + field(8, field(2, 13)))
