#!/usr/bin/env python3
"""Exports networks as ONNX and safetensors, runs the ONNX files in onnxruntime and compares with chiaro and PyTorch.

  python3 -m venv --system-site-packages venv && venv/bin/pip install onnx onnxruntime safetensors numpy
  venv/bin/python check_onnx.py STYLIZE_ENGINE IMPORT_WEIGHTS [--variants] MODEL.h5...

For every model: onnx.checker accepts the file; for pictures of several sizes, and two at a time, the rounded output
differs by at most 1 of 255 from `stylize_engine --precision fp32` (on average by less than 0.02); and, where torch is
installed, the float output from that of a network built in PyTorch from the safetensors export (float32, and float64
as the truth). --variants adds small networks of every architecture, which need h5py. Exit status 1 on any offence.
"""
import argparse
import itertools
import json
import pathlib
import struct
import subprocess
import sys
import tempfile
import zlib

import numpy as np
import onnx
import onnxruntime
import safetensors
import safetensors.numpy

try:
    import torch
    import torch.nn.functional as F
except ImportError:
    torch = None

SIZES = ((64, 64), (65, 83), (200, 131), (16, 19))  # height, width


def write_png(path, rgb):
    height, width, _ = rgb.shape
    rows = np.concatenate([np.zeros((height, 1), np.uint8), rgb.reshape(height, 3 * width)], axis=1)

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) +
                     chunk(b"IDAT", zlib.compress(rows.tobytes())) + chunk(b"IEND", b""))


def read_png(path):
    """8-bit RGB without interlacing."""
    data, at, packed = path.read_bytes(), 8, b""
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at:at + 8])
        body = data[at + 8:at + 8 + length]
        if kind == b"IHDR":
            width, height, *form = struct.unpack(">IIBBBBB", body)
            assert form == [8, 2, 0, 0, 0], form
        elif kind == b"IDAT":
            packed += body
        at += 12 + length
    rows = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(height, 1 + 3 * width)
    picture = np.zeros((height + 1, width + 1, 3), int)  # with a border of zeros above and to the left
    for y, row in enumerate(rows, start=1):
        pixels = row[1:].reshape(width, 3)
        for x in range(1, width + 1):
            a, b, c = picture[y, x - 1], picture[y - 1, x], picture[y - 1, x - 1]
            p = a + b - c
            d = np.abs(np.stack([p - a, p - b, p - c]))
            paeth = np.where((d[0] <= d[1]) & (d[0] <= d[2]), a, np.where(d[1] <= d[2], b, c))
            picture[y, x] = (pixels[x - 1] + (0, a, b, (a + b) // 2, paeth)[row[0]]) % 256
    return picture[1:, 1:].astype(np.uint8)


def test_picture(height, width, seed):
    """Smooth colors, edges and noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    planes = [128 + 100 * np.sin(y / 9.0 + c) * np.cos(x / (7.0 + c)) + 60 * ((x // 16 + y // 16) % 2) for c in range(3)]
    picture = np.stack(planes, axis=-1) + rng.normal(0, 8, (height, width, 3))
    return np.clip(picture, 0, 255).astype(np.uint8)


def torch_net(state, architecture, picture, dtype):
    """pytorch/examples' TransformerNet with chiaro's options, from its own state dict, biases before norms included."""
    state = {name: torch.from_numpy(values).to(dtype) for name, values in state.items()}
    reflect = architecture["padding"] == "reflect"

    def conv(x, name, stride=1):
        weight = state[name + ".conv2d.weight"]
        border = [weight.shape[-1] // 2] * 4
        x = F.pad(x, border, mode="reflect") if reflect else F.pad(x, border)
        return F.conv2d(x, weight, state[name + ".conv2d.bias"], stride)

    def norm(x, name):
        return F.instance_norm(x, weight=state[name + ".weight"], bias=state[name + ".bias"], eps=architecture["norm_eps"])

    def up(x, name):
        if architecture["upsample"] == "nearest":
            return conv(F.interpolate(x, scale_factor=2, mode="nearest"), name)
        return F.conv_transpose2d(x, state[name + ".conv2d.weight"], state[name + ".conv2d.bias"], stride=2, padding=1,
                                  output_padding=1)

    x = torch.from_numpy(picture).to(dtype)
    h, w = x.shape[2:]
    x = F.pad(x, (0, -w % 4, 0, -h % 4), mode="reflect")
    x = F.relu(norm(conv(x, "conv1"), "in1"))
    x = F.relu(norm(conv(x, "conv2", 2), "in2"))
    x = F.relu(norm(conv(x, "conv3", 2), "in3"))
    for i in range(1, architecture["residual_blocks"] + 1):
        y = F.relu(norm(conv(x, f"res{i}.conv1"), f"res{i}.in1"))
        x = x + norm(conv(y, f"res{i}.conv2"), f"res{i}.in2")
    x = F.relu(norm(up(x, "deconv1"), "in4"))
    x = F.relu(norm(up(x, "deconv2"), "in5"))
    x = conv(x, "deconv3")
    if architecture["output"] == "tanh150":
        x = 150 * torch.tanh(x) + 127.5
    return x[:, :, :h, :w].numpy()


def write_variant(path, architecture, seed):
    """A network with random weights as chiaro's own file."""
    import h5py

    rng = np.random.default_rng(seed)
    w = architecture["width"]
    with h5py.File(path, "w", track_order=True) as file:
        plain = {"channels": "RGB", "range": 255, "mean": [0, 0, 0], "scale": [1, 1, 1], "convention": "plain"}
        for name, value in (("format", "chiaro_weights"), ("version", 1), ("kind", "transform_net"),
                            ("architecture", json.dumps(architecture)), ("preprocess", json.dumps(plain)),
                            ("provenance", json.dumps({"source": "random"}))):
            file.attrs[name] = value
        group = file.create_group("parameters", track_order=True)

        def conv(name, k, extent, c):
            bound = (c * extent * extent)**-0.5
            group[name + ".weight"] = rng.uniform(-bound, bound, (k, extent, extent, c)).astype("f4")

        def norm(name, c):
            group[name + ".gamma"] = rng.uniform(0.5, 1.5, c).astype("f4")
            group[name + ".beta"] = rng.uniform(-0.2, 0.2, c).astype("f4")

        for i, (k, extent, c) in enumerate(((w, 9, 3), (2 * w, 3, w), (4 * w, 3, 2 * w)), start=1):
            conv(f"conv{i}", k, extent, c)
            norm(f"norm{i}", k)
        for i in range(1, architecture["residual_blocks"] + 1):
            for half in "12":
                conv(f"res{i}.conv{half}", 4 * w, 3, 4 * w)
                norm(f"res{i}.norm{half}", 4 * w)
        for i, (k, c) in enumerate(((2 * w, 4 * w), (w, 2 * w)), start=1):
            conv(f"up{i}", *((k, 3, c) if architecture["upsample"] == "nearest" else (c, 3, k)))
            norm(f"norm{i + 3}", k)
        conv("out", 3, 9, w)
        linear = architecture["output"] == "linear"
        group["out.weight"][...] *= 60 if linear else 1
        group["out.bias"] = np.array([120, 130, 140] if linear else [0.1, 0, -0.1], "f4")


def write_variants(folder):
    options = itertools.product(("nearest", "transposed"), ("reflect", "zero"), ("linear", "tanh150"))
    for seed, (upsample, padding, output) in enumerate(options):
        path = folder / f"{upsample}_{padding}_{output}.h5"
        write_variant(path, {"width": 8, "residual_blocks": seed % 3, "upsample": upsample, "padding": padding,
                             "norm_eps": (1e-5, 1e-3)[seed % 2], "output": output}, seed)
        yield path


def difference(a, b):
    return float(np.abs(a.astype(np.float64) - b.astype(np.float64)).max())


def check(model, tools, folder):
    """True when everything agrees; prints one line per size."""
    onnx_file, state_file = folder / "model.onnx", folder / "model.safetensors"
    for target in (onnx_file, state_file):
        subprocess.run([tools.import_weights, model, "--as", "transform_net", "-o", target], check=True,
                       stdout=subprocess.DEVNULL)
    onnx.checker.check_model(str(onnx_file), full_check=True)
    state = safetensors.numpy.load_file(state_file)
    with safetensors.safe_open(state_file, "np") as file:
        architecture = json.loads(file.metadata()["chiaro.architecture"])
    properties = {entry.key: entry.value for entry in onnx.load(onnx_file).metadata_props}
    good = json.loads(properties["chiaro.architecture"]) == architecture
    session = onnxruntime.InferenceSession(str(onnx_file), providers=["CPUExecutionProvider"])
    for seed, (height, width) in enumerate(SIZES):
        rgb = test_picture(height, width, seed)
        write_png(folder / "in.png", rgb)
        subprocess.run([tools.stylize_engine, "--model", model, folder / "in.png", "-o", folder / "out.png",
                        "--precision", "fp32"], check=True, stdout=subprocess.DEVNULL)
        ours = read_png(folder / "out.png")
        picture = rgb.transpose(2, 0, 1)[None].astype(np.float32)
        out = session.run(None, {"picture": picture})[0]
        assert out.shape == picture.shape, out.shape
        levels = np.abs(np.clip(np.rint(out[0].transpose(1, 2, 0)), 0, 255) - ours)
        both = session.run(None, {"picture": np.concatenate([picture, picture[:, :, ::-1]])})[0]
        good &= levels.max() <= 1 and levels.mean() < 0.02 and difference(both[:1], out) < 0.01
        line = f"{model.stem} {width}x{height}: chiaro max {levels.max():.0f} mean {levels.mean():.5f} levels"
        if torch:
            single, double = (torch_net(state, architecture, picture, t) for t in (torch.float32, torch.float64))
            line += (f"; onnxruntime - torch fp32 {difference(out, single):.1e}, - fp64 {difference(out, double):.1e} "
                     f"(torch fp32 - fp64 {difference(single, double):.1e}), range {out.min():.0f}..{out.max():.0f}")
            good &= difference(out, double) <= max(0.01, 4 * difference(single, double))
        print(line, flush=True)
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stylize_engine")
    parser.add_argument("import_weights")
    parser.add_argument("--variants", action="store_true")
    parser.add_argument("models", nargs="*", type=pathlib.Path)
    tools = parser.parse_intermixed_args()
    print(f"onnx {onnx.__version__}, onnxruntime {onnxruntime.__version__}, torch {torch and torch.__version__}")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        models = tools.models + (list(write_variants(folder)) if tools.variants else [])
        bad = [model.name for model in models if not check(model, tools, folder)]
    print("check_onnx:", "offences in " + ", ".join(bad) if bad else f"{len(models)} networks agree")
    return 1 if bad or not models else 0


if __name__ == "__main__":
    sys.exit(main())
