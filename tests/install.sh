#!/usr/bin/env bash
# Installs a build into a folder of its own, moves that folder, and uses what is in it: stylize_engine, which must find
# its networks there, and the README's example, whose picture must be the same.
#   tests/install.sh BUILD
set -euo pipefail
build=$(realpath "$1")
cd "$(dirname "${BASH_SOURCE[0]}")/.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

cmake --install "$build" --prefix "$folder/first" >/dev/null
mv "$folder/first" "$folder/chiaro"
cmp <(sed -n '/^```cpp$/,/^```$/{/^```/d;p}' README.md) tests/install/main.cpp || { echo "install: main.cpp is not the README's"; exit 1; }
cmake -S tests/install -B "$folder/example" -DCMAKE_PREFIX_PATH="$folder/chiaro" -DCMAKE_BUILD_TYPE=Release >/dev/null
cmake --build "$folder/example" >/dev/null

cd "$folder"
bin=chiaro/bin
"$bin/draw_style" --size 64 photo.png >/dev/null
cp photo.png photo.jpg  # told from its contents
cp chiaro/share/chiaro/models/base.h5 .
"$bin/stylize_engine" photo.png --style wave --precision fp32 -o expected.png 2>/dev/null
example/example
"$bin/train_engine" --keys >/dev/null
cmp styled.png expected.png
echo "install: the installed programs and the example agree"
