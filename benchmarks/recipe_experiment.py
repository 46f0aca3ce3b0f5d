#!/usr/bin/env python3
"""What makes a good picture in little time? Trains one style by many recipes, each for the same time, and judges them.

    python3 benchmarks/recipe_experiment.py --data DATA --vgg19 vgg19.h5 --minutes 15 --out benchmarks/results/recipe

DATA has photos/ (bsds500, bsds_more, coco_train, imagenet, urban to train on; content, coco_eval to judge by),
nyu_depth_v2 (rgb/, train.txt) and styles/. Every recipe is the first one with some keys changed (RECIPES). All are judged
by VGG-19 on photographs that no run has seen, at --size pixels. Runs that are there are kept, so the script can be started
again. First measures how long an iteration of each recipe takes, which wants an idle machine; a recipe then gets as many
iterations as fit into its minutes, however busy the machine is meanwhile. Writes recipe.json, recipe.md and sheet.jpg: the
photographs in a column, a column of results for each recipe.
"""
import argparse
import json
import pathlib
import re
import statistics
import subprocess
import sys
import tomllib

TRAINING_PHOTOS = ("bsds500", "bsds_more", "coco_train", "imagenet", "urban")
CONFIG = """
seed = 1
[model]
init = "random"
[data]
train = [{photos}]
image_size = 256
batch_size = 4
[style]
image = "{style}"
size = 384
[weights]
vgg19 = "{vgg19}"
[loss]
balance = "weights"
[loss.content]
layers = ["relu3_3"]
share = 0.3
[loss.style]
share = 0.6
[loss.depth]
share = 0.1
[loss.tv]
share = 0.02
[train]
checkpoint_every = 0
preview_every = 0
gradient_norms_every = 0
"""
# Name: what it changes.
RECIPES = {
    "first": [],
    "tanh output": ["model.output=tanh150", "loss.range.weight=0"],
    "tanh, warm-up, averaged": ["model.output=tanh150", "loss.range.weight=0", "optimizer.warmup=50", "optimizer.average=0.99"],
    "no range term": ["loss.range.weight=0"],
    "content relu2_2": ["loss.content.layers=[\"relu2_2\"]"],
    "content relu4_2": ["loss.content.layers=[\"relu4_2\"]"],
    "style to relu4_1": ["loss.style.layers=[\"relu1_1\",\"relu2_1\",\"relu3_1\",\"relu4_1\"]"],
    "more style": ["loss.style.share=0.8", "loss.content.share=0.15", "loss.depth.share=0.05"],
    "style at 256": ["style.size=256"],
    "batch 1": ["data.batch_size=1"],
    "crops of 192": ["data.image_size=192"],
    "width 24": ["model.width=24"],
    "norms at 10 lr": ["optimizer.norm_lr=10"],
    "warm-up, cosine": ["optimizer.warmup=50", "optimizer.schedule=cosine"],
    "averaged": ["optimizer.average=0.99"],
    "warm-up, averaged": ["optimizer.warmup=50", "optimizer.average=0.99"],
    "warm-up, averaged, crops of 192": ["optimizer.warmup=50", "optimizer.average=0.99", "data.image_size=192"],
}
TERMS = ("style", "content", "depth", "tv", "range")
SPEED_ITERATIONS = 16


def call(command):
    print("+", " ".join(map(str, command)), flush=True)
    if subprocess.run(list(map(str, command))).returncode != 0:
        sys.exit(f"failed: {command[0]}")


def nyu_training_photos(args, work):
    nyu, folder = args.data / "nyu_depth_v2", work / "nyu_train"
    folder.mkdir(parents=True, exist_ok=True)
    for name in (nyu / "train.txt").read_text().split():
        link = folder / f"{name}.jpg"
        if not link.exists():
            link.symlink_to((nyu / "rgb" / link.name).resolve())
    return folder


def train(args, config, run, overrides):
    """Returns what each iteration logged."""
    if not (run / "model.h5").exists():
        words = [word for text in [*overrides, f"train.out={run}"] for word in ("--set", text)]
        call([args.bin / "train_engine", config, *words])
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def balanced_weights(args, config, work, changes):
    """The weights that loss.balance finds where a recipe changes layers or shares, else those of the first recipe."""
    changes = [text for text in changes if text.split("=")[0].endswith((".layers", ".share"))]
    folder = work / "balance" / (re.sub(r"[^a-z0-9]+", "_", "_".join(changes)) or "first")
    train(args, config, folder, [*changes, "loss.balance=gradient", "train.iterations=1"])
    with open(folder / "config.toml", "rb") as file:
        loss = tomllib.load(file)["loss"]
    return [f"loss.{term}.weight={loss[term]['weight']!r}" for term in TERMS]


def seconds_per_iteration(args, config, run, overrides):
    lines = train(args, config, run, [*overrides, f"train.iterations={SPEED_ITERATIONS}"])
    batch = next((int(text.split("=")[1]) for text in overrides if text.startswith("data.batch_size")), 4)
    return statistics.median(batch / line["images_per_s"] for line in lines[SPEED_ITERATIONS // 2:])


def judged(args, runs, work):
    out, held_out = work / "evaluation", work / "held_out"
    held_out.mkdir(exist_ok=True)
    for photo in sorted((args.data / "photos/coco_eval").iterdir())[:args.held_out]:
        if not (held_out / photo.name).exists():
            (held_out / photo.name).symlink_to(photo.resolve())
    models = [word for name, run in runs.items() for word in ("--model", f"{name}={run / 'model.h5'}")]
    call([args.bin / "evaluate_engine", args.data / "photos/content", held_out, *models, "--style", args.data / "styles" / args.style, "--style-size", 384,
          "--vgg19", args.vgg19, "--size", args.size, "--sheet", 6, "-o", out])
    return out


def table(rows, minutes, command):
    text = [f"`{command}`: {minutes:g} minutes a recipe, of two idle cores. Style, content: distances, 1 = the photograph's and the style",
            "picture's. White, black: % of the pixels that are blown out or blacked out beyond the photograph's own.", "",
            "| recipe | changes | iterations | style | content | white % | black % |", "|---|---|---|---|---|---|---|"]
    for row in rows:
        text.append(f"| {row['name']} | {', '.join(f'`{o}`' for o in row['changes'])} | {row['iterations']} | "
                    f"{row['style']:.3f} | {row['content']:.3f} | {row['white_percent']:.2f} | {row['black_percent']:.2f} |")
    return "\n".join(text) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--vgg19", type=pathlib.Path, required=True, help="judges")
    parser.add_argument("--losses", default="compact", help="VGG-19 that the losses look through")
    parser.add_argument("--style", default="starry_night.jpg", help="a file in DATA/styles")
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--recipes", nargs="+", choices=RECIPES, default=list(RECIPES), metavar="NAME")
    parser.add_argument("--held-out", type=int, default=18, help="photographs of coco_eval to judge by, beside content's six")
    parser.add_argument("--size", type=int, default=512, help="at which is judged, pixels")
    parser.add_argument("--bin", type=pathlib.Path, default=pathlib.Path("build/cpu/apps"))
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path("build/recipe_experiment"))
    parser.add_argument("--out", type=pathlib.Path, required=True)
    args = parser.parse_args()
    work = args.work.resolve()
    nyu = nyu_training_photos(args, work)
    photos = [*((args.data / "photos" / name).resolve() for name in TRAINING_PHOTOS), nyu]
    config = work / "first.toml"
    config.write_text(CONFIG.format(photos=", ".join(f'"{folder}"' for folder in photos), vgg19=args.losses,
                                    style=(args.data / "styles" / args.style).resolve()))
    folders = {name: name.replace(" ", "_").replace(",", "") for name in args.recipes}
    keys = {name: [*balanced_weights(args, config, work, RECIPES[name]), *RECIPES[name]] for name in args.recipes}
    seconds = {name: seconds_per_iteration(args, config, work / "speed" / folders[name], keys[name]) for name in args.recipes}
    iterations = {name: round(60 * args.minutes / seconds[name]) for name in args.recipes}
    runs = {name: work / folders[name] for name in args.recipes}
    for name in args.recipes:
        train(args, config, runs[name], [*keys[name], f"train.iterations={iterations[name]}"])
    out = judged(args, runs, work)
    means = {mean["name"]: mean for mean in json.loads((out / "evaluation.json").read_text())["means"]}
    rows = [{"name": name, "changes": RECIPES[name], "iterations": iterations[name],
             **{key: means[name][key] for key in ("style", "content", "white_percent", "black_percent", "gray_ssim")}}
            for name in args.recipes]
    command = " ".join(["benchmarks/recipe_experiment.py", *sys.argv[1:]])
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "recipe.json").write_text(json.dumps({"command": command, "minutes": args.minutes, "rows": rows}, indent=1) + "\n")
    (args.out / "recipe.md").write_text(table(rows, args.minutes, command))
    (args.out / "sheet.jpg").write_bytes((out / "sheet.jpg").read_bytes())


if __name__ == "__main__":
    main()
