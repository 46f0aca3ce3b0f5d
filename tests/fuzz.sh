#!/usr/bin/env bash
# Fuzzes the readers of foreign weight files and pictures: builds tests/fuzz with Clang in build/fuzz and runs every harness on its
# seeds, two at a time. A finding is printed and left in build/fuzz/findings; exit status 1.
#   tests/fuzz.sh [SECONDS [HARNESS...]]     default: 20 seconds each of all six
# hdf5 is slow: each input costs processes (engine/io/trial.hpp), whose faults in the HDF5 library are contained.
# What a reader may allocate is bounded: 2x the largest input plus 64 MB.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

seconds=${1:-20}
shift || true
harnesses=("$@")
((${#harnesses[@]})) || harnesses=(torch numpy safetensors mat hdf5 picture)
readonly max_input=100000

apps/install_dependencies.sh --tests
cmake -S tests/fuzz -B build/fuzz -G Ninja -DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER=clang++ >/dev/null
cmake --build build/fuzz -j "$(nproc)" --target "${harnesses[@]/#/fuzz_}"

fuzz() {
  local name=$1 corpus=build/fuzz/corpus/$1 log=build/fuzz/$1.log
  local timeout=10
  [[ $name != hdf5 ]] || timeout=200  # trial.hpp gives the library ten seconds before it calls a file damaged
  mkdir -p "$corpus" build/fuzz/findings
  if build/fuzz/fuzz_"$name" "$corpus" tests/fuzz/seeds/"$name" -max_total_time="$seconds" -max_len=$max_input \
    -timeout=$timeout -malloc_limit_mb=65 -rss_limit_mb=2048 -print_final_stats=1 \
    -artifact_prefix=build/fuzz/findings/"$name"- >"$log" 2>&1; then
    echo "fuzz $name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log" | tail -n 1) inputs in $seconds s, no finding"
  else
    tail -n 40 "$log"
    echo "fuzz $name: FAILED; the input is in build/fuzz/findings, the whole report in $log"
    return 1
  fi
}

status=0
for ((i = 0; i < ${#harnesses[@]}; i += 2)); do
  running=()
  for name in "${harnesses[@]:i:2}"; do
    fuzz "$name" &
    running+=($!)
  done
  for job in "${running[@]}"; do wait "$job" || status=1; done
done
exit $status
