#!/usr/bin/env python3
"""The metrics of a depth training or of a distillation, small enough to keep.

    python3 benchmarks/thin_metrics.py runs/depth/metrics.jsonl > benchmarks/results/depth_network/run.jsonl

Keeps every validation, and of the losses the mean of every 50 iterations.
"""
import json
import pathlib
import sys
from statistics import mean

EVERY = 50


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    losses = []
    for text in pathlib.Path(sys.argv[1]).read_text().splitlines():
        line = json.loads(text)
        if "validation" in line:
            print(json.dumps({"iteration": line["iteration"], "validation": line["validation"]}))
            continue
        losses.append(line["loss"] if "loss" in line else line["total"])
        if line["iteration"] % EVERY == 0:
            print(json.dumps({"iteration": line["iteration"], f"mean_loss_of_{EVERY}": round(mean(losses), 5)}))
            losses.clear()


if __name__ == "__main__":
    main()
