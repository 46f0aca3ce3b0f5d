#!/usr/bin/env python3
"""Training steps and stylizing on the CPU beside PyTorch, ONNX Runtime and OpenVINO, in turns; writes JSON and Markdown.

    benchmarks/peers/setup.sh                               # once: the peers, outside the tree
    PEERS/bin/python benchmarks/compare_peers.py            # PEERS: what setup.sh names at its end

    # limited to AVX2, on a machine that has more
    cmake --preset cpu -B build/avx2 -DCHIARO_MARCH=x86-64-v3
    cmake --build build/avx2 --target train_bench stylize_bench import_weights
    PEERS/bin/python benchmarks/compare_peers.py --isa avx2 --build build/avx2

A row is one piece of work at one precision. All candidates of a row are started and warmed up, their results for the
same picture are compared, then they work in turn, `rounds` times, while the others wait. Reported are medians, memory at
its highest, and the fastest peer. The smallest stylizing is measured once more beside a process that keeps a core busy.
bf16 is measured where the CPU computes it. A peer that is missing or cannot do a row is left out of it, with the reason.
Wants an idle machine and, for 2048x2048, 16 GiB.
"""
import argparse
import json
import os
import pathlib
import sys
import tempfile

try:
    import numpy as np
except ImportError:
    sys.exit("compare_peers: no NumPy here; run benchmarks/peers/setup.sh, then this with the Python that it names")

import draw_photos
import machine
from peers import agreement, candidates, limits, race, report

BUSY_TURNS = 2  # times the rounds: they vary more


def say(text):
    print(text, flush=True)


def draw(folder, size):
    """The picture of a size as PNG for chiaro, as floats for its peers."""
    picture = draw_photos.picture(7, size)
    draw_photos.write_png(folder / f"{size}.png", picture)
    np.save(folder / f"{size}.npy", picture.transpose(2, 0, 1)[None].astype(np.float32))


def differences_of(row, folder, size, precision):
    """{name: difference from the first float result in fp32}. A peer whose result is not that of the network is left
    out of the row; chiaro ends the run."""
    reference_file = folder / f"reference_{size}.npy"
    paths = {name: folder / f"{name}.{'raw' if name == 'chiaro' else 'npy'}" for name in row.runners}
    if not reference_file.exists():
        peers = [name for name in paths if name != "chiaro"]
        if not peers:
            return {}
        np.save(reference_file, agreement.load(paths[peers[0]], size)[0])
    reference = np.load(reference_file)
    found = {}
    for name, path in paths.items():
        largest, mean, agrees = agreement.compare(*agreement.load(path, size), reference, precision)
        found[name] = {"largest": largest, "mean": mean}
        if not agrees:
            reason = f"its picture differs by up to {largest:.3f}, on average {mean:.4f}, of 255"
            if name == "chiaro":
                sys.exit(f"compare_peers: chiaro at {size}x{size} in {precision}: {reason}")
            row.leave_out(name, reason)
    say("  differences of up to " + ", ".join(f"{name} {value['largest']:.4f}" for name, value in found.items()))
    return found


def stylize_row(field, folder, size, precision, rounds, busy):
    """One or two rows, the second beside a busy process."""
    draw(folder, size)

    def options_of(candidate):
        kinds = ("png", "raw") if candidate.is_chiaro else ("npy", "npy")
        return ["--photo", folder / f"{size}.{kinds[0]}", "--output", folder / f"{candidate.name}.{kinds[1]}"]

    title = f"stylize {size}x{size}"
    say(f"{title}, {precision}")
    with race.Race(field.stylizers(precision), options_of, folder, say) as row:
        differences = differences_of(row, folder, size, precision)
        seconds = row.rounds(rounds)
        beside = {}
        if busy:
            with race.busy_process():
                beside = row.rounds(BUSY_TURNS * rounds)
        results = row.finish()
    rows = [report.row(title, precision, seconds, results, row.left_out, differences=differences)]
    if beside:
        rows.append(report.row(f"{title}, beside one busy process", precision, beside, results, row.left_out, idle=rows[0]))
    return rows


def train_row(field, folder, precision, rounds, size, batch):
    title = f"training step, {size}x{size}, batch {batch}"
    say(f"{title}, {precision}")

    def options_of(candidate):
        return ["--size", size, "--batch", batch]

    with race.Race(field.trainers(precision), options_of, folder, say) as row:
        losses = {name: runner.facts["losses"][0] for name, runner in row.runners.items() if "losses" in runner.facts}
        if losses and max(losses.values()) > (1 + agreement.LOSS[precision]) * min(losses.values()):
            sys.exit(f"compare_peers: the losses of the first step disagree in {precision}: {losses}")
        seconds = row.rounds(rounds)
        results = row.finish()
    return [report.row(title, precision, seconds, results, row.left_out, first_losses=losses)]


def examine(field):
    """{engine: what it runs on and whether the limit holds} before the rows, {engine: error} for those that cannot run."""
    found = {}
    for candidate in field.trainers("fp32") + field.stylizers("fp32"):
        name = candidate.engine
        if name in found:
            continue
        look = {"chiaro": limits.examine_chiaro, "PyTorch": limits.examine_pytorch, "OpenVINO": limits.examine_openvino,
                "ONNX Runtime": limits.examine_onnxruntime}[name]
        found[name] = look(candidate)
        say(f"{name}: {found[name].get('runs_on') or 'cannot run: ' + found[name]['error']}")
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build/cpu"), help="a build folder of chiaro")
    parser.add_argument("--isa", choices=("native", "avx2"), default="native", help="avx2: nobody uses more, as far as they can be told")
    parser.add_argument("--out", type=pathlib.Path, help="result files without extension; default benchmarks/results/cpu/peers_ISA")
    parser.add_argument("--model", type=pathlib.Path, default=candidates.BENCHMARKS.parent / "apps/models/base.h5")
    parser.add_argument("--style", default="starry_night", help="of the model; \"\" for a model of one style")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--sizes", type=int, nargs="*", default=[512, 1024, 2048], help="of stylizing; none: no stylizing")
    parser.add_argument("--train-size", type=int, default=256, help="0: no training")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--precisions", nargs="+", choices=("fp32", "bf16"), help="default: fp32, and bf16 where the CPU computes it")
    parser.add_argument("--only", nargs="+", choices=candidates.NAMES, metavar="NAME", default=candidates.NAMES,
                        help=f"some of: {', '.join(candidates.NAMES)}")
    options = parser.parse_args()
    widest, bf16 = machine.instruction_sets()
    precisions = options.precisions or (["fp32", "bf16"] if bf16 and options.isa == "native" else ["fp32"])
    out = options.out or candidates.BENCHMARKS / "results/cpu" / f"peers_{options.isa}"

    with tempfile.TemporaryDirectory(prefix="compare_peers_") as name:
        folder = pathlib.Path(name)
        network = candidates.export(options.build, options.model, options.style, folder)
        field = candidates.Field(options.build, options.isa, options.threads, network, tuple(options.only))
        engines = examine(field)
        field.names = tuple(name for name in field.names if "error" not in engines[name.split(",")[0]])
        if options.isa == "avx2" and not engines.get("chiaro", {}).get("holds", True):
            sys.exit(f"compare_peers: {options.build} is not limited to AVX2: {engines['chiaro'].get('verified_by')}; "
                     "build with -DCHIARO_MARCH=x86-64-v3")
        rows = []
        for precision in precisions:
            if options.train_size:
                rows += train_row(field, folder, precision, options.rounds, options.train_size, options.batch)
                report.print_row(rows[-1])
            for size in options.sizes:
                # A large picture takes long, and its time varies little.
                rounds = options.rounds if size < 2048 else max(1, options.rounds - 1)
                busy = size == min(options.sizes) and precision == precisions[0]
                for row in stylize_row(field, folder, size, precision, rounds, busy):
                    rows.append(row)
                    report.print_row(row)
        if any("compiled" in name for name in field.names):
            engines["PyTorch, compiled"] = limits.examine_compiled(field.environment()["TORCHINDUCTOR_CACHE_DIR"])
    if options.isa == "avx2" and widest == "AVX-512":
        report.leave_out_unlimited(rows, engines)
    report.write(out, rows, engines, command=" ".join(["benchmarks/compare_peers.py", *sys.argv[1:]]),
                 commit=machine.commit(candidates.BENCHMARKS), cpu=machine.cpu_name(), threads=options.threads,
                 cpu_has=widest, bf16=bf16, isa="AVX2" if options.isa == "avx2" else widest,
                 limited=options.isa == "avx2" and widest == "AVX-512", versions=report.versions(engines))


if __name__ == "__main__":
    main()
