#!/usr/bin/env python3
"""The speed table of README.md, from result files of compare_peers.py; Markdown on standard output.

    python3 benchmarks/peer_table.py benchmarks/results/cpu/peers_avx2.json benchmarks/results/cpu/peers_native.json

Needs no package.
"""
import argparse
import json
import pathlib


def figures(result):
    slow = f" ({result['slow_down']:.1f}x as long as alone)" if "slow_down" in result else ""
    return f"{result['median_s']:.2f} s{slow}"


def line(report, row):
    ours, name = row["candidates"].get("chiaro"), row["fastest_peer"]
    if not ours or not name:
        return None
    peer = row["candidates"][name]
    return (f"| {row['title']} | {report['isa']} | {row['precision']} | {figures(ours)} | "
            f"{figures(peer)}, {name} | {row['times_as_fast']:.2f}x | "
            f"{ours['peak_rss_mib']:.0f} of {peer['peak_rss_mib']:.0f} MiB |")


def caption(reports):
    """One sentence per kind of run: what was measured on what."""
    sentences = []
    for report in reports:
        versions = ", ".join(f"{name} {version}" for name, version in report["versions"].items() if "chiaro" not in name)
        limited = f", everything limited to {report['isa']} on a CPU with {report['cpu_has']}" if report["limited"] else ""
        sentences.append(f"{report['isa']}: {report['cpu']}, {report['threads']} threads{limited}; the fastest of {versions}; "
                         f"commit {report['commit']}.")
    return " ".join(sentences)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", nargs="+", type=pathlib.Path, help="JSON files of compare_peers.py")
    reports = [json.loads(path.read_text()) for path in parser.parse_args().results]
    print("| | instructions | | chiaro | fastest peer | times as fast | memory: chiaro of peer |\n|---|---|---|---|---|---|---|")
    print("\n".join(text for report in reports for row in report["rows"] if (text := line(report, row))))
    print(f"\n{caption(reports)}")


if __name__ == "__main__":
    main()
