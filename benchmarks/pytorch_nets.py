"""The networks of the PyTorch peer programs, as plain modules: what a careful PyTorch user would write."""
import json
import os
import resource
import sys

import torch
from torch import nn


class ConvLayer(nn.Sequential):
    def __init__(self, inputs, outputs, size, stride=1, upsample=False, bias=False):
        layers = [nn.Upsample(scale_factor=2, mode="nearest")] if upsample else []
        layers += [nn.ReflectionPad2d(size // 2), nn.Conv2d(inputs, outputs, size, stride, bias=bias)]
        super().__init__(*layers)


class ResidualBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.body = nn.Sequential(
            ConvLayer(channels, channels, 3), nn.InstanceNorm2d(channels, affine=True), nn.ReLU(inplace=True),
            ConvLayer(channels, channels, 3), nn.InstanceNorm2d(channels, affine=True))

    def forward(self, x):
        return x + self.body(x)


def transform_net(width=32, residual_blocks=5):
    """Johnson's network in the form of pytorch/examples; no convolution bias where an instance norm cancels it."""

    def block(*args, **options):
        return [ConvLayer(*args, **options), nn.InstanceNorm2d(args[1], affine=True), nn.ReLU(inplace=True)]

    w = width
    return nn.Sequential(
        *block(3, w, 9), *block(w, 2 * w, 3, 2), *block(2 * w, 4 * w, 3, 2),
        *(ResidualBlock(4 * w) for _ in range(residual_blocks)),
        *block(4 * w, 2 * w, 3, upsample=True), *block(2 * w, w, 3, upsample=True),
        ConvLayer(w, 3, 9, bias=True))


class Vgg19(nn.Module):
    """VGG-19 up to relu5_1 with fixed random weights (the time does not depend on them). Input RGB 0..255.

    features(x, last) returns {name: tensor} of the layers wanted and computes nothing beyond `last`.
    """

    CONVS = (2, 2, 4, 4, 1)
    CHANNELS = (64, 128, 256, 512, 512)

    def __init__(self, wanted):
        super().__init__()
        self.wanted = frozenset(wanted)
        self.register_buffer("mean", torch.tensor((123.68, 116.779, 103.939)).reshape(1, 3, 1, 1))
        self.convs = nn.ModuleDict()
        inputs = 3
        for block, (count, channels) in enumerate(zip(self.CONVS, self.CHANNELS), start=1):
            for i in range(1, count + 1):
                conv = self.convs[f"relu{block}_{i}"] = nn.Conv2d(inputs, channels, 3, padding=1)
                nn.init.kaiming_normal_(conv.weight)
                inputs = channels
        self.requires_grad_(False)

    def forward(self, x, last):
        features = {}
        x = x - self.mean
        for name, conv in self.convs.items():
            if name.endswith("_1") and name != "relu1_1":
                x = nn.functional.max_pool2d(x, 2)
            x = nn.functional.relu(conv(x), inplace=True)
            if name in self.wanted:
                features[name] = x
            if name == last:
                break
        return features


def add_common_options(parser):
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--format", choices=("nchw", "channels_last"), default="nchw")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)


def memory_format(options):
    return torch.channels_last if options.format == "channels_last" else torch.contiguous_format


def autocast(options):
    # The cache of cast weights cannot be traced; a frozen network folds the casts instead.
    cache = not getattr(options, "jit", False)
    return torch.autocast("cpu", dtype=torch.bfloat16, enabled=options.precision == "bf16", cache_enabled=cache)


def blas_library():
    """Path of the BLAS that PyTorch runs its fp32 matrix products on; none where it is built in (wheels: MKL)."""
    with open("/proc/self/maps") as maps:
        paths = {line.split()[-1] for line in maps if "blas" in line.rsplit("/", 1)[-1]}
    return next(iter(sorted(paths)), None)


def print_result(options, seconds, **more):
    """One JSON object on standard output. `seconds` are the measured repetitions, warm-up left out."""
    seconds = sorted(seconds)
    blas = blas_library()
    if blas and "/blas/libblas.so" in blas:
        print(f"warning: {blas} is the slow reference BLAS, no fair peer: apt-get install libopenblas0-openmp",
              file=sys.stderr)
    print(json.dumps({
        **vars(options), **more,
        "median_s": seconds[len(seconds) // 2] if len(seconds) % 2 else sum(seconds[len(seconds) // 2 - 1:][:2]) / 2,
        "min_s": seconds[0],
        "max_s": seconds[-1],
        "repetitions": len(seconds),
        "peak_rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "allocator": {name: value for name, value in os.environ.items() if name.startswith("MALLOC_")},
        "torch": torch.__version__,
        "blas": blas,
    }))
