#!/usr/bin/env python3
"""Peer of train_bench: one Johnson training step in PyTorch, with chiaro's losses and networks, on the CPU.

    python3 benchmarks/pytorch_train_step.py --precision bf16 --format channels_last --threads 2 --steps 5

Transform network (width 32, 5 residual blocks, trained by Adam), VGG-19 with style on relu1_1..5_1, content on relu4_2
and total variation; 256x256, batch 4. Prints one JSON object: median, minimum and maximum seconds per step, peak
resident memory. --precision bf16 is torch.autocast; Gram matrices and losses stay in fp32, as in chiaro.

Debian's and Ubuntu's python3-torch runs fp32 matrix products, here the Gram matrices, on whatever libblas.so.3 is: with
the reference BLAS they take most of the step. Install libopenblas0-openmp first; the JSON names the library.

The C library's default allocator hands large blocks back to the kernel after every step and pays for fresh pages in
the next one. The "tuned" rows of our tables keep them, which makes PyTorch faster:
    MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=100000000000 MALLOC_TOP_PAD_=1000000000 python3 ...
"""
import argparse
import time

import torch

import pytorch_nets as nets

STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
CONTENT_LAYER = "relu4_2"
STYLE_WEIGHT, CONTENT_WEIGHT, TV_WEIGHT = 1e2, 7.5, 2e2


def gram(features):
    """F^T F / (H*W*C) in fp32. In channels_last the transposed view is the dense one, and no copy is made."""
    n, c, h, w = features.shape
    with torch.autocast("cpu", enabled=False):
        flat = features.float().permute(0, 2, 3, 1).reshape(n, h * w, c)
        return torch.bmm(flat.transpose(1, 2), flat) / (h * w * c)


def total_loss(y, features, style_grams, content):
    mse = torch.nn.functional.mse_loss
    style = sum(((gram(features[layer]) - style_grams[layer]) ** 2).mean() for layer in STYLE_LAYERS)
    content = mse(features[CONTENT_LAYER].float(), content.float())
    y = y.float()
    tv = ((y[..., 1:] - y[..., :-1]) ** 2).mean() + ((y[..., 1:, :] - y[..., :-1, :]) ** 2).mean()
    return STYLE_WEIGHT * style + CONTENT_WEIGHT * content + TV_WEIGHT * tv


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    nets.add_common_options(parser)
    parser.add_argument("--steps", type=int, default=5, help="measured steps")
    parser.add_argument("--warmup", type=int, default=1)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--size", type=int, default=256)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)

    layout = nets.memory_format(options)
    model = nets.transform_net().to(memory_format=layout)
    vgg = nets.Vgg19((*STYLE_LAYERS, CONTENT_LAYER)).to(memory_format=layout)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    style = torch.rand(1, 3, options.size, options.size).mul(255).contiguous(memory_format=layout)
    with torch.no_grad(), nets.autocast(options):
        style_features = vgg(style, last="relu5_1")
        style_grams = {layer: gram(style_features[layer]) for layer in STYLE_LAYERS}
    del style_features

    def step(photo):
        optimizer.zero_grad(set_to_none=True)
        with nets.autocast(options):
            with torch.no_grad():
                content = vgg(photo, last=CONTENT_LAYER)[CONTENT_LAYER]
            y = model(photo)
            loss = total_loss(y, vgg(y, last="relu5_1"), style_grams, content)
        loss.backward()
        optimizer.step()
        return loss.item()

    seconds, losses = [], []
    for i in range(options.warmup + options.steps):
        photo = torch.rand(options.batch, 3, options.size, options.size).mul(255).contiguous(memory_format=layout)
        start = time.perf_counter()
        losses.append(step(photo))
        if i >= options.warmup:
            seconds.append(time.perf_counter() - start)
    nets.print_result(options, seconds, program="pytorch_train_step", losses=losses)


if __name__ == "__main__":
    main()
