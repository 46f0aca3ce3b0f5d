#!/usr/bin/env bash
# Installs what is missing, configures, builds and runs the tests, then fuzzes each reader of foreign files for 20
# seconds (tests/fuzz.sh). Kernels, layers and programs are tested again as on older processors (tests/levels.cmake).
#   tests/run.sh         optimized (preset cpu, build/cpu); where the CUDA toolkit is, the CUDA kernels are compiled for all
#                        GPUs, spilled registers being errors, and cuDNN's plans are tested: both need no GPU
#   tests/run.sh asan    with address and undefined-behavior sanitizers (preset cpu-asan, build/cpu-asan)
# CHIARO_DATA may name a folder with real weights and photos; tests that want them are skipped without it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

case "${1:-cpu}" in
  cpu) preset=cpu cuda=CHECK ;;
  asan | cpu-asan) preset=cpu-asan cuda=OFF ;;
  *) echo "usage: tests/run.sh [cpu|asan]" >&2; exit 2 ;;
esac

apps/install_dependencies.sh --tests
cmake --preset "$preset" -DCHIARO_CUDA="$cuda"
cmake --build --preset "$preset" -j "$(nproc)"
export OMP_WAIT_POLICY=passive  # several test programs share the cores: waiting threads must not spin
status=0
ctest --preset "$preset" -j "$(nproc)" --no-tests=error || status=$?
sed -n 's/^skipped: /Skipped: /p' "build/$preset/Testing/Temporary/LastTest.log" | sort -u
((status == 0)) || exit "$status"
[[ $preset == cpu-asan ]] || tests/fuzz.sh
