#!/usr/bin/env python3
"""Peer of stylize_bench: forward pass of the transform network (width 32, 5 residual blocks) in PyTorch, on the CPU.

    python3 benchmarks/pytorch_stylize.py --height 1080 --width 1920 --precision bf16 --format channels_last

One size per process, so that the peak resident memory in the JSON that it prints belongs to that size. --precision
bf16 is torch.autocast (model.bfloat16() would fail: PyTorch 1.13 has no bf16 reflection padding); --jit traces, freezes
and optimises the network first. For the "tuned" allocator rows of our tables, which keep freed memory, set
    MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=100000000000 MALLOC_TOP_PAD_=1000000000
"""
import argparse
import time

import torch

import pytorch_nets as nets


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    nets.add_common_options(parser)
    parser.add_argument("--height", type=int, default=512, help="pixels, a multiple of 4")
    parser.add_argument("--width", type=int, default=512, help="pixels, a multiple of 4")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--warmup", type=int, default=1)
    parser.add_argument("--jit", action="store_true", help="torch.jit.trace, freeze and optimize_for_inference")
    options = parser.parse_args()
    if options.height % 4 or options.width % 4:
        parser.error(f"size {options.height}x{options.width}: both must be multiples of 4")
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)

    layout = nets.memory_format(options)
    model = nets.transform_net().eval().to(memory_format=layout)
    photo = torch.rand(options.batch, 3, options.height, options.width).mul(255).contiguous(memory_format=layout)
    seconds = []
    with torch.inference_mode(), nets.autocast(options):
        if options.jit:
            model = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(model, photo[:, :, :64, :64])))
        for i in range(options.warmup + options.repetitions):
            start = time.perf_counter()
            y = model(photo)
            if i >= options.warmup:
                seconds.append(time.perf_counter() - start)
    assert y.shape == photo.shape
    nets.print_result(options, seconds, program="pytorch_stylize")


if __name__ == "__main__":
    main()
