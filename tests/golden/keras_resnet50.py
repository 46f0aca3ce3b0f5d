#!/usr/bin/env python3
"""Prints what tests/layers/test_keras_encoder.cpp expects of Keras' ResNet-50 on the hashed picture "photo".

    python3 tests/golden/keras_resnet50.py resnet50_imagenet_conv1_to_conv4.h5

Read from the Keras file as it is (names, biases, epsilon, BGR) and run in float64, without chiaro's conversions. One
line per feature: its L2 norm, then elements i * 104729 % count of the NHWC tensor for i = 0 .. 5.
"""
import sys

import h5py
import torch
import torch.nn.functional as F

import hash_values

MEAN_BGR = (103.939, 116.779, 123.68)
BLOCKS = {2: 3, 3: 4, 4: 6}


def main():
    with h5py.File(sys.argv[1], "r") as file:
        def get(layer, part):
            return torch.from_numpy(file[f"{layer}/{layer}/{part}:0"][()]).double()

        def unit(x, name, stride=1, padding=0):
            kernel = get(name + "_conv", "kernel").permute(3, 2, 0, 1)
            x = F.conv2d(x, kernel, get(name + "_conv", "bias"), stride, padding)
            parts = (get(name + "_bn", part) for part in ("moving_mean", "moving_variance", "gamma", "beta"))
            return F.batch_norm(x, *parts, eps=1.001e-5)

        rgb = torch.from_numpy(hash_values.picture("photo", 1, 64, 80)).double()
        x = (rgb.flip(-1) - torch.tensor(MEAN_BGR)).permute(0, 3, 1, 2)
        x = F.relu(unit(x, "conv1", 2, 3))
        # Where Keras' own pool pads by one on every side, ResNet-UpProj's is TensorFlow's SAME.
        x = F.max_pool2d(F.pad(x, (0, 1, 0, 1)), 3, 2)
        for stage, blocks in BLOCKS.items():
            for block in range(1, blocks + 1):
                name = f"conv{stage}_block{block}_"
                stride = 2 if block == 1 and stage > 2 else 1
                shortcut = unit(x, name + "0", stride) if block == 1 else x
                y = F.relu(unit(x, name + "1", stride))
                y = F.relu(unit(y, name + "2", padding=1))
                x = F.relu(unit(y, name + "3") + shortcut)
            flat = x.permute(0, 2, 3, 1).flatten()
            samples = [flat[i * 104729 % flat.numel()].item() for i in range(6)]
            print(f"res{stage}", f"{flat.norm().item():.9g}", *(f"{value:.9g}" for value in samples))


if __name__ == "__main__":
    main()
