"""Pseudo-random tensors that Python and C++ compute identically, so that no weights need to be stored.

C++ twin: tests/support/hash_weights.hpp. Every element is a function of the tensor's name, a seed and the element's
index in chiaro's layout (weights KRSC, activations NHWC):

    key  = mix(fnv1a32(name) + seed * 0x9e3779b9)     all in uint32
    bits = mix(key ^ mix(index))                      mix = "lowbias32", C. Wellons, nullprogram.com/blog/2018/07/31
    u    = (bits >> 8) / 2^23 - 1                     in [-1, 1), exact in float32
    x    = base + amplitude * u                       in float32

Where base is not 0 the amplitude is a power of two, so the product is exact and the result does not depend on whether
a compiler fuses the multiplication with the addition.
"""
import math

import numpy as np

SEED_TRANSFORM, SEED_VGG, SEED_RESNET, SEED_PICTURE = 1, 2, 3, 4

# x = base + amplitude * u by the last part of the name; weights follow weight_amplitude.
RULES = {
    "bias": (0.0, 0.1),
    "gamma": (1.0, 0.5),
    "beta": (0.0, 0.2),
    "scale": (1.0, 0.5),
    "offset": (0.0, 0.2),
    "mean": (0.0, 0.2),
    "variance": (1.0, 0.5),
}
# Exceptions that keep the activations of the random depth network within a few powers of ten: its input is 0..255, and
# its residual branches would otherwise double the signal in each of 16 blocks. The bias keeps the depth above the ReLU.
EXCEPTIONS = {
    "bn_conv1.variance": (1024.0, 512.0),
    "_branch2c.scale": (0.25, 0.125),
    "ConvPred.bias": (16.0, 0.5),
}


def mix(x):
    x = x ^ (x >> np.uint32(16))
    x = x * np.uint32(0x7FEB352D)
    x = x ^ (x >> np.uint32(15))
    x = x * np.uint32(0x846CA68B)
    return x ^ (x >> np.uint32(16))


def fnv1a32(text):
    h = 0x811C9DC5
    for byte in text.encode():
        h = ((h ^ byte) * 0x01000193) & 0xFFFFFFFF
    return h


def bits(name, seed, count):
    key = mix(np.array([(fnv1a32(name) + seed * 0x9E3779B9) & 0xFFFFFFFF], np.uint32))
    return mix(key ^ mix(np.arange(count, dtype=np.uint32)))


def uniform(name, seed, count):
    return ((bits(name, seed, count) >> np.uint32(8)).astype(np.int32) - (1 << 23)).astype(np.float32) * np.float32(2**-23)


def weight_amplitude(shape):
    """He's rule for a uniform distribution; fan-in = R*S*C of the stored KRSC shape."""
    return math.sqrt(6.0 / math.prod(shape[1:]))


def rule(name, shape):
    for suffix, values in EXCEPTIONS.items():
        if name.endswith(suffix):
            return values
    kind = name.rsplit(".", 1)[1]
    return (0.0, weight_amplitude(shape)) if kind == "weight" else RULES[kind]


# What differs in train_step.h5, so that all four loss terms have gradients of comparable size: the output picture is
# spread over 0..255 as that of a trained network is, style is damped against content, and depth is amplified.
TRAIN_STEP_GAINS = {"out.weight": 32.0, "conv1_1.weight": 0.5, "conv4_2.weight": 4.0}
TRAIN_STEP_EXCEPTIONS = {"out.bias": (128.0, 16.0), "bn_conv1.variance": (256.0, 128.0)}


def train_step_rule(name, shape):
    if name in TRAIN_STEP_EXCEPTIONS:
        return TRAIN_STEP_EXCEPTIONS[name]
    base, amplitude = rule(name, shape)
    return base, TRAIN_STEP_GAINS.get(name, 1.0) * amplitude


def tensor(name, shape, seed, rule_of=rule):
    base, amplitude = rule_of(name, shape)
    u = uniform(name, seed, math.prod(shape))
    return (np.float32(base) + np.float32(amplitude) * u).reshape(shape)


def picture(name, n, h, w, seed=SEED_PICTURE):
    """Integer pixels 0..255 as float32 (n, h, w, 3): a coarse lattice of random colors, one every 8 pixels, blended
    bilinearly, plus fine noise of -16..15. Integer arithmetic throughout."""
    lattice_h, lattice_w = h // 8 + 2, w // 8 + 2
    lattice = bits(name + ".coarse", seed, n * lattice_h * lattice_w * 3) >> np.uint32(24)
    lattice = lattice.astype(np.int32).reshape(n, lattice_h, lattice_w, 3)
    y, x = np.arange(h), np.arange(w)
    row, col = y // 8, x // 8
    fy, fx = (y % 8).reshape(1, h, 1, 1), (x % 8).reshape(1, 1, w, 1)

    def blend_columns(rows):
        return (8 - fx) * lattice[:, rows][:, :, col] + fx * lattice[:, rows][:, :, col + 1]

    coarse = ((8 - fy) * blend_columns(row) + fy * blend_columns(row + 1) + 32) // 64
    noise = (bits(name, seed, n * h * w * 3) >> np.uint32(27)).astype(np.int32).reshape(n, h, w, 3) - 16
    return np.clip(coarse + noise, 0, 255).astype(np.float32)
