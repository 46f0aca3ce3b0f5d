#!/usr/bin/env bash
# Compiles every CUDA source for sm_80, sm_89 and sm_90a and prints, for each kernel, registers and shared memory:
#   tests/cuda_registers.sh [FILE.cu...]      default: all of kernels/
# Exit status 1 when a kernel spills registers or a file does not compile. Needs nvcc and c++filt, no GPU.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

nvcc=${NVCC:-$(command -v nvcc || echo "${CUDA_HOME:-/usr/local/cuda}/bin/nvcc")}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

files=("$@")
((${#files[@]})) || mapfile -t files < <(find kernels -name '*.cu' | sort)
failed=0
printf '%-8s %9s %7s %s\n' arch registers shared kernel
for file in "${files[@]}"; do
  for arch in 80 89 90a; do
    if ! "$nvcc" -std=c++20 -O3 --expt-relaxed-constexpr -I. -gencode "arch=compute_$arch,code=sm_$arch" \
      -Xptxas -v -c "$file" -o "$folder/kernel.o" 2>"$folder/log"; then
      cat "$folder/log"
      failed=1
      continue
    fi
    c++filt <"$folder/log" | awk -v arch="sm_$arch" '
      /Compiling entry function/ {
        name = $0
        sub(/.*function ./, "", name)
        gsub(/\(anonymous namespace\)::|chiaro::|void /, "", name)
        sub(/\(.*/, "", name)
      }
      /bytes stack frame/ { spill = $0 !~ /, 0 bytes spill stores, 0 bytes spill loads/ }
      /Used [0-9]+ registers/ {
        registers = shared = $0
        sub(/.*Used /, "", registers)
        sub(/ registers.*/, "", registers)
        if (!sub(/ bytes smem.*/, "", shared)) shared = 0
        sub(/.* /, "", shared)
        printf "%-8s %9d %7d %s%s\n", arch, registers, shared, name, spill ? "  SPILLS" : ""
        spilled += spill
      }
      END { exit spilled != 0 }' || failed=1
  done
done
exit "$failed"
