#!/usr/bin/env python3
"""Markdown tables of kernel_bench's results, on standard output.

    python3 benchmarks/kernel_table.py benchmarks/results/gpu/kernels_poster.json [MORE.json ...]

One table per precision and batch. "of copy" and "of product" compare with the yardsticks that the same run measured: a
large copy, and a large matrix product in the same precision. More than 100 % of copy: the data lay in caches.
"""
import argparse
import json
import pathlib


def percent(row, key):
    return f"{100 * row[key]:.0f} %" if key in row else ""


def number(row, key, digits=1):
    return f"{row[key]:.{digits}f}" if key in row else ""


def table(rows):
    lines = ["| op | on | µs | GB/s | of copy | TFLOP/s | of product | times as fast as |", "|---|---|---|---|---|---|---|---|"]
    for row in rows:
        if "refused" in row:
            lines.append(f"| {row['op']} | refused: {row['refused'].replace('|', '/')} | | | | | | |")
            continue
        faster = f"{row['times_faster']:.2f} x ({row['instead']})" if "instead" in row else ""
        lines.append(f"| {row['op']} | {row['shape']} | {number(row, 'us')} | {number(row, 'gb_per_s')} | "
                     f"{percent(row, 'of_copy')} | {number(row, 'tflop_per_s', 2)} | {percent(row, 'of_matrix')} | {faster} |")
    return "\n".join(lines)


def document(result, level="##"):
    """The tables of one result file as a list of paragraphs."""
    yardsticks = [f"copy {result['copy_gb_per_s']:.0f} GB/s (read and written)"]
    yardsticks += [f"matrix product in {name} {rate:.2f} TFLOP/s" for name, rate in result["matrix_tflop_per_s"].items()]
    parts = [f"{result['device']}; {', '.join(yardsticks)}."]
    groups = {}
    for row in result.get("rows", []):
        groups.setdefault((row["precision"], row["batch"]), []).append(row)
    for (precision, batch), rows in groups.items():
        parts += [f"{level} {precision}, batch {batch}", table(rows)]
    return parts


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("results", nargs="+", type=pathlib.Path, help="JSON files of kernel_bench")
    options = parser.parse_args()
    parts = []
    for path in options.results:
        parts += document(json.loads(path.read_text()))
    print("\n\n".join(parts))


if __name__ == "__main__":
    main()
