#!/usr/bin/env python3
"""What gpu_check.sh found, as results.json, results.md and kernels.md.

    gpu_report.py environment ROOT OUT     what runs where: OUT/environment.json
    gpu_report.py parity CPU.log GPU.log   first training step on both: exit status 1 where they differ
    gpu_report.py results OUT              the three files, from OUT/environment.json, parts.tsv, logs/ and kernels_*.json

Needs no package but PyTorch, for its versions, and runs without it too.
"""
import datetime
import json
import math
import pathlib
import platform
import re
import subprocess
import sys

import kernel_table
import machine

RECIPE = 20000   # iterations
PAST_L2 = 200e6  # bytes: four times the L2 of an H100
PARITY = 2e-3    # relative: fp32 sums in another order, through VGG-19 and a ResNet of 50 layers


def output_of(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=20).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return ""


def environment(root, out):
    facts = {"date": datetime.date.today().isoformat(), "cpu": machine.cpu_name(), "system": platform.platform()}
    query = output_of("nvidia-smi", "--query-gpu=name,driver_version,memory.total,clocks.max.sm", "--format=csv,noheader")
    facts["gpu"] = query.splitlines()[0] if query else "none: nvidia-smi finds no GPU"
    nvcc = re.search(r"release ([\d.]+)", output_of("nvcc", "--version"))
    facts["nvcc"] = nvcc.group(1) if nvcc else "none"
    version = pathlib.Path(root, "VERSION")
    facts["commit"] = (version.read_text().strip() if version.exists() else
                       output_of("git", "-C", root, "describe", "--always", "--dirty"))
    try:
        import torch
        facts["pytorch"] = {"version": torch.__version__, "cuda": torch.version.cuda,
                            "cudnn": torch.backends.cudnn.version()}
    except ImportError:
        facts["pytorch"] = None
    pathlib.Path(out, "environment.json").write_text(json.dumps(facts, indent=1) + "\n")


def last_json(log):
    """The last line of a log that is a JSON object; None where there is none."""
    if log.exists():
        for line in reversed(log.read_text(errors="replace").splitlines()):
            if line.startswith("{"):
                return json.loads(line)
    return None


def parity(cpu_log, gpu_log):
    both = [last_json(pathlib.Path(log)) for log in (cpu_log, gpu_log)]
    if None in both:
        sys.exit("one of the two has no result")
    cpu, gpu = ({**r["first_step"]["loss"], "gradient norm": r["first_step"]["gradient_norm"]} for r in both)
    worst = 0
    for name in cpu:
        difference = abs(gpu[name] - cpu[name]) / max(abs(cpu[name]), 1e-30)
        worst = max(worst, difference) if math.isfinite(difference) else math.inf
        print(f"{name}: CPU {cpu[name]:.8g}, GPU {gpu[name]:.8g}, relative difference {difference:.1e}")
    print(json.dumps({"largest_relative_difference": worst if math.isfinite(worst) else None}))
    if not worst <= PARITY:
        sys.exit(f"differ by {worst:.1e}, more than {PARITY:.0e}")


def read_parts(out):
    parts = {}
    for line in pathlib.Path(out, "parts.tsv").read_text().splitlines():
        name, verdict, seconds = line.split("\t")
        parts[name] = {"verdict": verdict, "seconds": float(seconds)}
        result = last_json(pathlib.Path(out, "logs", name + ".log"))
        if result and verdict == "passed":
            parts[name]["result"] = result
    return parts


def training_summary(out, parts):
    metrics = pathlib.Path(out, "training_metrics.jsonl")
    if not metrics.exists() or "training" not in parts:
        return None
    rows = [json.loads(line) for line in metrics.read_text().splitlines() if line.startswith("{")]
    rows = [row for row in rows if "raw" in row]
    if not rows:
        return None
    return {"iterations": rows[-1]["iteration"], "wall_s": parts["training"]["seconds"],
            "first_losses": rows[0]["weighted"], "last_losses": rows[-1]["weighted"]}


class Table:
    """Results of parts by name, where they passed."""

    def __init__(self, parts):
        self.parts = parts

    def result(self, name):
        return self.parts.get(name, {}).get("result")

    def value(self, name, key):
        result = self.result(name)
        return result.get(key) if result else None


def text(value, form="{:.1f}", missing=""):
    return missing if value is None else form.format(value)


def ratio(a, b):
    return a / b if a and b else None


def train_table(table):
    lines = ["| | precision | ms per iteration | iterations/s | MiB in use on the GPU | chiaro is faster by |",
             "|---|---|---|---|---|---|"]
    for suffix, title in (("", "style, content, TV"), ("_depth", "with depth")):
        for who in ("chiaro", "eager", "compile"):
            for precision in ("bf16", "tf32", "fp32"):
                name = f"train_{who}_{precision}{suffix}"
                if name not in table.parts:
                    continue
                seconds, ours = table.value(name, "median_s"), table.value(f"train_chiaro_{precision}{suffix}", "median_s")
                label = {"chiaro": "chiaro", "eager": "PyTorch", "compile": "torch.compile"}[who]
                lines.append(f"| {title}: {label} | {precision} | {text(seconds and 1e3 * seconds, '{:.2f}', '-')} | "
                             f"{text(ratio(1, seconds))} | {text(table.value(name, 'gpu_memory_in_use_mib'), '{:.0f}')} | "
                             f"{'' if who == 'chiaro' else text(ratio(seconds, ours), '{:.2f}x')} |")
    return "\n".join(lines)


def stylize_table(table):
    lines = ["| height x width | | ms on the clock | ms on the GPU | MiB in use on the GPU | chiaro is faster by |",
             "|---|---|---|---|---|---|"]
    for name in table.parts:
        found = re.fullmatch(r"stylize_(chiaro|eager|compile)_bf16_(\d+x\d+)", name)
        if not found:
            continue
        who, size = found.groups()
        seconds, ours = table.value(name, "median_s"), table.value(f"stylize_chiaro_bf16_{size}", "median_s")
        device = table.value(name, "device_median_s")
        label = {"chiaro": "chiaro", "eager": "PyTorch", "compile": "torch.compile"}[who]
        lines.append(f"| {size} | {label}, bf16 | {text(seconds and 1e3 * seconds, '{:.2f}', '-')} | "
                     f"{text(device and 1e3 * device, '{:.2f}')} | "
                     f"{text(table.value(name, 'gpu_memory_in_use_mib'), '{:.0f}')} | "
                     f"{'' if who == 'chiaro' else text(ratio(seconds, ours), '{:.2f}x')} |")
    return "\n".join(lines)


def goals(table, training, kernels):
    """[(goal, measured, met or None)]; None: not measured."""
    found = []

    def at_most(goal, value, limit, form):
        found.append((goal, text(value, form, "not measured"), None if value is None else value <= limit))

    def at_least(goal, value, limit, form):
        found.append((goal, text(value, form, "not measured"), None if value is None else value >= limit))

    whole = training["wall_s"] if training and training["iterations"] == RECIPE else None
    at_most("20,000 iterations with depth, bf16: 120 s", whole, 120, "{:.0f} s, start and end included")
    for suffix, limit, title in (("_depth", 120, "with depth"), ("", 80, "without depth")):
        seconds = table.value(f"train_chiaro_bf16{suffix}", "median_s")
        peer = table.value(f"train_compile_bf16{suffix}", "median_s")
        memory = [table.value(f"train_{who}_bf16{suffix}", "gpu_memory_in_use_mib") for who in ("chiaro", "compile")]
        at_most(f"20,000 steps {title}, bf16: {limit} s", seconds and RECIPE * seconds, limit, "{:.0f} s")
        at_least(f"{title}: 1.5 x torch.compile", ratio(peer, seconds), 1.5, "{:.2f} x")
        at_most(f"{title}: half of torch.compile's memory", ratio(*memory), 0.5, "{:.2f} of it")
    for size, limit in (("1080x1920", 4), ("2160x3840", 16)):
        seconds = table.value(f"stylize_chiaro_bf16_{size}", "device_median_s")
        at_most(f"stylize {size}: {limit} ms on the GPU", seconds and 1e3 * seconds, limit, "{:.2f} ms")
    large = [row for row in kernels.get("kernels_past_l2", {}).get("rows", []) if "us" in row]
    moving = [row for row in large if "of_matrix" not in row and row["bytes"] >= PAST_L2]
    slow = [f"{row['op']} {row['precision']}" for row in moving if row["of_copy"] < 0.8]
    found.append(("ops that move 200 MB and more: 80 % of copy", f"{len(moving) - len(slow)} of {len(moving)} reach it" +
                  (f"; not {', '.join(sorted(set(slow)))}" if slow else "") if moving else "not measured",
                  not slow if moving else None))
    gram = [row["of_matrix"] for row in large if row["op"] == "gram forward" and row["precision"] == "bf16"
            and "256,256,64" in row["shape"]]
    at_least("Gram 64 x 65536 in bf16: 50 % of the product", 100 * gram[0] if gram else None, 50, "{:.0f} %")
    return found


def results(out):
    out = pathlib.Path(out)
    facts = json.loads((out / "environment.json").read_text()) if (out / "environment.json").exists() else {}
    parts = read_parts(out)
    training = training_summary(out, parts)
    kernels = {path.stem: json.loads(path.read_text()) for path in sorted(out.glob("kernels_*.json"))}
    table = Table(parts)
    reached = goals(table, training, kernels)
    report = {"environment": facts, "parts": parts, "training": training,
              "goals": [{"goal": g, "measured": m, "met": met} for g, m, met in reached]}
    (out / "results.json").write_text(json.dumps(report, indent=1) + "\n")

    pytorch = facts.get("pytorch") or {}
    text_parts = [
        "# On a GPU", "Measured by `benchmarks/gpu_check.sh`; what it does is said there. `results.json` has everything.",
        "\n".join(["| | |", "|---|---|"] + [f"| {name} | {value} |" for name, value in (
            ("GPU, driver, memory, largest clock", facts.get("gpu")),
            ("CPU", facts.get("cpu")), ("system", facts.get("system")),
            ("chiaro's view", (table.result("train_chiaro_bf16") or {}).get("device", "no training step ran")),
            ("PyTorch", ", ".join(f"{k} {v}" for k, v in pytorch.items()) or "none"),
            ("commit", facts.get("commit")), ("date", facts.get("date")))]),
        "## Goals", "\n".join(["| goal | measured | |", "|---|---|---|"] + [
            f"| {g} | {m} | {'' if met is None else 'met' if met else 'missed'} |" for g, m, met in reached]),
        "## Training step, batch 4, 256x256", train_table(table),
        "Memory is all that is in use on the GPU while the program runs, the driver's own share included.",
        "## Stylizing, bytes to bytes", stylize_table(table)]
    if training:
        text_parts += ["## A training", f"{training['iterations']} iterations of the poster's recipe with depth, bf16, in "
                       f"{training['wall_s']:.1f} s from start to end, on drawn pictures and loss networks with random "
                       "values: what it shows is its time."]
    text_parts += ["## Parts", "\n".join(["| part | verdict | s |", "|---|---|---|"] + [
        f"| {name} | {part['verdict'].replace('|', '/')} | {part['seconds']:.1f} |" for name, part in parts.items()])]
    (out / "results.md").write_text("\n\n".join(text_parts) + "\n")
    if kernels:
        pages = ["# Kernels"]
        for name, result in kernels.items():
            pages += [f"## {name}", *kernel_table.document(result, "###")]
        (out / "kernels.md").write_text("\n\n".join(pages) + "\n")
    print(f"\n{out}/results.md:")
    for goal, measured, met in reached:
        print(f"  {'      ' if met is None else 'met   ' if met else 'missed'}  {goal}: {measured}")


def main():
    commands = {"environment": (environment, 2), "parity": (parity, 2), "results": (results, 1)}
    name, arguments = (sys.argv[1], sys.argv[2:]) if len(sys.argv) > 1 else ("", [])
    if name not in commands or len(arguments) != commands[name][1]:
        sys.exit(__doc__)
    commands[name][0](*arguments)


if __name__ == "__main__":
    main()
