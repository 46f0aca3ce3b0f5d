#!/usr/bin/env bash
# From a fresh Debian 12 or Ubuntu 24.04 to stylised pictures in one command: installs what is missing, builds,
# trains a small network and applies it.
#   apps/quickstart.sh                           seven sample photographs, a style picture drawn on the spot
#   apps/quickstart.sh PHOTOS STYLE [VGG19.h5]   a folder of yours, a picture of yours, VGG-19 weights
# Without a weights file (or its path in CHIARO_VGG19) the style and content losses see through the compact VGG-19 that
# comes with chiaro. The depth loss sees through the compact depth network.
set -euo pipefail

usage="usage: apps/quickstart.sh [PHOTOS STYLE [VGG19.h5]]"
fail() {
  echo "quickstart: $*" >&2
  exit 1
}

photos='' style='' vgg19=${CHIARO_VGG19:-}
case $# in
  0) ;;
  2 | 3)
    photos=$1 style=$2 vgg19=${3:-$vgg19}
    [[ -d $photos ]] || fail "$photos: no such folder of photographs"
    [[ -f $style ]] || fail "$style: no such style picture"
    photos=$(realpath "$photos") style=$(realpath "$style")
    ;;
  *) fail "$usage" ;;
esac
if [[ -n $vgg19 ]]; then
  [[ -f $vgg19 ]] || fail "$vgg19: no such VGG-19 weights file"
  vgg19=$(realpath "$vgg19")
fi

cd "$(dirname "${BASH_SOURCE[0]}")/.."
programs=build/cpu/apps
work=build/quickstart
run=runs/quickstart-$(date +%Y%m%d-%H%M%S)

step() { printf '\n== %s\n' "$*"; }

# Puts photographs from two small Debian packages into $work/photos; nothing is installed.
fetch_photos() {
  local packages=(palapeli-data python3-sklearn) as_root=()
  download() { (cd "$work/packages" && apt-get -qq -o APT::Sandbox::User=root download "${packages[@]}"); }
  if ((EUID != 0)); then as_root=(sudo); fi
  rm -rf "$work/packages" "$work/photos"
  mkdir -p "$work/packages/photos"
  download 2>/dev/null || { "${as_root[@]}" apt-get -qq update && download; } ||
    fail "the sample photographs cannot be downloaded; give your own: apps/quickstart.sh PHOTOS STYLE"
  local package
  for package in "$work"/packages/*.deb; do dpkg -x "$package" "$work/packages"; done
  find "$work/packages/usr" \( -path '*/palapeli/collection/*.jpg' -o -path '*/datasets/images/*.jpg' \) \
    -exec cp -t "$work/packages/photos" {} +
  mv "$work/packages/photos" "$work/photos"  # only now, so that an interrupted run starts over
  rm -r "$work/packages"
}

step "Packages"
apps/install_dependencies.sh

step "Build"
cmake --preset cpu
cmake --build --preset cpu -j "$(nproc)" --target train_engine stylize_engine draw_style

if [[ -z $photos ]]; then
  step "Sample photographs and style"
  photos=$work/photos style=$work/style.png
  [[ -d $photos ]] || fetch_photos
  [[ -f $style ]] || "$programs/draw_style" "$style"
  printf '%s\n' "$photos"/* "$style"
fi

step "Training"
if [[ -n $vgg19 ]]; then
  echo "losses: VGG-19 from $vgg19"
else
  echo "losses: the compact VGG-19 that comes with chiaro; for the full one: apps/quickstart.sh PHOTOS STYLE VGG19.h5"
fi
"$programs/train_engine" apps/quickstart.toml --set "data.train=$photos" --set "style.image=$style" \
  --set "weights.vgg19=${vgg19:-compact}" --set "train.out=$run"

step "Stylising"
mapfile -t inputs < <(find "$photos" -type f \( -iname '*.jpg' -o -iname '*.jpeg' -o -iname '*.png' \) | sort | head -n 4)
"$programs/stylize_engine" --model "$run/model.h5" "${inputs[@]}" -o "$run/pictures" --max-size 640 --strip "$run/strip.jpg"

step "Done"
echo "pictures   $PWD/$run/pictures"
find "$PWD/$run/pictures" -type f | sort | sed 's/^/           /'
echo "strip      $PWD/$run/strip.jpg"
echo "style      $(realpath "$style")"
echo "model      $PWD/$run/model.h5"
echo "run        $PWD/$run   (open report.html)"
