#!/usr/bin/env python3
"""Writes the golden files of this folder: what PyTorch computes for chiaro's networks and its training step.

    apt-get install python3-torch python3-h5py      (any PyTorch from 1.13 on; CPU only; about a minute)
    python3 tests/golden/make_golden.py             writes transform_net.h5, train_step.h5, vgg.h5, resnet_upproj.h5,
                                                    upproj_training.h5
    python3 tests/golden/make_golden.py --check     compares with the committed files instead; status 1 if they differ
    python3 tests/golden/make_golden.py vgg         only the files named

Weights and pictures come from hash_values.py, so the files hold only results, in chiaro's layout (NHWC, KRSC). Results
are of float64 runs, arrays rounded to float32. `fp32_nmse` beside a result is ||a-b||^2/||a||^2 of PyTorch's own
float32 run: what rounding alone does to it. Per file:

transform_net.h5  <variant>/output (N,H,W,3), fp32_nmse (1); attributes of <variant> say which network. Input: "photo".
vgg.h5            vgg19/<feature>, vgg16/<feature>, gram/vgg19/<relu>: each a sampled tensor (below), input "photo"
                  (1,48,40,3), width 64; gram/vgg19/relu1_1/values holds that matrix in full.
resnet_upproj.h5  <variant>/<feature>: sampled tensors; attributes of <variant> say which network and input size.
train_step.h5     see train_step.py.
upproj_training.h5  see upproj_training.py.

A sampled tensor is a group of shape (4; Gram: 3), stats = mean and L2 norm in float64, indices (up to 64) into the
flattened NHWC tensor, samples = the values there, fp32_nmse (1).
"""
import argparse
import pathlib
import sys

import h5py
import numpy as np
import torch

import hash_values
import nets
import train_step
import upproj_training

FOLDER = pathlib.Path(__file__).resolve().parent
SAMPLES = 64
PRIME = 104729  # a stride that shares no factor with any extent, so that samples fall on all channels


def write_sampled(group, exact, approximate):
    exact, approximate = exact.contiguous(), approximate.contiguous()
    flat = exact.flatten()
    indices = np.unique(np.arange(SAMPLES, dtype=np.int64) * PRIME % flat.numel())
    group["shape"] = np.array(exact.shape, np.int64)
    group["stats"] = [flat.mean().item(), flat.norm().item()]
    group["indices"] = indices.astype(np.int32)
    group["samples"] = flat[torch.from_numpy(indices)].float().numpy()
    group["fp32_nmse"] = [train_step.nmse(exact, approximate)]


def new_group(parent, name, **attributes):
    group = parent.create_group(name, track_order=True)
    group.attrs.update(attributes)
    return group


def in_both_precisions(run):
    with torch.no_grad():
        return run(torch.float64), run(torch.float32)


def make_transform_net(file):
    variants = {
        "nearest": (dict(width=4, residual_blocks=2, upsample="nearest", padding="reflect", output="linear"), (2, 20, 24)),
        "odd_size": (dict(width=4, residual_blocks=2, upsample="nearest", padding="reflect", output="linear"), (1, 19, 22)),
        "transposed": (dict(width=4, residual_blocks=2, upsample="transposed", padding="zero", output="tanh150"), (1, 16, 16)),
        "full": (dict(width=32, residual_blocks=5, upsample="nearest", padding="reflect", output="linear"), (1, 16, 16)),
    }
    for name, (config, size) in variants.items():
        photo = hash_values.picture("photo", *size)
        exact, approximate = in_both_precisions(lambda dtype: nets.nhwc(
            nets.transform_net(nets.Params(hash_values.SEED_TRANSFORM, dtype), nets.nchw(photo, dtype), **config)))
        group = new_group(file, name, **config)
        group["output"] = exact.float().numpy()
        group["fp32_nmse"] = [train_step.nmse(exact, approximate)]


def make_vgg(file):
    photo = hash_values.picture("photo", 1, 48, 40)
    for depth in (19, 16):
        exact, approximate = in_both_precisions(
            lambda dtype: nets.vgg(nets.Params(hash_values.SEED_VGG, dtype), nets.nchw(photo, dtype), depth))
        features = new_group(file, f"vgg{depth}")
        for name in exact:
            write_sampled(new_group(features, name), nets.nhwc(exact[name]), nets.nhwc(approximate[name]))
        if depth == 19:
            grams = new_group(file, "gram/vgg19")
            for name in (name for name in exact if name.startswith("relu")):
                gram, gram32 = train_step.gram(exact[name]), train_step.gram(approximate[name])
                group = new_group(grams, name)
                write_sampled(group, gram, gram32)
                if name == "relu1_1":
                    group["values"] = gram[0].float().numpy()


def make_resnet_upproj(file):
    variants = {
        "nyu_full": (dict(width=64, padding="nyu", last_stage=5), (1, 64, 96)),
        "make3d_odd_size": (dict(width=16, padding="make3d", last_stage=5), (1, 57, 73)),
        "nyu_res4": (dict(width=8, padding="nyu", last_stage=4), (2, 32, 48)),
    }
    for name, (config, size) in variants.items():
        photo = hash_values.picture("photo", *size)
        exact, approximate = in_both_precisions(lambda dtype: nets.resnet_upproj(
            nets.Params(hash_values.SEED_RESNET, dtype), nets.nchw(photo, dtype), **config))
        group = new_group(file, name, **config, batch=size[0], height=size[1], width_px=size[2])
        for feature in exact:
            write_sampled(new_group(group, feature), nets.nhwc(exact[feature]), nets.nhwc(approximate[feature]))


def make_upproj_training(file):
    variants = {
        "nyu_res4": (dict(width=4, padding="nyu", last_stage=4), (2, 64, 96)),
        "make3d": (dict(width=4, padding="make3d", last_stage=5), (2, 128, 96)),
    }
    for name, (config, size) in variants.items():
        exact, loss, gradients, running = upproj_training.step(torch.float64, size, config)
        approximate, _, gradients32, _ = upproj_training.step(torch.float32, size, config)
        group = new_group(file, name, **config, batch=size[0], height=size[1], width_px=size[2])
        write_sampled(new_group(group, "prediction"), nets.nhwc(exact), nets.nhwc(approximate))
        group["loss"] = [loss]
        order = sorted(gradients)
        group["gradients"] = np.stack([upproj_training.summary(gradients[key]) for key in order])
        group["gradients_fp32_nmse"] = [train_step.nmse(gradients[key], gradients32[key]) for key in order]
        group["running"] = np.stack([upproj_training.summary(running[key]) for key in sorted(running)])


GOLDENS = {
    "transform_net": make_transform_net,
    "train_step": train_step.make,
    "vgg": make_vgg,
    "resnet_upproj": make_resnet_upproj,
    "upproj_training": make_upproj_training,
}


def datasets(file):
    found = {}
    file.visititems(lambda name, item: found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
    return found


def differences(made, committed):
    """Names of datasets that are missing or differ. What float32 runs give may differ between machines."""
    made, committed = datasets(made), datasets(committed)
    for name in sorted(made.keys() | committed.keys()):
        if name not in made or name not in committed or made[name].shape != committed[name].shape:
            yield name
        elif "fp32" not in name:
            a, b = made[name].astype(np.float64), committed[name].astype(np.float64)
            if np.abs(a - b).max() > 1e-6 * np.abs(b).max() + 1e-7:
                yield name


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=" ".join(GOLDENS))
    parser.add_argument("--check", action="store_true", help="compare with the committed files")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.names if name not in GOLDENS]
    if unknown:
        parser.error(f"unknown golden '{unknown[0]}'; there are {', '.join(GOLDENS)}")

    failed = False
    for name in arguments.names or GOLDENS:
        path = FOLDER / f"{name}.h5"
        temporary = path.with_suffix(".h5.partial")
        options = dict(driver="core", backing_store=False) if arguments.check else {}
        with h5py.File(temporary, "w", libver=("v110", "v110"), track_order=True, **options) as file:
            GOLDENS[name](file)
            if arguments.check:
                with h5py.File(path, "r") as committed:
                    different = list(differences(file, committed))
                failed = failed or bool(different)
                print(f"{path.name}: {'differs in ' + ', '.join(different) if different else 'as committed'}")
        if not arguments.check:
            temporary.replace(path)
            print(f"{path.name}: {path.stat().st_size} bytes")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
