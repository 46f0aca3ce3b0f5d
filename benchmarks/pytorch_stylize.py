#!/usr/bin/env python3
"""Peer of stylize_bench: forward pass of the transform network (width 32, 5 residual blocks) in PyTorch.

    python3 benchmarks/pytorch_stylize.py --height 1080 --width 1920 --precision bf16 --format channels_last
    python3 benchmarks/pytorch_stylize.py --device cuda --compile --height 2160 --width 3840 --precision bf16

One size per process, so that the peak memory in the JSON that it prints belongs to that size. --precision bf16 is
torch.autocast (model.bfloat16() would fail on the CPU: PyTorch 1.13 has no bf16 reflection padding there); --jit traces,
freezes and optimizes the network first. For the "tuned" allocator rows of our tables, which keep freed memory, set
    MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=100000000000 MALLOC_TOP_PAD_=1000000000
On the CPU the pass alone is measured, floats in, floats out. On a GPU it is bytes in, bytes out, from and to page-locked memory of the host, as
stylize_bench measures it: on the clock and, as device_median_s, by events.
"""
import argparse

import torch

import peer_program
import pytorch_nets as nets


def on_gpu(options, model):
    """One picture from bytes to bytes, as a function without arguments."""
    shape = (options.batch, 3, options.height, options.width)
    layout = nets.memory_format(options)
    photo = torch.randint(0, 256, shape, dtype=torch.uint8).contiguous(memory_format=layout).pin_memory()
    result = torch.empty_like(photo).pin_memory()

    def network(rgb):
        return model(rgb.float()).clamp(0, 255).round().to(torch.uint8)

    network = nets.compiled(options, network)

    def work():
        result.copy_(network(photo.to("cuda", non_blocking=True)), non_blocking=True)

    return work


def on_cpu(options, model):
    if options.photo:
        import numpy

        photo = torch.from_numpy(numpy.load(options.photo))
    else:
        photo = torch.rand(options.batch, 3, options.height, options.width).mul(255)
    photo = photo.contiguous(memory_format=nets.memory_format(options))
    if options.jit:
        model = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(model, photo[:, :, :64, :64])))
    model = nets.compiled(options, model)
    return lambda: model(photo)


def save(path, result):
    import numpy

    numpy.save(path, result.float().contiguous().numpy())


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    nets.add_common_options(parser)
    parser.add_argument("--height", type=int, default=512, help="pixels, a multiple of 4")
    parser.add_argument("--width", type=int, default=512, help="pixels, a multiple of 4")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--weights", help="safetensors file of import_weights; default: random weights")
    parser.add_argument("--photo", help="the picture: float32 NCHW (.npy), CPU; default: noise")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--warmup", type=int, default=0, help="after the first pass")
    parser.add_argument("--jit", action="store_true", help="torch.jit.trace, freeze and optimize_for_inference; CPU")
    options = parser.parse_args()
    nets.prepare(parser, options)
    if options.height % 4 or options.width % 4:
        parser.error(f"size {options.height}x{options.width}: both must be multiples of 4")

    loaded = peer_program.resident_mib()
    model = nets.load_transform_net(options.weights) if options.weights else nets.transform_net()
    model = model.eval().to(options.device, memory_format=nets.memory_format(options))
    more = {"loaded_rss_mib": loaded}
    # Compiled code is kept from inference mode, which not every version of the compiler knows.
    with torch.no_grad() if options.compile else torch.inference_mode(), nets.autocast(options):
        work = (on_gpu if options.device == "cuda" else on_cpu)(options, model)
        first = work()
        if options.output and options.device == "cpu":
            save(options.output, first)
        del first
        if options.on_request:
            seconds = peer_program.measure_each(options, lambda: peer_program.seconds_of(work), 0)
        else:
            seconds = nets.measure(options, work, options.warmup, options.repetitions)
        if options.device == "cuda":
            more["device_median_s"] = peer_program.median(nets.device_seconds(work, options.repetitions))
    nets.print_result(options, seconds, program="pytorch_stylize", **more)


if __name__ == "__main__":
    main()
