#!/usr/bin/env python3
"""Styles trained by chiaro beside downloaded networks of the same paintings, on photographs that no training saw.

    python3 benchmarks/judge_published.py --data DATA --judge vgg19.h5 --style candy.jpg candy.h5 DATA/johnson/candy.pth \\
        --out benchmarks/results/published

Give --style PAINTING OURS THEIRS for each. DATA has photos/content and photos/coco_eval, and the paintings in styles/.
VGG-19 judges at 512 pixels. Writes published.json, published.md and a sheet of pictures for each style.
"""
import argparse
import json
import pathlib
import subprocess
import sys

VALUES = ("style", "content", "white_percent", "black_percent")


def judge(args, painting, ours, theirs):
    work = args.work / pathlib.Path(painting).stem
    photos = [args.data / "photos/content", args.data / "photos/coco_eval"]
    command = [args.bin / "evaluate_engine", *photos, "--model", f"chiaro={ours}", "--model", f"published={theirs}", "--style",
               args.data / "styles" / painting, "--style-size", 384, "--vgg19", args.judge, "--size", 512, "--sheet", 6, "-o", work]
    if subprocess.run(list(map(str, command))).returncode != 0:
        sys.exit(f"failed: {painting}")
    (args.out / f"{work.name}.jpg").write_bytes((work / "sheet.jpg").read_bytes())
    means = {mean["name"]: mean for mean in json.loads((work / "evaluation.json").read_text())["means"]}
    return [{"painting": work.name, "network": name, **{value: means[name][value] for value in VALUES}}
            for name in ("chiaro", "published")]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--judge", type=pathlib.Path, required=True, help="VGG-19")
    parser.add_argument("--style", nargs=3, action="append", required=True, metavar=("PAINTING", "OURS", "THEIRS"))
    parser.add_argument("--bin", type=pathlib.Path, default=pathlib.Path("build/cpu/apps"))
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path("build/judge_published"))
    parser.add_argument("--out", type=pathlib.Path, required=True)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    rows = [row for style in args.style for row in judge(args, *style)]
    command = " ".join(["benchmarks/judge_published.py", *sys.argv[1:]])
    (args.out / "published.json").write_text(json.dumps({"command": command, "rows": rows}, indent=1) + "\n")
    lines = [f"`{command}`. Style, content: distances as VGG-19 sees them, 1 = the photograph's and the style picture's;",
             "white, black: % of the pixels that are blown or blacked out beyond the photograph's own.", "",
             "| style | network | style | content | white % | black % |", "|---" * 6 + "|"]
    for row in rows:
        lines.append(f"| {row['painting']} | {row['network']} | " + " | ".join(
            f"{row[value]:.{3 if value in ('style', 'content') else 2}f}" for value in VALUES) + " |")
    for ours, theirs in zip(rows[::2], rows[1::2]):
        lines.append(f"| {ours['painting']} | ratio | {ours['style'] / theirs['style']:.2f} | "
                     f"{ours['content'] / theirs['content']:.2f} | | |")
    (args.out / "published.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
