#!/usr/bin/env python3
"""How soon does the base network learn a new style? Three trainings of each style, judged on photographs that none has seen.

    python3 benchmarks/new_style_experiment.py --data DATA --iterations 300 --out benchmarks/results/new_style

DATA as for recipe_experiment.py. For each style: from the base that comes with chiaro for N iterations ("base"), the same
ten times as long ("base, 10x"), and from random values for N iterations ("random"). All by apps/quickstart.toml's recipe and a
cosine schedule, with the weights that loss.balance finds for the first. VGG-19 judges, whatever the losses looked through.
objective: the mean of the weighted sum of all terms over the last iterations, on photographs that the run meets for the
first time where N is less than there are. Runs that are there are kept. Writes new_style.json, new_style.md, loss.svg (the
objective against seconds), and a sheet of pictures for each style.
"""
import argparse
import itertools
import json
import pathlib
import statistics
import sys
import tomllib

from recipe_experiment import TRAINING_PHOTOS, call, nyu_training_photos

TERMS = ("style", "content", "depth", "tv", "range")


def train(args, run, iterations, overrides):
    if not (run / "model.h5").exists():
        texts = [*overrides, f"train.iterations={iterations}", "train.preview_every=0", f"train.out={run}"]
        call([args.bin / "train_engine", "apps/quickstart.toml", *(word for text in texts for word in ("--set", text))])
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    # As on an idle machine: what the fastest quarter of the iterations takes. Without the trial and reading networks.
    each = sorted(args.batch / line["images_per_s"] for line in lines)[len(lines) // 8]
    return each, [line["total"] for line in lines]


def last_mean(values, share=0.1):
    count = max(1, round(share * len(values)))
    return statistics.fmean(values[-count:])


def smooth(values, width):
    sums = list(itertools.accumulate(values, initial=0.0))
    return [(sums[i + 1] - sums[max(0, i + 1 - width)]) / min(i + 1, width) for i in range(len(values))]


def plot(styles, path):
    """The objective, averaged over 30 iterations, against seconds, both axes logarithmic; a panel for each style."""
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot
    figure, panels = pyplot.subplots(1, len(styles), figsize=(5 * len(styles), 3.6), squeeze=False)
    for panel, (name, curves) in zip(panels[0], styles.items()):
        for key, (seconds, totals) in curves.items():
            panel.loglog(seconds[5:], smooth(totals, 30)[5:], label=key, linewidth=1)
        panel.set(title=name, xlabel="seconds", ylabel="objective")
        panel.legend(frameon=False)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def run_style(args, work, photos, name):
    style = args.data / "styles" / name
    common = ["optimizer.schedule=cosine", "optimizer.warmup=20", "data.train=[" + ", ".join(f'"{folder}"' for folder in photos) + "]", f"style.image={style.resolve()}",
              f"weights.vgg19={args.vgg19}", f"data.batch_size={args.batch}"]
    folder = work / style.stem
    first = folder / "trial"
    if not (first / "config.toml").exists():
        train(args, first, 1, common)
    with open(first / "config.toml", "rb") as file:
        loss = tomllib.load(file)["loss"]
    fixed = [*common, "loss.balance=weights", *(f"loss.{term}.weight={loss[term]['weight']!r}" for term in TERMS)]
    runs = {"base": (args.iterations, []), "base, 10x": (10 * args.iterations, []),
            "random": (args.iterations, ["model.init=random"])}
    curves = {}
    for key, (iterations, more) in runs.items():
        curves[key] = train(args, folder / key.replace(", ", "_"), iterations, [*fixed, *more])
    each = min(time for time, _ in curves.values())  # an iteration is the same work in all runs
    curves = {key: ([each * (i + 1) for i in range(len(totals))], totals) for key, (_, totals) in curves.items()}
    out = folder / "evaluation"
    models = [word for key in runs for word in ("--model", f"{key}={folder / key.replace(', ', '_') / 'model.h5'}")]
    call([args.bin / "evaluate_engine", args.data / "photos/content", args.data / "photos/coco_eval", *models, "--style", style,
          "--style-size", 384, "--vgg19", args.judge, "--size", 512, "--sheet", 6, "-o", out])
    means = {mean["name"]: mean for mean in json.loads((out / "evaluation.json").read_text())["means"]}
    (args.out / f"{style.stem}.jpg").write_bytes((out / "sheet.jpg").read_bytes())
    return curves, [{"painting": style.stem, "run": key, "iterations": runs[key][0], "seconds": round(curves[key][0][-1], 1),
             "objective": last_mean(curves[key][1]),
             **{value: means[key][value] for value in ("style", "content", "white_percent", "black_percent")}} for key in runs]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--judge", type=pathlib.Path, required=True, help="VGG-19")
    parser.add_argument("--vgg19", default="compact", help="what the losses look through")
    parser.add_argument("--styles", nargs="+", default=["candy.jpg", "mosaic.jpg"], help="files in DATA/styles")
    parser.add_argument("--iterations", type=int, default=360)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--bin", type=pathlib.Path, default=pathlib.Path("build/cpu/apps"))
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path("build/new_style_experiment"))
    parser.add_argument("--out", type=pathlib.Path, required=True)
    args = parser.parse_args()
    work = args.work.resolve()
    photos = [*((args.data / "photos" / name).resolve() for name in TRAINING_PHOTOS), nyu_training_photos(args, work)]
    args.out.mkdir(parents=True, exist_ok=True)
    found = {name: run_style(args, work, photos, name) for name in args.styles}
    rows = [row for _, some in found.values() for row in some]
    plot({pathlib.Path(name).stem: curves for name, (curves, _) in found.items()}, args.out / "loss.svg")
    command = " ".join(["benchmarks/new_style_experiment.py", *sys.argv[1:]])
    (args.out / "new_style.json").write_text(json.dumps({"command": command, "rows": rows}, indent=1) + "\n")
    lines = [f"`{command}`. Style, content: distances as VGG-19 sees them, 1 = the photograph's and the style picture's;",
             "white, black: % of the pixels that are blown or blacked out beyond the photograph's own.", "",
             "| style | begins with | iterations | seconds | objective | style | content | white % | black % |", "|---" * 9 + "|"]
    lines += [f"| {row['painting']} | {row['run']} | {row['iterations']} | {row['seconds']:.0f} | {row['objective']:.4g} | {row['style']:.3f} | {row['content']:.3f} | "
              f"{row['white_percent']:.2f} | {row['black_percent']:.2f} |" for row in rows]
    (args.out / "new_style.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
