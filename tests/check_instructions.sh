#!/usr/bin/env bash
# Looks for instructions of newer processors in programs built for an older one; prints the first ten of each.
#   tests/check_instructions.sh v2|v3 PROGRAM...
# v2: nothing encoded as AVX; v3: no registers of AVX-512. Exit status 1 if there are any.
set -euo pipefail

case $1 in
  v2) newer='[[:space:]]v[a-z0-9]+[[:space:]]+.*%[xyz]mm' ;;
  v3) newer='%zmm|%[xy]mm(1[6-9]|2[0-9]|3[01])|%k[0-7]' ;;
  *) echo "usage: tests/check_instructions.sh v2|v3 PROGRAM..." >&2; exit 2 ;;
esac
level=$1
shift

status=0
for program in "$@"; do
  code=$(mktemp)
  objdump -d --no-show-raw-insn -C "$program" >"$code"
  grep -q '^[0-9a-f]* <main>:' "$code" || { echo "$program: no code found"; status=1; }
  found=$(awk -v newer="$newer" '/^[0-9a-f]+ </ { name = $0 } $0 ~ newer && shown < 10 { print name; print $0; ++shown }' "$code")
  rm "$code"
  [[ -z $found ]] || { printf '%s: not for x86-64-%s:\n%s\n' "$program" "$level" "$found"; status=1; }
done
((status)) || echo "check_instructions: nothing beyond x86-64-$level"
exit $status
