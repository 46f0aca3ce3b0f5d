#!/usr/bin/env python3
"""Draws and tabulates what depth_experiment.py measured.

    /usr/bin/python3 benchmarks/plot_depth_experiment.py benchmarks/results/depth

Reads experiment.json in that folder, writes tradeoff.png and tables.md beside it. Needs Debian's python3-matplotlib.
Depth error is AbsRel between the depth network's maps of photo and stylized picture, style distance is
evaluate_engine's (1 = the photo's own, 0 = reached). Ratios are of means over the pictures; their 95 % intervals come
from 2,000 bootstrap samples of the pictures.
"""
import json
import pathlib
import random
import sys
from statistics import mean

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

JUDGES = {"same": "judged by the network of the loss", "other": "judged by another network"}
SETS = {"coco": "MS-COCO val2017", "nyu": "NYU Depth v2, validation frames"}
METRICS = (("depth_abs_rel", "AbsRel"), ("depth_rmse", "RMSE, m"), ("depth_log10", "log10"), ("depth_delta1", "δ < 1.25"),
           ("depth_ssim", "SSIM"), ("depth_spearman", "Spearman"), ("style", "style"), ("content", "content"))
GOAL_DEPTH, GOAL_STYLE = 0.70, 1.10  # at most this part of plain Johnson's depth error, at most this much style distance


def values(evaluation, model, metric):
    """The metric of one model for every picture, in order."""
    return evaluation["values"][model][metric]


def ratio(model, plain, metric, evaluation):
    """Ratio of means, and its bootstrap interval."""
    a, b = values(evaluation, model, metric), values(evaluation, plain, metric)
    draw, samples = random.Random(1), []
    for _ in range(2000):
        chosen = draw.choices(range(len(a)), k=len(a))
        samples.append(sum(a[i] for i in chosen) / sum(b[i] for i in chosen))
    samples.sort()
    return sum(a) / sum(b), samples[50], samples[-51]


def curve(experiment):
    return [f"{factor:g}" for factor in experiment["factors"]]


def draw(experiment, path):
    styles = experiment["styles"]
    figure, axes = plt.subplots(len(SETS), len(JUDGES), figsize=(10, 8), sharex=True, sharey=True)
    for row, (photos, title) in zip(axes, SETS.items()):
        for axis, (judge, judged) in zip(row, JUDGES.items()):
            axis.fill_between([0, GOAL_STYLE], 0, GOAL_DEPTH, color="tab:green", alpha=0.1, lw=0)
            axis.annotate("no depth term", (1, 1), fontsize=7, xytext=(4, 5), textcoords="offset points")
            for i, style in enumerate(styles):
                evaluation = style["evaluations"][f"{judge}/{photos}"]
                near = style["evaluations"][f"same/{photos}"]  # style distances do not depend on the judge
                points = [(ratio(f, "0", "style", near), ratio(f, "0", "depth_abs_rel", evaluation))
                          for f in curve(experiment)]
                x, y = [p[0][0] for p in points], [p[1][0] for p in points]
                spread = [[p[1][0] - p[1][1] for p in points], [p[1][2] - p[1][0] for p in points]]
                axis.errorbar(x, y, yerr=spread, marker="o", ms=4, lw=1.2, capsize=2, color=f"C{i}",
                              label=pathlib.Path(style["style"]).stem)
                for factor, px, py in zip(curve(experiment)[1:], x[1:], y[1:]):
                    axis.annotate(f"×{factor}", (px, py), fontsize=7, color=f"C{i}", ha="right" if i else "left",
                                  xytext=(-4 if i else 4, -9 if i else 4), textcoords="offset points")
            axis.set_title(f"{title}\n{judged}", fontsize=9)
            axis.grid(alpha=0.25)
    for axis in axes[-1]:
        axis.set_xlabel("style distance, plain = 1")
    for row in axes:
        row[0].set_ylabel("depth error (AbsRel), plain = 1")
    axes[0][0].set_ylim(bottom=0)
    axes[0][0].set_xlim(left=0.7)
    axes[0][0].legend(fontsize=8, loc="lower right", title="green: the claim", title_fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def text_of(value, interval):
    return f"{value:.2f} ({interval[0]:.2f}–{interval[1]:.2f})"


def tables(experiment):
    yield "# Does the depth loss keep depth?\n"
    settings = experiment["settings"]
    yield (f"Every row is a network trained for {settings['iterations']:,} iterations at {settings['size']}x{settings['size']}, "
           f"batch {settings['batch']}, the same seed, photographs and weights but for the depth term's, then measured on "
           f"photographs that no run has seen, {settings['evaluate_size']} pixels on the long side. Depth weight 1 is where "
           f"the depth term has {experiment['shares']['depth']:.0%} of the gradient after a short trial "
           "(`loss.balance = \"gradient\"`), 0 is plain Johnson. Numbers are means over the pictures; ratios are to plain "
           "Johnson, with bootstrap 95 % intervals.\n")
    yield "![depth error against style distance](tradeoff.png)\n"
    for style in experiment["styles"]:
        for judge, judged in JUDGES.items():
            for photos, title in SETS.items():
                evaluation, near = (style["evaluations"][f"{j}/{photos}"] for j in (judge, "same"))
                yield f"## {style['style']}, {title}, {judged}\n"
                yield "| depth term | " + " | ".join(name for _, name in METRICS) + " | depth error, ratio | style, ratio |"
                yield "|---" * (len(METRICS) + 3) + "|"
                for model in style["weights"]:
                    means = [mean(values(evaluation if m.startswith("depth") else near, model, m)) for m, _ in METRICS]
                    name = f"×{model}, weight {style['weights'][model]['depth']:.3g}" if model in curve(experiment) \
                        else f"{model}, weight {style['weights'][model]['depth']:.3g}"
                    depth, style_ratio = ratio(model, "0", "depth_abs_rel", evaluation), ratio(model, "0", "style", near)
                    yield (f"| {name} | " + " | ".join(f"{v:.3f}" for v in means) +
                           f" | {text_of(depth[0], depth[1:])} | {text_of(style_ratio[0], style_ratio[1:])} |")
                yield ""
    yield "Layers: " + "; ".join(f"*{name}* {', '.join(layers)}" for name, layers in experiment["layers"].items()) + \
        f". Rows with a factor have the layers *{experiment['curve']}*.\n"


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    folder = pathlib.Path(sys.argv[1])
    experiment = json.loads((folder / "experiment.json").read_text())
    draw(experiment, folder / "tradeoff.png")
    (folder / "tables.md").write_text("\n".join(tables(experiment)) + "\n")


if __name__ == "__main__":
    main()
