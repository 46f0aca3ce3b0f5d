#!/usr/bin/env python3
"""Writes data/*.safetensors, what test_safetensors.cpp reads, with the safetensors package itself.

  pip install safetensors torch
  python3 make_safetensors_files.py [FOLDER]

types.safetensors   every type that chiaro reads: tensor "<type>" of shape (2,3,4), element i is value(i) below, and the
                    scalar "scalar" = 7 and the empty "empty" (0,3), both fp32. Metadata {"made_by": ...}.
float8.safetensors  one tensor of a type that chiaro refuses; by hand, since older PyTorch has no such type.
"""
import json
import pathlib
import struct
import sys

import torch
from safetensors.torch import save

SHAPE = (2, 3, 4)
SIGNED = ("float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8")


def value(i, signed):
    """Exact in every type: bfloat16 has 8 bits of mantissa."""
    return (i * 37 % 101) - (50 if signed else 0)


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent / "data")
    folder.mkdir(exist_ok=True)
    signed = torch.tensor([value(i, True) for i in range(24)]).reshape(SHAPE)
    tensors = {name: signed.to(getattr(torch, name)) for name in SIGNED}
    tensors["uint8"] = torch.tensor([value(i, False) for i in range(24)], dtype=torch.uint8).reshape(SHAPE)
    tensors["bool"] = signed > 0
    tensors["scalar"] = torch.tensor(7.0)
    tensors["empty"] = torch.zeros(0, 3)
    # One entry: the package does not keep the order of several.
    metadata = {"made_by": "make_safetensors_files.py \u2713"}
    (folder / "types.safetensors").write_bytes(save(tensors, metadata=metadata))

    header = json.dumps({"weight": {"dtype": "F8_E4M3", "shape": [2, 2], "data_offsets": [0, 4]}}).encode()
    (folder / "float8.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(4))


if __name__ == "__main__":
    main()
