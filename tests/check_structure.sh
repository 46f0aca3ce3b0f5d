#!/usr/bin/env bash
# Checks what the compiler does not: who includes whom, where device and file libraries may appear, the length
# of files, and that no path of one machine is in the tree. Prints every offence; exit status 1 if any.
#   tests/check_structure.sh [ROOT]      ROOT: the tree to check, default this one
set -euo pipefail
cd "${1:-$(dirname "${BASH_SOURCE[0]}")/..}"

offences=0
# report RULE: passes offences from standard input on to standard output under the name of the rule.
report() {
  local found
  found=$(cat)
  [[ -z $found ]] && return
  printf '%s:\n%s\n' "$1" "$found"
  offences=$((offences + $(wc -l <<<"$found")))
}

readonly folders=(kernels engine layers weights_import apps tests benchmarks)
present=()
for folder in "${folders[@]}"; do
  if [[ -d $folder ]]; then present+=("$folder"); fi
done
sources=(--include=*.cpp --include=*.hpp --include=*.hpp.in --include=*.cu --include=*.cuh)

# includes PATTERN FOLDER...: lines below the folders whose #include matches, as file:line:text.
includes() {
  local pattern=$1
  shift
  grep -rnE "${sources[@]}" "^[[:space:]]*#[[:space:]]*include[[:space:]]*[<\"]($pattern)" "$@" || true
}

# may_include FOLDER ALLOWED...: of the project's folders, FOLDER includes itself and the allowed ones only.
may_include() {
  local folder=$1 other forbidden=()
  [[ -d $folder ]] || return 0
  for other in "${folders[@]}"; do
    [[ " $* " == *" $other "* ]] || forbidden+=("$other")
  done
  includes "($(IFS='|' && echo "${forbidden[*]}"))/" "$folder" | report "$folder includes what it may not depend on"
}

outside() { grep -vE "^$1" || true; }

shopt -s lastpipe  # report runs in this shell, so that it can count

may_include kernels
may_include engine kernels
may_include layers engine kernels
may_include weights_import engine kernels layers
may_include apps kernels engine layers weights_import

includes '(\.\./)' "${present[@]}" | report "includes start at the root of the tree"
includes 'cuda|cudnn|cublas|curand|nvrtc|nvToolsExt|dnnl|oneapi/dnnl' "${present[@]}" | outside 'kernels/' |
  report "device libraries belong to kernels"
includes 'hdf5|H5[A-Z]?[a-z]*public|H5Cpp' "${present[@]}" | outside 'engine/io/' | report "HDF5 belongs to engine/io"
includes 'stb(/|_)' "${present[@]}" | outside 'engine/image/' | report "stb belongs to engine/image"
includes 'jpeglib|jerror|png\.h|lcms2|webp/' "${present[@]}" | outside 'engine/image/' |
  report "picture decoders belong to engine/image"

{ grep -rn "${sources[@]}" 'getenv(' kernels engine layers weights_import apps 2>/dev/null || true; } |
  outside 'apps/common/environment\.cpp' | report "the environment is read by apps/common/environment"

find "${present[@]}" -type f \( -name '*.[ch]pp' -o -name '*.cu' -o -name '*.cuh' -o -name '*.py' -o -name '*.sh' \) \
  -exec awk 'END { if (NR > 600) print FILENAME ": " NR " lines" }' {} \; | report "files of more than 600 lines"

# Folders that exist on one machine only. System paths such as /usr/include are the same everywhere.
{ grep -rnIE '(^|[^A-Za-z0-9_.~/-])/(home|root|Users|work|workspace|mnt|scratch|tmp)/[A-Za-z0-9_.]' \
  --exclude=check_structure.sh "${present[@]}" ./*.md CMakeLists.txt CMakePresets.json .ci 2>/dev/null || true; } |
  report "paths of one machine"

if ((offences)); then
  echo "check_structure: $offences offences"
  exit 1
fi
echo "check_structure: no offences"
