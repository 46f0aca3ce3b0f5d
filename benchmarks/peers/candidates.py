"""Who takes part in compare_peers.py: names, programs, environments."""
import dataclasses
import os
import pathlib
import subprocess
import sys

BENCHMARKS = pathlib.Path(__file__).resolve().parent.parent

# What limits a program to AVX2: oneDNN in chiaro, PyTorch and OpenVINO; PyTorch's own kernels and torch.compile's vectors;
# torch.compile's C++ compiler; MKL in PyTorch, which obeys on Intel's CPUs only. ONNX Runtime knows no limit.
LIMITED_TO_AVX2 = {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2", "TORCHINDUCTOR_CPP_MARCH": "x86-64-v3",
                   "MKL_ENABLE_INSTRUCTIONS": "AVX2"}
# The C library's allocator hands large blocks back to the kernel and pays for fresh pages in the next pass. Keeping them
# makes PyTorch faster.
KEEP_MEMORY = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "100000000000", "MALLOC_TOP_PAD_": "1000000000"}

# name -> options and environment of pytorch_*.py
PYTORCH = {
    "PyTorch, channels_last": (("--format", "channels_last"), {}),
    "PyTorch, contiguous": (("--format", "nchw"), {}),
    "PyTorch, compiled": (("--format", "channels_last", "--compile"), {}),
    "PyTorch, compiled, keeps memory": (("--format", "channels_last", "--compile"), KEEP_MEMORY),
}
ONNX = {"ONNX Runtime": "onnxruntime", "OpenVINO": "openvino"}
PACKAGES = {"PyTorch": "torch", "ONNX Runtime": "onnxruntime", "OpenVINO": "openvino"}
NAMES = ("chiaro", *PYTORCH, *ONNX)


@dataclasses.dataclass
class Candidate:
    name: str
    command: list  # without what belongs to a row
    environment: dict

    @property
    def engine(self):
        return self.name.split(",")[0]

    @property
    def is_chiaro(self):
        return self.name == "chiaro"


@dataclasses.dataclass
class Field:
    """What all candidates of a run have in common. isa: "native" or "avx2"; network: one of export()."""
    build: pathlib.Path
    isa: str
    threads: int
    network: dict
    names: tuple = NAMES

    def environment(self, more=()):
        limits = LIMITED_TO_AVX2 if self.isa == "avx2" else {}
        cache = pathlib.Path(sys.prefix) / f"inductor_{self.isa}"
        return {**os.environ, "ORT_DISABLE_TELEMETRY": "1", "TORCHINDUCTOR_CACHE_DIR": str(cache), **limits, **dict(more)}

    def _candidates(self, ours, theirs, precision):
        common = ["--precision", precision, "--threads", str(self.threads)]
        if "chiaro" in self.names:
            yield Candidate("chiaro", [str(self.build / "benchmarks" / ours[0]), "--device", "cpu", *ours[1:], *common],
                            self.environment())
        for name, (options, environment) in PYTORCH.items():
            if name in self.names:
                yield Candidate(name, [sys.executable, str(BENCHMARKS / theirs[0]), *theirs[1:], *options, *common],
                                self.environment(environment))

    def trainers(self, precision):
        return list(self._candidates(["train_bench"], ["pytorch_train_step.py"], precision))

    def stylizers(self, precision):
        found = list(self._candidates(["stylize_bench", "--model", self.network["h5"]],
                                      ["pytorch_stylize.py", "--weights", self.network["safetensors"]], precision))
        for name, engine in ONNX.items():
            if name in self.names:
                found.append(Candidate(name, [sys.executable, str(BENCHMARKS / "onnx_stylize.py"), "--engine", engine,
                                              "--model", self.network["onnx"], "--precision", precision,
                                              "--threads", str(self.threads)], self.environment()))
        return found


def export(build, model, style, folder):
    """The network, of several styles in this one, in the formats that the candidates read, as {suffix: path}. SystemExit:
    what is missing, in one line."""
    for program in ("apps/import_weights", "benchmarks/train_bench", "benchmarks/stylize_bench"):
        if not (build / program).is_file():
            sys.exit(f"compare_peers: there is no {build / program}; build it, or name another build folder with --build")
    network = {}
    for suffix in ("h5", "onnx", "safetensors"):
        network[suffix] = str(folder / f"network.{suffix}")
        done = subprocess.run([build / "apps/import_weights", model, "--as", "transform_net", *(["--style", style] if style else []),
                               "-o", network[suffix]], capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"compare_peers: {done.stderr.strip()}")
    return network
