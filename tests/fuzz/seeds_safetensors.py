#!/usr/bin/env python3
"""Writes seeds/safetensors/: small files, good and bad, from which fuzz_safetensors.cpp starts.

  python3 seeds_safetensors.py [FOLDER]
"""
import json
import pathlib
import struct
import sys

TYPES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}
PLAIN = '{"channels":"RGB","range":255,"mean":[0.0,0.0,0.0],"scale":[1.0,1.0,1.0],"convention":"plain"}'


def file_of(header, data=b""):
    if not isinstance(header, bytes):
        header = json.dumps(header, separators=(",", ":")).encode()
    return struct.pack("<Q", len(header)) + header + data


def pack(tensors, metadata=None):
    """tensors: (name, type, shape); zeros for values."""
    header, end = {}, 0
    if metadata is not None:
        header["__metadata__"] = metadata
    for name, dtype, shape in tensors:
        begin, count = end, 1
        for extent in shape:
            count *= extent
        end += count * TYPES.get(dtype, 1)
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}
    return file_of(header, bytes(end))


def network(kind, architecture, tensors):
    return pack(tensors, {"format": "pt", "chiaro.kind": kind, "chiaro.architecture": json.dumps(architecture),
                          "chiaro.preprocess": PLAIN, "chiaro.provenance": "{}"})


def transform_net(upsample):
    def norm(name, channels):
        return [(name + ".weight", "F16", [channels]), (name + ".bias", "F16", [channels])]

    def conv(name, k, extent, c):
        return [(name + ".conv2d.weight", "F16", [k, c, extent, extent]), (name + ".conv2d.bias", "F16", [k])]

    tensors = conv("conv1", 1, 9, 3) + norm("in1", 1) + conv("conv2", 2, 3, 1) + norm("in2", 2) + conv("conv3", 4, 3, 2)
    tensors += norm("in3", 4) + conv("deconv1", *((2, 3, 4) if upsample == "nearest" else (4, 3, 2))) + norm("in4", 2)
    tensors += conv("deconv2", *((1, 3, 2) if upsample == "nearest" else (2, 3, 1))) + norm("in5", 1)
    if upsample != "nearest":  # the biases of the output channels
        tensors = [(name, dtype, [{"deconv1": 2, "deconv2": 1}[name[:7]]] if name.startswith("deconv") and name.endswith("bias")
                    else shape) for name, dtype, shape in tensors]
    tensors += conv("deconv3", 3, 9, 1)
    architecture = {"width": 1, "residual_blocks": 0, "upsample": upsample, "padding": "reflect", "norm_eps": 1e-5,
                    "output": "tanh150"}
    return network("transform_net", architecture, tensors)


def seeds():
    yield "types", pack([(name.lower(), name, [1, 2]) for name in TYPES], {"format": "pt", "note": "\u2713"})
    yield "shapes", pack([("scalar", "F32", []), ("empty", "F32", [0, 3]), ("deep", "U8", [1, 1, 1, 1, 1, 1, 1, 2])])
    yield "nothing", file_of({})
    yield "padded", file_of(b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}     ', bytes(4))
    yield "transform_nearest", transform_net("nearest")
    yield "transform_transposed", transform_net("transposed")
    yield "vgg", network("vgg16", {"depth": 16, "width": 1, "last_conv": "conv1_2"},
                         [("features.0.weight", "F32", [1, 3, 3, 3]), ("features.0.bias", "F32", [1]),
                          ("features.2.weight", "F32", [1, 1, 3, 3]), ("features.2.bias", "F32", [1])])
    yield "resnet", network("resnet_upproj", {"width": 1}, [("conv1.weight", "F16", [1, 3, 7, 7]), ("conv1.bias", "F16", [1])])
    yield "float8", pack([("a", "F8_E5M2", [4])])
    one = '"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}'
    yield "twice", file_of(f"{{{one},{one}}}".encode(), bytes(4))
    yield "hole", file_of(b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}', bytes(8))
    yield "overflow", file_of(b'{"a":{"dtype":"F32","shape":[4294967296,4294967296,0],"data_offsets":[0,0]}}')
    yield "deep", file_of(b'{"a":' + b"[" * 200)
    yield "numbers", file_of(b'{"a":{"shape":[1e400,-1,18446744073709551616]}}')
    yield "cut", pack([("a", "F32", [8])])[:-5]


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent / "seeds" / "safetensors")
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in seeds():
        (folder / name).write_bytes(data)


if __name__ == "__main__":
    main()
