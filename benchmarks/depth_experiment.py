#!/usr/bin/env python3
"""Does the depth loss keep depth? Trains the same style network with growing depth weights and measures each.

    python3 benchmarks/depth_experiment.py --data DATA --depth D.h5 --judge J.h5 --vgg19 vgg19.h5 \\
        --out benchmarks/results/depth

DATA has photos/coco_train, photos/bsds500, photos/coco_eval, nyu_depth_v2 (rgb/, train.txt, val.txt) and styles/.
D.h5 trains (and judges), J.h5 only judges. Per style: style and content weights are worked out once, by
loss.balance = "gradient", and so is the depth weight w1 at which the depth term has its share of the gradient; then
one run per multiple of w1, everything else equal, and for the first style one run per set of feature layers, each with
that share. Every network is measured on photographs that no run has seen. Runs that are there are kept, runs that were
cut off go on, so the script can be started again. Writes experiment.json; plot_depth_experiment.py draws it.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tomllib

FACTORS = (0, 0.25, 1, 4, 16)
LAYERS = {
    "decoder": ["up_4x", "up_8x", "prediction"],
    "prediction": ["prediction"],
    "encoder": ["res3d", "res4f"],
}
CURVE = "decoder"  # the layers of the runs with different weights
SHARES = {"style": 0.6, "content": 0.25, "depth": 0.15}
DEPTH_METRICS = ("depth_abs_rel", "depth_rmse", "depth_log10", "depth_delta1", "depth_ssim", "depth_spearman")
CONFIG = """
seed = 1
[data]
train = [{photos}]
image_size = {size}
batch_size = {batch}
[style]
image = "{style}"
size = 512
[weights]
vgg19 = "{vgg19}"
resnet_upproj = "{depth}"
[loss.depth]
layers = [{layers}]
[train]
iterations = {iterations}
checkpoint_every = 200
preview_every = 0
gradient_norms_every = 100
"""


def call(command):
    print("+", " ".join(map(str, command)), flush=True)
    if subprocess.run(list(map(str, command))).returncode != 0:
        sys.exit(f"failed: {command[0]}")


def link_photos(folder, names, source):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        if not (folder / name).exists():
            (folder / name).symlink_to((source / name).resolve())
    return folder


def nyu_photos(args, work):
    """Folders of NYU's training and of some of its validation pictures."""
    nyu = args.data / "nyu_depth_v2"
    ids = {part: (nyu / f"{part}.txt").read_text().split() for part in ("train", "val")}
    every = max(1, len(ids["val"]) // args.nyu_photos)
    chosen = {"train": ids["train"], "val": ids["val"][::every][:args.nyu_photos]}
    return {part: link_photos(work / f"nyu_{part}", [f"{i}.jpg" for i in chosen[part]], nyu / "rgb") for part in ids}


# What was the default when the results were made.
AS_MEASURED = ("model.output=tanh150", "model.init=random", "loss.range.weight=0", "loss.range.share=0")


def write_config(args, path, style, layers, nyu_train):
    quoted = lambda names: ", ".join(f'"{n}"' for n in names)
    photos = [(args.data / "photos" / name).resolve() for name in ("coco_train", "bsds500")] + [nyu_train.resolve()]
    path.write_text(CONFIG.format(photos=quoted(photos), size=args.size, batch=args.batch, style=style.resolve(),
                                  vgg19=args.vgg19.resolve(), depth=args.depth.resolve(), layers=quoted(layers),
                                  iterations=args.iterations))
    return path


def resolved_weights(run):
    with open(run / "config.toml", "rb") as file:
        loss = tomllib.load(file)["loss"]
    return {term: loss[term]["weight"] for term in ("style", "content", "depth", "tv")}


def calibrate(args, config, run, depth=True):
    """Weights from shares of the gradient, by a run of one iteration."""
    if not (run / "model.h5").exists():
        overrides = [f"loss.{term}.share={share if depth or term != 'depth' else 0}" for term, share in SHARES.items()]
        overrides += ["loss.balance=gradient", "loss.tv.share=0.01", f"train.out={run}", "train.iterations=1",
                      *AS_MEASURED]
        call([args.bin / "train_engine", config, *(word for o in overrides for word in ("--set", o))])
    return resolved_weights(run)


def train(args, config, run, weights):
    if (run / "model.h5").exists():
        return
    if (run / "config.toml").exists():
        return call([args.bin / "train_engine", "--resume", run])
    overrides = [f"loss.{term}.weight={value!r}" for term, value in weights.items()] + [f"train.out={run}", *AS_MEASURED]
    call([args.bin / "train_engine", config, *(word for o in overrides for word in ("--set", o))])


def evaluate(args, runs, photos, judge, out, style=None):
    """Depth, and with a style picture the distances to style and content, of every run's pictures."""
    if not (out / "evaluation.json").exists():
        models = [word for name, run in runs.items() for word in ("--model", f"{name}={run / 'model.h5'}")]
        perceptual = ["--style", style, "--style-size", 512, "--vgg19", args.vgg19] if style else []
        call([args.bin / "evaluate_engine", photos, *models, "--depth", judge, *perceptual, "--precision", "auto",
              "--size", args.evaluate_size, "--sheet", 3, "-o", out])
    metrics = DEPTH_METRICS + (("style", "content") if style else ())
    pictures = json.loads((out / "evaluation.json").read_text())["pictures"]
    return {"photos": [pathlib.Path(p["photo"]).name for p in pictures],
            "values": {run: {m: [float(f"{p['results'][run][m]:.4g}") for p in pictures] for m in metrics}
                       for run in runs}}


def run_style(args, work, style, layer_sets, photos):
    """All runs and measurements of one style."""
    folder = work / style.stem
    folder.mkdir(parents=True, exist_ok=True)
    runs, weights = {}, {}
    base = None
    for name in layer_sets:
        config = write_config(args, folder / f"{name}.toml", style, LAYERS[name], photos["train"])
        found = calibrate(args, config, folder / f"calibrate_{name}")
        # Style, content and tv are those of the first calibration, so that only the depth term differs.
        scale = found["depth"] / found["style"]
        base = base or found
        for factor in args.factors if name == CURVE else (1,):
            key = f"{factor:g}" if name == CURVE else name
            weights[key] = {**base, "depth": factor * scale * base["style"]}
            runs[key] = folder / f"run_{key}"
            train(args, config, runs[key], weights[key])
    results = {}
    for set_name in ("coco", "nyu"):
        for judge_name, judge, seen in (("same", args.depth, style), ("other", args.judge, None)):
            out = folder / f"evaluation_{judge_name}_{set_name}"
            results[f"{judge_name}/{set_name}"] = evaluate(args, runs, photos[set_name], judge, out, seen)
    return {"style": style.name, "weights": weights, "evaluations": results}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--depth", type=pathlib.Path, required=True, help="depth network of the loss")
    parser.add_argument("--judge", type=pathlib.Path, required=True, help="another depth network")
    parser.add_argument("--vgg19", type=pathlib.Path, required=True)
    parser.add_argument("--styles", nargs="+", default=["starry_night.jpg", "la_muse.jpg"], help="files in DATA/styles")
    parser.add_argument("--bin", type=pathlib.Path, default=pathlib.Path("build/cpu/apps"))
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path("build/depth_experiment"))
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--size", type=int, default=192, help="of training pictures, pixels")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--iterations", type=int, default=1000)
    parser.add_argument("--factors", nargs="+", type=float, default=FACTORS, help="of the depth weight")
    parser.add_argument("--layer-sets", nargs="+", choices=LAYERS, default=list(LAYERS), help="of the first style")
    parser.add_argument("--evaluate-size", type=int, default=256, help="long side, pixels")
    parser.add_argument("--nyu-photos", type=int, default=36)
    args = parser.parse_args()

    work = args.work.resolve()
    nyu = nyu_photos(args, work)
    photos = {"train": nyu["train"], "nyu": nyu["val"], "coco": args.data / "photos" / "coco_eval"}
    experiment = {"settings": {name: getattr(args, name) for name in ("size", "batch", "iterations", "evaluate_size")},
                  "shares": SHARES, "layers": {name: LAYERS[name] for name in args.layer_sets}, "curve": CURVE,
                  "factors": sorted(args.factors), "styles": []}
    args.out.mkdir(parents=True, exist_ok=True)
    for i, name in enumerate(args.styles):
        layer_sets = args.layer_sets if i == 0 else [CURVE]
        experiment["styles"].append(run_style(args, work, args.data / "styles" / name, layer_sets, photos))
        (args.out / "experiment.json").write_text(json.dumps(experiment) + "\n")


if __name__ == "__main__":
    main()
