"""Which instructions the candidates run on: what they say themselves, and whether a limit to AVX2 holds.

examine() runs every engine once on something small and reads oneDNN's and MKL's logs, PyTorch's word on its own kernels,
OpenVINO's profile, and the machine code of chiaro and of what torch.compile has made.
"""
import json
import pathlib
import re
import subprocess
import tempfile

BEYOND_AVX2 = re.compile(r"avx512|avx10|amx|evex")
# 512-bit registers, the upper sixteen, masks: none of them exists in AVX2.
REGISTERS_BEYOND_AVX2 = re.compile(rb"%zmm|%[xy]mm(?:1[6-9]|2\d|3[01])|\{%k[1-7]\}")


def instructions_beyond_avx2(path):
    """How many lines of a program's own machine code need more than AVX2."""
    code = subprocess.run(["objdump", "-d", "--no-show-raw-insn", path], capture_output=True, check=True).stdout
    return sum(1 for line in code.splitlines() if REGISTERS_BEYOND_AVX2.search(line))


def onednn_facts(log):
    """Version, instruction set and kernels of a log with ONEDNN_VERBOSE=1."""
    version = re.search(r"info,oneDNN (v[\d.]+)", log)
    isa = re.search(r"info,cpu,isa:(.+)", log)
    return {"version": version and version[1], "isa": isa and isa[1].strip(),
            "kernels": sorted(set(re.findall(r"exec,cpu,(?:convolution|matmul|inner_product),([^,]+)", log)))}


def run(command, environment, **more):
    """(all that it printed, its last JSON object), or (None, why it failed)."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, env={**environment, **more})
    if done.returncode:
        lines = (done.stderr.strip() or done.stdout.strip()).splitlines()
        return None, lines[-1] if lines else f"ended with status {done.returncode}"
    return done.stdout + done.stderr, json.loads(next(line for line in done.stdout.splitlines()[::-1] if line.startswith("{")))


def examine_chiaro(candidate):
    log, result = run([*candidate.command, "--size", 64, "--batch", 1, "--steps", 1], candidate.environment, ONEDNN_VERBOSE="1")
    if log is None:
        return {"error": result}
    onednn = onednn_facts(log)
    beyond = instructions_beyond_avx2(candidate.command[0])
    return {"runs_on": f"oneDNN {onednn['version']}: {onednn['isa']}; {', '.join(onednn['kernels'])}; "
                       f"its own code {'beyond AVX2' if beyond else 'AVX2 at most'}",
            "holds": not beyond and not BEYOND_AVX2.search(" ".join(onednn["kernels"])),
            "limited_by": "ONEDNN_MAX_CPU_ISA, and a build for x86-64-v3",
            "verified_by": "oneDNN's log; no register beyond AVX2 in its machine code"
            if not beyond else f"{beyond} instructions of its own code need more than AVX2"}


def examine_pytorch(candidate):
    log, result = run([*candidate.command, "--size", 64, "--batch", 1, "--steps", 1, "--warmup", 0], candidate.environment,
                      ONEDNN_VERBOSE="1", MKL_VERBOSE="1")
    if log is None:
        return {"error": result}
    onednn = onednn_facts(log)
    mkl = re.search(r"MKL_VERBOSE .*?architecture (.*?) ?(?:enabled )?processors", log)
    return {"runs_on": f"oneDNN {onednn['version']}: {onednn['isa']}; {', '.join(onednn['kernels'])}; "
                       f"its own kernels {result.get('cpu_capability')}; MKL: {mkl[1] if mkl else 'not used'}",
            "holds": not BEYOND_AVX2.search(" ".join(onednn["kernels"])) and result.get("cpu_capability") == "AVX2",
            "limited_by": "ONEDNN_MAX_CPU_ISA, ATEN_CPU_CAPABILITY; MKL by MKL_ENABLE_INSTRUCTIONS, on Intel's CPUs only",
            "verified_by": "oneDNN's log, torch.backends.cpu.get_cpu_capability(); not verified: MKL"}


def examine_compiled(cache):
    """After the rows: what torch.compile has left in its cache, without the trials by which it learns what the CPU has."""
    made = [path for path in pathlib.Path(cache).rglob("*.so") if b"_chk_kernel" not in path.read_bytes()]
    counts = {path: instructions_beyond_avx2(path) for path in made}
    beyond = sum(1 for count in counts.values() if count)
    return {"runs_on": f"as PyTorch; {len(counts)} libraries made by the compiler, {beyond} of them with code beyond AVX2",
            "holds": bool(counts) and not beyond,
            "limited_by": "as PyTorch; ATEN_CPU_CAPABILITY and TORCHINDUCTOR_CPP_MARCH for compiled code",
            "verified_by": "no register beyond AVX2 in the compiled libraries" if not beyond else "their machine code"}


def examine_openvino(candidate):
    log, result = run([*candidate.command, "--height", 256, "--width", 256, "--repetitions", 1, "--kernels"],
                      candidate.environment)
    if log is None:
        return {"error": result}
    times = result["kernels_ms"]
    beyond = {kind: time for kind, time in times.items() if BEYOND_AVX2.search(kind)}
    convolutions = {kind for kind in times if kind.startswith("Convolution")}
    share = f"{100 * sum(beyond.values()) / sum(times.values()):.0f} % of the time"
    return {"runs_on": ", ".join(sorted(kind.replace("Convolution ", "") for kind in convolutions)),
            "holds": not convolutions & beyond.keys(),
            "limited_by": "ONEDNN_MAX_CPU_ISA, which its own oneDNN obeys",
            "verified_by": "its profile: beyond AVX2 are " +
                           (f"{', '.join(sorted(kind.split()[0] for kind in beyond))}, {share}" if beyond else "none")}


def examine_onnxruntime(_):
    return {"runs_on": "what the CPU has: it asks the CPU and can be told nothing", "holds": False,
            "limited_by": "nothing", "verified_by": "no setting found in its documentation or its library"}
