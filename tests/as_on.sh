#!/usr/bin/env bash
# Runs a test program as on an older processor:
#   tests/as_on.sh avx2|v3|v2 PROGRAM [ARGUMENT...]
# oneDNN uses AVX2 at most, with v2 SSE4.1. Exit status 77, skipped, where this processor cannot run code for
# x86-64-v3 or x86-64-v2 (v3 and v2: the program is built for it), and for avx2 where it has no more than AVX2: then the
# program has shown all it can without this script.
set -euo pipefail

level=$1
shift

# has FLAG...: whether the processor has them all, by their names in /proc/cpuinfo.
flags=" $(sed -n 's/^flags[[:space:]]*: //p' /proc/cpuinfo | head -n 1) "
has() {
  local flag
  for flag in "$@"; do [[ $flags == *" $flag "* ]] || return 1; done
}
skip() {
  echo "skipped: $*"
  exit 77
}

v2=(cx16 lahf_lm popcnt pni sse4_1 sse4_2 ssse3)
v3=("${v2[@]}" abm avx avx2 bmi1 bmi2 f16c fma movbe)
case $level in
  avx2)
    has avx512f || has avx_vnni || skip "this processor has no more than AVX2, as which the other tests have run"
    export ONEDNN_MAX_CPU_ISA=AVX2
    ;;
  v3)
    has "${v3[@]}" || skip "this processor lacks x86-64-v3"
    export ONEDNN_MAX_CPU_ISA=AVX2
    ;;
  v2)
    has "${v2[@]}" || skip "this processor lacks x86-64-v2"
    export ONEDNN_MAX_CPU_ISA=SSE41
    ;;
  *)
    echo "usage: tests/as_on.sh avx2|v3|v2 PROGRAM [ARGUMENT...]" >&2
    exit 2
    ;;
esac
exec "$@"
