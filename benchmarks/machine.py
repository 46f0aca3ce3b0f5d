"""What machine a benchmark runs on, and which commit: for the heads of result files. Needs no package."""
import pathlib
import platform
import subprocess


def cpu_info(key):
    """The first entry of that name in /proc/cpuinfo, or ''."""
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == key:
            return value.strip()
    return ""


def cpu_name():
    return cpu_info("model name") or platform.processor()


def instruction_sets():
    """The widest vector instructions of this CPU, in words, and what it computes in bf16."""
    flags = set(cpu_info("flags").split())
    widest = next((name for flag, name in (("avx512bw", "AVX-512"), ("avx2", "AVX2"), ("avx", "AVX")) if flag in flags), "SSE")
    bf16 = [name for flag, name in (("avx512_bf16", "AVX512_BF16"), ("amx_bf16", "AMX_BF16")) if flag in flags]
    return widest, bf16


def commit(folder):
    done = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, cwd=folder)
    return done.stdout.strip() or "unknown"
