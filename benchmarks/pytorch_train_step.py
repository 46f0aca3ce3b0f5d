#!/usr/bin/env python3
"""Peer of train_bench: one Johnson training step in PyTorch, with chiaro's losses and networks.

    python3 benchmarks/pytorch_train_step.py --precision bf16 --format channels_last --threads 2 --steps 5
    python3 benchmarks/pytorch_train_step.py --device cuda --depth --precision bf16 --format channels_last --compile

Transform network (width 32, 5 residual blocks, trained by Adam), VGG-19 with style on relu1_1..5_1, content on relu4_2
and total variation, with --depth also a ResNet-UpProj near its end; 256x256, batch 4. Prints one JSON object: median,
minimum and maximum seconds per step, memory. --precision bf16 is torch.autocast; losses stay in fp32, as in chiaro.
Gram matrices are products in fp32 on the CPU and in the precision of autocast, the fastest, on a GPU.

Debian's and Ubuntu's python3-torch runs fp32 matrix products, here the Gram matrices, on whatever libblas.so.3 is: with
the reference BLAS they take most of the step. Install libopenblas0-openmp first; the JSON names the library.

The C library's default allocator hands large blocks back to the kernel after every step and pays for fresh pages in
the next one. The "tuned" rows of our tables keep them, which makes PyTorch faster:
    MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=100000000000 MALLOC_TOP_PAD_=1000000000 python3 ...

On a GPU pictures come from page-locked memory as bytes, Adam is the fused one, cuDNN may time its algorithms, and the
clock is read once every ten steps, so that the host never waits.
"""
import argparse

import torch

import peer_program
import pytorch_nets as nets

STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
CONTENT_LAYER = "relu4_2"
STYLE_WEIGHT, CONTENT_WEIGHT, TV_WEIGHT, DEPTH_WEIGHT = 1e2, 7.5, 2e2, 1.


def gram(options, features):
    """F^T F / (H*W*C). In channels_last the transposed view is the dense one, and no copy is made."""
    n, c, h, w = features.shape
    with nets.autocast(options, enabled=options.device == "cuda"):
        flat = features.permute(0, 2, 3, 1).reshape(n, h * w, c)
        if options.device == "cpu":
            flat = flat.float()
        return torch.bmm(flat.transpose(1, 2), flat).float() / (h * w * c)


class Objective(torch.nn.Module):
    """The losses of a batch, with the networks that they look through."""

    def __init__(self, options, model):
        super().__init__()
        self.options = options
        self.model = model
        self.vgg = nets.frozen(options, nets.Vgg19((*STYLE_LAYERS, CONTENT_LAYER)))
        self.depth = nets.frozen(options, nets.ResnetUpproj()) if options.depth else None
        self.style_grams = {}

    def look_at_style(self, style):
        with torch.no_grad(), nets.autocast(self.options):
            features = self.vgg(style, last="relu5_1")
            self.style_grams = {layer: gram(self.options, features[layer]) for layer in STYLE_LAYERS}

    def forward(self, photo):
        mse = torch.nn.functional.mse_loss
        with nets.autocast(self.options):
            with torch.no_grad():
                content = self.vgg(photo, last=CONTENT_LAYER)[CONTENT_LAYER]
                depth = self.depth(photo) if self.depth else {}
            y = self.model(photo)
            features = self.vgg(y, last="relu5_1")
            depth_of_y = self.depth(y) if self.depth else {}
            loss = STYLE_WEIGHT * sum(((gram(self.options, features[layer]) - self.style_grams[layer]) ** 2).mean()
                                      for layer in STYLE_LAYERS)
            loss = loss + CONTENT_WEIGHT * mse(features[CONTENT_LAYER].float(), content.float())
            for layer in depth:
                loss = loss + DEPTH_WEIGHT * mse(depth_of_y[layer].float(), depth[layer].float())
            y = y.float()
            tv = ((y[..., 1:] - y[..., :-1]) ** 2).mean() + ((y[..., 1:, :] - y[..., :-1, :]) ** 2).mean()
            return loss + TV_WEIGHT * tv


class Photos:
    """Batches of random pixels: on a GPU one batch of bytes, sent anew every time, on the CPU always others."""

    def __init__(self, options):
        self.options = options
        self.shape = (options.batch, 3, options.size, options.size)
        self.layout = nets.memory_format(options)
        if options.device == "cuda":
            self.bytes = torch.randint(0, 256, self.shape, dtype=torch.uint8).contiguous(memory_format=self.layout)
            self.bytes = self.bytes.pin_memory()

    def batch(self):
        if self.options.device == "cuda":
            return self.bytes.to("cuda", non_blocking=True).float()
        return torch.rand(self.shape).mul(255).contiguous(memory_format=self.layout)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    nets.add_common_options(parser)
    parser.add_argument("--steps", type=int, default=5, help="measured steps")
    parser.add_argument("--warmup", type=int, default=1)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--depth", action="store_true", help="with the depth loss")
    options = parser.parse_args()
    nets.prepare(parser, options)

    loaded = peer_program.resident_mib()
    layout = nets.memory_format(options)
    on_gpu = options.device == "cuda"
    model = nets.transform_net().to(options.device, memory_format=layout)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, **({"fused": True} if on_gpu else {}))
    objective = Objective(options, model)
    style = torch.rand(1, 3, options.size, options.size).mul(255).to(options.device)
    objective.look_at_style(style.contiguous(memory_format=layout))
    total_loss = nets.compiled(options, objective)
    photos = Photos(options)
    losses = []

    def step(photo):
        optimizer.zero_grad(set_to_none=True)
        loss = total_loss(photo)
        loss.backward()
        optimizer.step()
        losses.append(loss.detach() if on_gpu else loss.item())

    def timed_step():
        photo = photos.batch()  # not part of the step
        return peer_program.seconds_of(lambda: step(photo))

    if on_gpu:
        seconds = nets.measure(options, lambda: step(photos.batch()), options.warmup, options.steps, together=10)
    else:
        for _ in range(options.warmup):
            timed_step()
        seconds = peer_program.measure_each(options, timed_step, options.steps, losses=losses)
    nets.print_result(options, seconds, program="pytorch_train_step", loaded_rss_mib=loaded,
                      losses=[float(loss) for loss in losses[-20:]])


if __name__ == "__main__":
    main()
