#!/usr/bin/env python3
"""Writes seeds/mat/ and seeds/hdf5/: small files from which fuzz_mat.cpp and fuzz_hdf5.cpp start.

  python3 seeds_matlab.py [FOLDER]

Needs ../weights_import/make_matlab_files.py and what that needs.
"""
import gzip
import pathlib
import struct
import sys
import zlib

import h5py
import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "weights_import"))
import make_matlab_files as matlab  # noqa: E402


def packed(data):
    """A MATLAB 5 file of one variable, with the variable compressed."""
    body = zlib.compress(data[128:], 9)
    return data[:128] + struct.pack("<II", 15, len(body)) + body


def plain(folder, name, variables):
    matlab.savemat(folder / name, variables, False)
    path = folder / (name + ".gz")
    data = gzip.decompress(path.read_bytes())
    path.unlink()
    (folder / name).write_bytes(data)


def networks(folder):
    conv = lambda name, shape: {"name": name, "type": "conv", "weights": matlab.cell([np.ones(shape, np.float32), np.ones((1, shape[3]))])}
    plain(folder, "vgg_new.mat", {"layers": matlab.cell([conv("conv1_1", (3, 3, 3, 1)), conv("conv1_2", (3, 3, 1, 1))]),
                                  "meta": {"normalization": {"averageImage": np.ones((1, 1, 3), np.float32)}}})
    old = {"type": "conv", "filters": np.ones((3, 3, 3, 1), np.float32), "biases": np.ones((1, 1))}
    plain(folder, "vgg_old.mat", {"layers": matlab.cell([old])})
    params = [{"name": "conv1f", "value": np.ones((7, 7, 3, 1), np.float32)}, {"name": "bn_conv1_moments", "value": np.ones((1, 2))}]
    layers = [{"name": name, "type": "dagnn.Conv", "params": matlab.cell(names), "block": {"pad": np.array([[1, 0, 1, 1]], float)}}
              for name, names in (("conv1", ["conv1f"]), ("layer2x_br1_ConvB", []))]
    plain(folder, "upproj.mat", {"net": {"params": matlab.struct_array(params), "layers": matlab.struct_array(layers),
                                         "meta": {"normalization": {"imageSize": np.array([[228.0, 304, 3]])}}}})


def depths(writer):
    """Cells inside cells, to the limit and beyond."""
    inner = b""
    for _ in range(40):
        inner = writer.array("", "cell", (1, 1), inner) if inner else writer.array("", "cell", (0, 0))
    return writer.header() + inner


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent / "seeds")
    folder, folder_hdf5 = root / "mat", root / "hdf5"
    for each in (folder, folder_hdf5):
        each.mkdir(parents=True, exist_ok=True)
    data = matlab.OUT
    for name in ("features_le.mat", "features_be.mat", "features_be_packed.mat", "version4.mat"):
        (folder / name).write_bytes((data / name).read_bytes())
    networks(folder)
    writer = matlab.Level5("<")
    zeros = writer.header() + writer.array("zeros", "double", (1000, 1000), writer.numbers(np.zeros(1000000), "u1"))
    (folder / "zeros_packed.mat").write_bytes(packed(zeros))
    (folder / "deep.mat").write_bytes(depths(writer))
    (folder / "deep_packed.mat").write_bytes(packed(depths(writer)))
    for name in ("features_v73.mat",):
        (folder_hdf5 / name).write_bytes(gzip.decompress((data / (name + ".gz")).read_bytes()))
    with h5py.File(folder_hdf5 / "native.h5", "w") as file:
        file.attrs.update(format="chiaro_weights", version=1, kind="vgg19", architecture='{"depth":19,"width":1}',
                          preprocess="{}", provenance="{}")
        file["parameters/conv1_1.weight"] = np.ones((1, 3, 3, 3), "f4")
        file["parameters/conv1_1.bias"] = np.ones(1, "f2")
    with h5py.File(folder_hdf5 / "keras.h5", "w") as file:
        file.attrs["layer_names"] = [b"block1_conv1", b"block1_pool"]
        group = file.create_group("block1_conv1")
        group.create_dataset("block1_conv1_W_1:0", data=np.ones((3, 3, 3, 64), "f4"), compression="gzip")
        group["block1_conv1_b_1:0"] = np.ones(64, "f4")


if __name__ == "__main__":
    main()
