#!/usr/bin/env python3
"""Published style networks through chiaro and through PyTorch, both in fp32, on the same picture.

    /usr/bin/python3 benchmarks/compare_published_styles.py --data DATA --out benchmarks/results/published_styles

DATA is a folder with johnson/candy.pth, johnson/mosaic_nc16_legacy.pth, the pictures published with them, and
photos/content/amber.jpg. Needs Debian's python3-torch, python3-h5py, python3-pil. Both get the same pixels, decoded
once by libjpeg: decoders differ by a few levels at edges. Reports the largest difference of the two float outputs
(in levels of 0..255, before clamping) and the PSNR against the published JPEG.
"""
import argparse
import json
import pathlib
import subprocess
import tempfile

import h5py
import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

CASES = (("candy.pth", "amber-candy.jpg"), ("mosaic_nc16_legacy.pth", "amber-mosaic_nc16.jpg"))


def psnr(a, b):
    return 10 * np.log10(255.0 ** 2 / np.mean((a.astype(np.float64) - b.astype(np.float64)) ** 2))


def pytorch_output(path, picture):
    """pytorch/examples' TransformerNet, written out over its state dict."""
    state = torch.load(path, map_location="cpu")

    def conv(x, name, stride=1):
        weight = state[f"{name}.conv2d.weight"]
        x = F.pad(x, (weight.shape[-1] // 2,) * 4, mode="reflect")
        return F.conv2d(x, weight, state[f"{name}.conv2d.bias"], stride)

    def norm(x, name):
        return F.instance_norm(x, weight=state[f"{name}.weight"], bias=state[f"{name}.bias"], eps=1e-5)

    x = torch.from_numpy(picture.transpose(2, 0, 1)[None].astype(np.float32))
    x = F.relu(norm(conv(x, "conv1"), "in1"))
    x = F.relu(norm(conv(x, "conv2", 2), "in2"))
    x = F.relu(norm(conv(x, "conv3", 2), "in3"))
    for name in sorted({key.split(".")[0] for key in state if key.startswith("res")}):
        y = F.relu(norm(conv(x, f"{name}.conv1"), f"{name}.in1"))
        x = x + norm(conv(y, f"{name}.conv2"), f"{name}.in2")
    for name, norm_name in (("deconv1", "in4"), ("deconv2", "in5")):
        x = F.relu(norm(conv(F.interpolate(x, scale_factor=2, mode="nearest"), name), norm_name))
    return conv(x, "deconv3")[0].numpy().transpose(1, 2, 0)


def chiaro_output(binary, model, picture):
    with tempfile.TemporaryDirectory() as folder:
        photo, out = f"{folder}/photo.png", f"{folder}/out.h5"
        Image.fromarray(picture).save(photo)
        subprocess.run([binary, "activations", "--net", "transform_net", "--weights", model, "--image", photo,
                        "--layers", "output", "-o", out, "--precision", "fp32"], check=True, stdout=subprocess.DEVNULL)
        with h5py.File(out) as file:
            return file["output"][0]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--bin", default="build/cpu/apps")
    parser.add_argument("--out", help="result files without their extension")
    options = parser.parse_args()
    data = pathlib.Path(options.data)
    photo = data / "photos/content/amber.jpg"
    picture = np.asarray(Image.open(photo).convert("RGB"))
    rows = []
    for model, published in CASES:
        ours = chiaro_output(f"{options.bin}/inspect_engine", data / "johnson" / model, picture)
        theirs = pytorch_output(data / "johnson" / model, picture)
        target = np.asarray(Image.open(data / "johnson" / published).convert("RGB"))
        rows.append({"model": model, "size": list(picture.shape[:2]),
                     "max_difference": float(np.abs(ours - theirs).max()),
                     "mean_difference": float(np.abs(ours - theirs).mean()),
                     "psnr_chiaro_db": float(psnr(np.clip(ours, 0, 255).astype(np.uint8), target)),
                     "psnr_pytorch_db": float(psnr(np.clip(theirs, 0, 255).astype(np.uint8), target))})
    lines = ["| Network | largest difference from PyTorch, of 255 | PSNR, chiaro | PSNR, PyTorch |", "|---|---|---|---|"]
    lines += [f"| {r['model']} | {r['max_difference']:.5f} | {r['psnr_chiaro_db']:.2f} dB | "
              f"{r['psnr_pytorch_db']:.2f} dB |" for r in rows]
    print("\n".join(lines))
    if options.out:
        pathlib.Path(options.out).with_suffix(".json").write_text(json.dumps(rows, indent=2) + "\n")
        pathlib.Path(options.out).with_suffix(".md").write_text(
            "Made by `benchmarks/compare_published_styles.py --data DATA --out benchmarks/results/published_styles`, "
            f"PyTorch {torch.__version__}, fp32.\n\n" + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
