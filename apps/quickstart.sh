#!/usr/bin/env bash
# From a fresh Debian 12 or Ubuntu 24.04 to stylized pictures in one command: installs what is missing, builds, applies
# the styles of the network that comes with chiaro, then teaches it another style and applies that.
#   apps/quickstart.sh                           seven sample photographs, a style picture drawn on the spot
#   apps/quickstart.sh PHOTOS STYLE [VGG19.h5]   a folder of yours, a picture of yours, VGG-19 weights
# Without a weights file (or its path in CHIARO_VGG19) the style and content losses see through the compact VGG-19 that
# comes with chiaro. The depth loss sees through the compact depth network.
# Once everything is installed it takes ten minutes at most: training gets what build and first pictures leave of them,
# but at least two minutes. Run again, it builds only what changed and begins a new run folder.
set -euo pipefail

readonly all_s=600 least_training_s=120
readonly last_pictures_s=40   # kept for the pictures after training

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

times=() current='' since=0
# step NAME: the step before it is over, its time noted.
step() {
  if [[ -n $current ]]; then times+=("$(time_line "$current" $((SECONDS - since)))"); fi
  current=$1 since=$SECONDS
  printf '\n== %s\n' "$1"
}
# time_line NAME SECONDS
time_line() { printf '%-26s %2dm %02ds' "$1" $(($2 / 60)) $(($2 % 60)); }

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

# paint NAME OPTIONS...: the first photographs as $run/NAME/* and the strip $run/NAME.jpg. One that cannot be used is
# named by the program; the others do.
paint() {
  local name=$1
  "$programs/stylize_engine" "${@:2}" "${inputs[@]}" -o "$run/$name" --strip "$run/$name.jpg" ||
    [[ -f $run/$name.jpg ]] || fail "none of the photographs could be used"
  echo "strip      $PWD/$run/$name.jpg"
}

step "Packages"
apps/install_dependencies.sh
if [[ -z $photos ]]; then
  photos=$work/photos
  [[ -d $photos ]] || fetch_photos
fi
mapfile -t inputs < <(find "$photos" -type f \( -iname '*.jpg' -o -iname '*.jpeg' -o -iname '*.png' \) | sort | head -n 4)
((${#inputs[@]})) || fail "$photos: holds no photographs (.jpg, .jpeg, .png)"

step "Build"
begin=$SECONDS
cmake --preset cpu
cmake --build --preset cpu -j "$(nproc)" --target train_engine stylize_engine draw_style

step "First pictures"
mkdir -p "$run"
paint styles --style all --max-size 512

step "Training"
if [[ -z $style ]]; then
  style=$work/style.png
  [[ -f $style ]] || "$programs/draw_style" "$style"
fi
training_s=$((all_s - last_pictures_s - (SECONDS - begin)))
if ((training_s < least_training_s)); then training_s=$least_training_s; fi
minutes=$(printf '%d.%02d' $((training_s / 60)) $((training_s % 60 * 100 / 60)))
echo "a new style, from $style, in $minutes minutes at most"
if [[ -n $vgg19 ]]; then
  echo "losses: VGG-19 from $vgg19"
else
  echo "losses: the compact VGG-19 that comes with chiaro; for the full one: apps/quickstart.sh PHOTOS STYLE VGG19.h5"
fi
"$programs/train_engine" apps/quickstart.toml --set "data.train=$photos" --set "style.image=$style" \
  --set "weights.vgg19=${vgg19:-compact}" --set "train.out=$run" --set "train.minutes=$minutes"

step "Pictures in the new style"
paint new_style --model "$run/model.h5" --max-size 640

step "Done"
times+=("$(time_line "from Build on" $((SECONDS - begin)))")
echo "strips     $PWD/$run/new_style.jpg"
echo "           $PWD/$run/styles.jpg"
echo "pictures   $PWD/$run/new_style"
echo "style      $(realpath "$style")"
echo "model      $PWD/$run/model.h5"
echo "run        $PWD/$run   (open report.html)"
echo "longer     $programs/train_engine --resume $run --set train.minutes=60 --set train.iterations=20000"
printf 'time       %s\n' "${times[0]}"
printf '           %s\n' "${times[@]:1}"
