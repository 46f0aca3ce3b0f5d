#!/usr/bin/env python3
"""How well depth networks see the depth of NYU Depth v2's frames.

    python3 benchmarks/score_depth_network.py --nyu nyu_depth_v2 --out scores.jsonl \\
        compact=apps/models/compact_depth.h5 other=runs/depth/model.h5

Each network is scored on the 150 frames of val.txt and on 99 frames that it may have been trained on, every twelfth of
train.txt, the middle window of each, by `train_engine`: a depth training that starts from a network validates it
first. Writes a line for each network, list and size of the input; --sizes 114x152 adds sizes (height x width).
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import h5py

CONFIG = """
task = "depth"
[model]
init = "{init}"
[data]
train = ["{folder}"]
batch_size = 2
[depth]
train_list = "val.txt"
validation_list = "{frames}.txt"
meters_per_unit = 0.039198
encoder = "{encoder}"
width = {width}
decoder_width = {decoder_width}
up_projections = {up_projections}
input_height = {height}
input_width = {width_of_input}
validate_every = 0
[train]
iterations = 1
preview_every = 0
out = "{run}"
"""


def data_folder(nyu, folder):
    for name in ("rgb", "depth", "val.txt"):
        (folder / name).symlink_to((nyu / name).resolve())
    train = (nyu / "train.txt").read_text().split()
    (folder / "train_sample.txt").write_text("\n".join(train[11::12]) + "\n")


def score(args, folder, network, frames, height, width):
    with h5py.File(network) as file:
        found = {"decoder_width": 0, "up_projections": 4, **json.loads(file.attrs["architecture"])}
    run = folder / f"run_{len(list(folder.glob('run_*')))}"
    config = folder / "config.toml"
    config.write_text(CONFIG.format(init=network.resolve(), folder=folder, frames=frames, run=run, height=height,
                                    width_of_input=width, **{key: found[key] for key in ("encoder", "width",
                                                             "decoder_width", "up_projections")}))
    done = subprocess.run([args.bin / "train_engine", config], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(done.stderr)
    first = json.loads((run / "metrics.jsonl").read_text().splitlines()[0])
    assert first["iteration"] == 0
    return first["validation"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="+", metavar="NAME=FILE")
    parser.add_argument("--nyu", type=pathlib.Path, required=True, help="folder with rgb/, depth/, train.txt, val.txt")
    parser.add_argument("--sizes", nargs="+", default=["228x304"], help="height x width of the input")
    parser.add_argument("--lists", nargs="+", default=["val", "train_sample"])
    parser.add_argument("--bin", type=pathlib.Path, default=pathlib.Path("build/cpu/apps"))
    parser.add_argument("--out", type=pathlib.Path, required=True)
    args = parser.parse_args()

    with tempfile.TemporaryDirectory() as name, args.out.open("w") as out:
        folder = pathlib.Path(name)
        data_folder(args.nyu, folder)
        for network in args.networks:
            label, path = network.split("=", 1)
            for size in args.sizes:
                for frames in args.lists:
                    found = score(args, folder, pathlib.Path(path), frames, *map(int, size.split("x")))
                    line = {"network": label, "input": size, "frames": frames, **found}
                    print(json.dumps(line), file=out, flush=True)
                    print(f"{label:>12} {size} {frames:>12}  delta1 {found['delta1']:.4f}  rel {found['rel']:.4f}  "
                          f"rms {found['rms']:.4f}  log10 {found['log10']:.4f}", flush=True)


if __name__ == "__main__":
    main()
