#!/usr/bin/env python3
"""Every style of a network of several, judged on photographs: a table, and a sheet of pictures for each style.

    python3 benchmarks/judge_styles.py --model apps/models/base.h5 --paintings DATA/styles --vgg19 vgg19.h5 \\
        --photos DATA/photos/content DATA/photos/coco_eval --out benchmarks/results/base

A style's painting is PAINTINGS/NAME.jpg. Style, content: distances as VGG-19 sees them, 1 = the photograph's and the style
picture's; white, black: % of the pixels that are blown or blacked out beyond the photograph's own. Writes styles.json,
styles.md and NAME.jpg.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

VALUES = ("style", "content", "white_percent", "black_percent", "gray_ssim")


def call(command):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"judge_styles: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def styles_of(args):
    return json.loads(call([args.bin / "inspect_engine", "model", args.model, "--json"]))["architecture"]["styles"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=pathlib.Path, required=True)
    parser.add_argument("--paintings", type=pathlib.Path, required=True)
    parser.add_argument("--photos", type=pathlib.Path, nargs="+", required=True)
    parser.add_argument("--vgg19", type=pathlib.Path, required=True)
    parser.add_argument("--size", type=int, default=512, help="at which is judged, pixels")
    parser.add_argument("--style-size", type=int, default=384)
    parser.add_argument("--bin", type=pathlib.Path, default=pathlib.Path("build/cpu/apps"))
    parser.add_argument("--out", type=pathlib.Path, required=True)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    names = styles_of(args)
    rows = []
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            call([args.bin / "evaluate_engine", *args.photos, "--model", f"{name}={args.model}@{name}", "--style",
                  args.paintings / f"{name}.jpg", "--style-size", args.style_size, "--vgg19", args.vgg19, "--size", args.size,
                  "--sheet", 6, "-o", folder])
            mean = json.loads((pathlib.Path(folder) / "evaluation.json").read_text())["means"][0]
            (args.out / f"{name}.jpg").write_bytes((pathlib.Path(folder) / "sheet.jpg").read_bytes())
        rows.append({"name": name, **{value: mean[value] for value in VALUES}})
        print(rows[-1], flush=True)
    command = " ".join(["benchmarks/judge_styles.py", *sys.argv[1:]])
    (args.out / "styles.json").write_text(json.dumps({"command": command, "pictures": mean["pictures"], "rows": rows}, indent=1) + "\n")
    lines = [f"`{command}`", "", "| style | style distance | content distance | white % | black % |", "|---|---|---|---|---|"]
    lines += [f"| {name} | {row['style']:.3f} | {row['content']:.3f} | {row['white_percent']:.2f} | {row['black_percent']:.2f} |"
              for name, row in zip(names, rows)]
    (args.out / "styles.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
