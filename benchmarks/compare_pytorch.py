#!/usr/bin/env python3
"""Runs chiaro's CPU benchmarks beside PyTorch in one go, alternating, and writes the result as JSON and Markdown.

    /usr/bin/python3 benchmarks/compare_pytorch.py --bin build/cpu/benchmarks --out benchmarks/results/cpu/compare

Needs Debian's python3-torch and libopenblas0-openmp (see pytorch_train_step.py for why). Every row is measured
`rounds` times in turn with its peers, so that a busy moment hits all of them; medians and ratios of medians are
reported. "tuned" PyTorch keeps freed memory (three MALLOC_ variables), which makes it faster than it comes.
"""
import argparse
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
TUNED = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "100000000000", "MALLOC_TOP_PAD_": "1000000000"}
FORMATS = ("channels_last", "nchw")


def run(command, environment=None):
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **(environment or {})})
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stderr}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def torch_command(script, options):
    return [sys.executable, str(HERE / script), *options]


def better_format(script, options):
    """PyTorch's faster memory format for this case, from one short run each."""
    times = {f: run(torch_command(script, [*options, "--format", f]), TUNED)["median_s"] for f in FORMATS}
    return min(times, key=times.get), times


def measure(candidates, rounds):
    """candidates: name -> (command, environment). Returns name -> summary over the rounds."""
    results = {name: [] for name in candidates}
    for _ in range(rounds):
        for name, (command, environment) in candidates.items():
            results[name].append(run(command, environment))
    return {name: {"median_s": statistics.median(r["median_s"] for r in rows),
                   "rounds_s": [r["median_s"] for r in rows],
                   "peak_rss_mib": statistics.median(r["peak_rss_mib"] for r in rows)}
            for name, rows in results.items()}


def compare(title, chiaro, script, options, rounds):
    memory_format, tried = better_format(script, options)
    print(f"{title}: PyTorch in {memory_format} ({', '.join(f'{k} {v:.2f} s' for k, v in tried.items())})", flush=True)
    command = torch_command(script, [*options, "--format", memory_format])
    row = measure({"chiaro": (chiaro, None), "pytorch": (command, None), "pytorch_tuned": (command, TUNED)}, rounds)
    row.update(title=title, format=memory_format)
    row["ratio"] = row["pytorch"]["median_s"] / row["chiaro"]["median_s"]
    row["ratio_tuned"] = row["pytorch_tuned"]["median_s"] / row["chiaro"]["median_s"]
    row["memory_ratio"] = row["chiaro"]["peak_rss_mib"] / row["pytorch"]["peak_rss_mib"]
    print(f"  {row['chiaro']['median_s']:.3f} s; PyTorch {row['ratio']:.2f}x as it comes, "
          f"{row['ratio_tuned']:.2f}x tuned; memory {row['memory_ratio']:.2f}", flush=True)
    return row


def markdown(report):
    lines = [f"Measured by `{report['command']}` on {report['cpu']}, {report['threads']} threads, "
             f"PyTorch {report['pytorch']}, commit {report['commit']}.", "",
             "| | chiaro | PyTorch | PyTorch, tuned allocator | speed-up | over tuned | memory: chiaro / PyTorch |",
             "|---|---|---|---|---|---|---|"]
    for r in report["rows"]:
        lines.append(f"| {r['title']} | {r['chiaro']['median_s']:.3f} s | {r['pytorch']['median_s']:.3f} s | "
                     f"{r['pytorch_tuned']['median_s']:.3f} s | {r['ratio']:.2f}x | {r['ratio_tuned']:.2f}x | "
                     f"{r['chiaro']['peak_rss_mib']:.0f} / {r['pytorch']['peak_rss_mib']:.0f} MiB |")
    return "\n".join(lines) + "\n"


def cpu_name():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", default="build/cpu/benchmarks", help="folder of train_bench and stylize_bench")
    parser.add_argument("--out", default="benchmarks/results/cpu/compare", help="result files without their extension")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--sizes", type=int, nargs="*", default=[512, 1024, 2048])
    parser.add_argument("--only", choices=("train", "stylize"))
    options = parser.parse_args()
    threads, steps = ["--threads", str(options.threads)], str(options.steps)

    rows = []
    for precision in ("fp32", "bf16"):
        common = ["--precision", precision, *threads]
        if options.only != "stylize":
            chiaro = [f"{options.bin}/train_bench", *common, "--steps", steps]
            rows.append(compare(f"training step, 256x256, batch 4, {precision}", chiaro, "pytorch_train_step.py",
                                [*common, "--steps", steps], options.rounds))
        for size in options.sizes if options.only != "train" else []:
            extent = ["--height", str(size), "--width", str(size), "--repetitions", steps]
            chiaro = [f"{options.bin}/stylize_bench", *common, *extent]
            rows.append(compare(f"stylise {size}x{size}, {precision}", chiaro, "pytorch_stylize.py",
                                [*common, *extent], options.rounds))

    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=HERE)
    import torch
    report = {"command": "/usr/bin/python3 benchmarks/compare_pytorch.py", "cpu": cpu_name(),
              "threads": options.threads, "pytorch": torch.__version__, "commit": commit.stdout.strip(), "rows": rows}
    out = pathlib.Path(options.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.with_suffix(".json").write_text(json.dumps(report, indent=2) + "\n")
    out.with_suffix(".md").write_text(markdown(report))
    print(markdown(report))


if __name__ == "__main__":
    main()
