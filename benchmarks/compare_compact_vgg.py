#!/usr/bin/env python3
"""How near the compact VGG-19, the one in factors, comes to VGG-19 as the eyes of the style and content losses.

    /usr/bin/python3 benchmarks/compare_compact_vgg.py --vgg19 vgg19.h5 --photos PHOTOS --styles a.jpg b.jpg \\
        --out benchmarks/results/compact_vgg19

For several seeds (batches of photos and transform networks with random values, or one trained network with --init) and
each style picture, `inspect_engine gradients` works out the style and the content loss and their gradient at the
generated pictures, once through each network. Reported, as medians with the smallest and the largest: the cosine of
the two gradients, the ratio of their norms, and the ratio of the losses. Writes gradients.json and gradients.md.
Needs Debian's python3-h5py.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

import h5py
import numpy as np

TERMS = ("style", "content")
CONFIG = """
seed = {seed}
[model]
init = "{init}"
[data]
train = ["{photos}"]
image_size = {size}
[style]
image = "{style}"
size = 512
[weights]
vgg19 = "{vgg19}"
[loss.tv]
weight = 0
[loss.depth]
weight = 0
[loss.range]
weight = 0
[loss.{other}]
weight = 0
"""


def gradients(args, folder, term, vgg19, style, seed):
    """Loss and gradient at the generated pictures, (batch, size * size * 3), of one term."""
    other = TERMS[1 - TERMS.index(term)]
    config, result = folder / "gradients.toml", folder / "gradients.h5"
    config.write_text(CONFIG.format(seed=seed, init=args.init.resolve() if args.init else "random", style=style.resolve(),
                                    photos=args.photos.resolve(), size=args.size, vgg19=vgg19, other=other))
    done = subprocess.run([args.bin / "inspect_engine", "gradients", config, "--precision", "fp32", "-o", result],
                          capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(done.stderr)
    with h5py.File(result) as file:
        gradient = file["grad_output"][...].astype(np.float64)
        return float(file[f"raw/{term}"][()]), gradient.reshape(gradient.shape[0], -1)


def compare(args, folder, term, style, seed):
    (full, f), (compact, c) = (gradients(args, folder, term, net, style, seed)
                               for net in (args.vgg19.resolve(), args.compact if args.compact == "compact"
                                           else pathlib.Path(args.compact).resolve()))
    norms = [np.linalg.norm(g, axis=1) for g in (f, c)]
    return {"cosine": float(np.mean((f * c).sum(axis=1) / (norms[0] * norms[1]))),
            "norm ratio": float(np.mean(norms[1] / norms[0])), "loss ratio": compact / full}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vgg19", type=pathlib.Path, required=True)
    parser.add_argument("--compact", default="compact", help="file of the compact network")
    parser.add_argument("--photos", type=pathlib.Path, required=True, help="that neither network was trained on")
    parser.add_argument("--styles", type=pathlib.Path, nargs="+", required=True)
    parser.add_argument("--init", type=pathlib.Path, help="a trained transform network; without it random ones")
    parser.add_argument("--bin", type=pathlib.Path, default=pathlib.Path("build/cpu/apps"))
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    args = parser.parse_args()

    rows = {}
    with tempfile.TemporaryDirectory() as name:
        for term in TERMS:
            # The content loss does not see the style picture.
            for style in args.styles if term == "style" else args.styles[:1]:
                found = [compare(args, pathlib.Path(name), term, style, seed) for seed in range(1, args.seeds + 1)]
                rows[f"style, {style.stem}" if term == "style" else term] = found
                print(term, style.stem, found[-1], flush=True)
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "gradients.json").write_text(json.dumps({"size": args.size, "seeds": args.seeds, "rows": rows}, indent=1) + "\n")
    names = list(next(iter(rows.values()))[0])
    lines = ["| loss | " + " | ".join(f"{n} of the compact network" for n in names) + " |", "|---" * (len(names) + 1) + "|"]
    for title, found in rows.items():
        cells = [[row[n] for row in found] for n in names]
        lines.append(f"| {title} | " + " | ".join(f"{statistics.median(c):.3f} ({min(c):.3f}–{max(c):.3f})" for c in cells) + " |")
    (args.out / "gradients.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
