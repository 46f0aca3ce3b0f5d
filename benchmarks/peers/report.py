"""Rows of compare_peers.py: medians, the fastest peer, and the two result files."""
import contextlib
import importlib.metadata
import json
import re
import statistics

from peers.candidates import NAMES, PACKAGES


def row(title, precision, seconds, results, left_out, idle=None, **more):
    """seconds: {candidate: times}; results: {candidate: what it said at its end}; idle: the same work on an idle machine."""
    found = {name: {"median_s": statistics.median(times), "rounds_s": times,
                    "peak_rss_mib": results[name]["peak_rss_mib"], "loaded_rss_mib": results[name].get("loaded_rss_mib")}
             for name, times in seconds.items() if name in results}
    if idle:
        for name in found:
            found[name]["slow_down"] = found[name]["median_s"] / idle["candidates"][name]["median_s"]
    return judge({"title": title, "precision": precision, "candidates": found, "left_out": left_out, **more})


def judge(row, excluded=()):
    """Adds who is the fastest peer, and chiaro beside it."""
    peers = {name: result for name, result in row["candidates"].items() if name != "chiaro" and name not in excluded}
    ours = row["candidates"].get("chiaro")
    row["fastest_peer"] = min(peers, key=lambda name: peers[name]["median_s"]) if peers else None
    if ours and peers:
        best = peers[row["fastest_peer"]]
        row["times_as_fast"] = best["median_s"] / ours["median_s"]
        row["memory_ratio"] = ours["peak_rss_mib"] / best["peak_rss_mib"]
    return row


def limit_of(name, engines):
    """What is known about the instructions of a candidate."""
    if "compiled" in name and "PyTorch, compiled" in engines:
        return engines["PyTorch, compiled"]
    return engines[name.split(",")[0]]


def leave_out_unlimited(rows, engines):
    """Who uses more than the others may is no peer; it stays in the table."""
    unlimited = [name for name in NAMES if name.split(",")[0] in engines and not limit_of(name, engines).get("holds")]
    for one in rows:
        one["unlimited"] = [name for name in unlimited if name in one["candidates"]]
        judge(one, one["unlimited"])


def versions(engines):
    found = {}
    for name, package in PACKAGES.items():
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            if "error" not in engines.get(name, {"error": "does not take part"}):
                found[name] = importlib.metadata.version(package)
    if match := re.match(r"oneDNN v?([\d.]+)", engines.get("chiaro", {}).get("runs_on", "")):
        found["oneDNN in chiaro"] = match[1]
    return found


def print_row(row):
    for name, result in row["candidates"].items():
        slow = f", {result['slow_down']:.2f}x as long as alone" if "slow_down" in result else ""
        print(f"  {name:34} {result['median_s']:8.3f} s {result['peak_rss_mib']:6.0f} MiB{slow}", flush=True)


def cell(name, result, row):
    text = f"{result['median_s']:.3f} s, {result['peak_rss_mib']:.0f} MiB"
    if "slow_down" in result:
        text = f"{result['median_s']:.3f} s ({result['slow_down']:.2f}x)"
    if name in row.get("unlimited", ()):
        text += " (not limited)"
    return f"**{text}**" if name == row["fastest_peer"] else text


def markdown(report):
    """The whole report, for results/."""
    names = [name for name in NAMES if any(name in row["candidates"] or name in row["left_out"] for row in report["rows"])]
    limited = " (the CPU has AVX-512; all candidates limited to AVX2, as far as they can be)" if report["limited"] else ""
    versions = ", ".join(f"{name} {version}" for name, version in report["versions"].items()) or "No peer"
    lines = [f"{report['cpu']}, {report['threads']} threads, {report['isa']}{limited}. {versions}. chiaro at commit "
             f"{report['commit']}. Made by `{report['command']}`.", "",
             "Medians of the rounds and the highest memory of each process. Bold: the fastest peer, with which chiaro is "
             "compared. Beside a busy process: in brackets, times as long as alone.", "",
             "| | precision | " + " | ".join(names) + " | chiaro: times as fast | of its memory |",
             "|---" * (len(names) + 4) + "|"]
    for row in report["rows"]:
        cells = [cell(name, row["candidates"][name], row) if name in row["candidates"] else "" for name in names]
        ratio = f"{row['times_as_fast']:.2f}x | {100 * row['memory_ratio']:.0f} %" if "times_as_fast" in row else " | "
        lines.append(f"| {row['title']} | {row['precision']} | " + " | ".join(cells) + f" | {ratio} |")
    left_out = {(name, row["precision"], reason) for row in report["rows"] for name, reason in row["left_out"].items()}
    lines += [""] + [f"Without {name} in {precision}: {reason}" for name, precision, reason in sorted(left_out)]
    lines += ["", "| | runs on |" + (" limited by | how that was verified |" if report["limited"] else ""),
              "|---|---|" + ("---|---|" if report["limited"] else "")]
    for name, engine in report["engines"].items():
        known = engine.get("runs_on") or f"cannot run: {engine['error']}"
        more = f" {engine.get('limited_by', '')} | {engine.get('verified_by', '')} |" if report["limited"] else ""
        lines.append(f"| {name} | {known} |{more}")
    return "\n".join(lines) + "\n"


def write(out, rows, engines, **head):
    report = {**head, "engines": engines, "rows": rows}
    out.parent.mkdir(parents=True, exist_ok=True)
    out.with_suffix(".json").write_text(json.dumps(report, indent=1) + "\n")
    out.with_suffix(".md").write_text(markdown(report))
    print(f"compare_peers: {out}.json, {out}.md")
