#!/usr/bin/env python3
"""Draws pictures that a style network can be trained on where no photographs are at hand. Needs NumPy only.

    python3 benchmarks/draw_photos.py FOLDER --count 256 --size 288

Hills behind one another under a sky, with discs in front, seen through haze: large smooth areas, edges, texture. The
same numbers give the same pictures.
"""
import argparse
import pathlib
import struct
import zlib

import numpy as np


def smooth_noise(rng, size, cells):
    """Values in [0, 1] on a grid of `cells`, blended by a cubic."""
    grid = rng.random((cells + 2, cells + 2))
    place = np.arange(size) * cells / size
    index, t = place.astype(int), place - place.astype(int)
    t = t * t * (3 - 2 * t)
    rows = grid[index] * (1 - t)[:, None] + grid[index + 1] * t[:, None]
    return rows[:, index] * (1 - t) + rows[:, index + 1] * t


def texture(rng, size):
    return sum(smooth_noise(rng, size, cells) / weight for cells, weight in ((4, 2), (16, 4), (64, 8)))


def picture(seed, size):
    """(size, size, 3) bytes."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:size, 0:size] / size
    haze = rng.random(3)
    rgb = haze * 0.5 + 0.5 * (rng.random(3) * (1 - y)[..., None] + rng.random(3) * y[..., None])
    layers = 5
    for layer in range(layers):
        near = (layer + 1) / layers
        ridge = 0.2 + 0.6 * near + 0.25 * (smooth_noise(rng, size, 3 + 2 * layer)[0] - 0.5)
        color = rng.random(3)[None, None] * (0.4 + 0.9 * texture(rng, size)[..., None])
        hill = near * color + (1 - near) * haze
        rgb = np.where((y > ridge[None])[..., None], hill, rgb)
    for _ in range(rng.integers(1, 5)):
        center, radius = rng.random(2), 0.05 + 0.15 * rng.random()
        distance = np.hypot(x - center[0], y - center[1]) / radius
        ball = rng.random(3) * (1.1 - 0.8 * distance[..., None] ** 2) + 0.1 * texture(rng, size)[..., None]
        rgb = np.where((distance < 1)[..., None], ball, rgb)
    rgb = rgb + 0.03 * (rng.random(rgb.shape) - 0.5)
    return (255 * rgb.clip(0, 1)).round().astype(np.uint8)


def write_png(path, rgb):
    height, width = rgb.shape[:2]
    rows = np.concatenate([np.zeros((height, 1), np.uint8), rgb.reshape(height, -1)], axis=1)

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
                     + chunk(b"IDAT", zlib.compress(rows.tobytes(), 1)) + chunk(b"IEND", b""))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--count", type=int, default=64)
    parser.add_argument("--size", type=int, default=288, help="pixels, both sides")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    for i in range(options.count):
        write_png(options.folder / f"{i:04d}.png", picture(i, options.size))


if __name__ == "__main__":
    main()
