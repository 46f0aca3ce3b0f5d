#!/usr/bin/env bash
# Installs the Debian and Ubuntu packages that chiaro is built from (Debian 12, Ubuntu 24.04 and newer).
# Nothing is done, and no root is needed, when all of them are there.
#   apps/install_dependencies.sh                what building and testing need
#   apps/install_dependencies.sh --tests        and Clang, for fuzzing, and clang-format
#   apps/install_dependencies.sh --benchmarks   and PyTorch, h5py and matplotlib, to plot and to write the goldens anew
#   apps/install_dependencies.sh --peers        and what benchmarks/peers/setup.sh and torch.compile need
set -euo pipefail

packages=(g++ cmake ninja-build pkg-config libdnnl-dev libhdf5-dev libstb-dev libtomlplusplus-dev
          libcli11-dev libfmt-dev doctest-dev libexif-dev libjpeg-dev libpng-dev liblcms2-dev libwebp-dev
          nlohmann-json3-dev libzip-dev zlib1g-dev libssl-dev libcurl4-openssl-dev)

case "${1:-}" in
  '') ;;
  --tests) packages+=(clang libclang-rt-dev clang-format-14) ;;
  --benchmarks) packages+=(python3-torch python3-h5py python3-matplotlib) ;;
  --peers) packages+=(python3-venv python3-dev) ;;
  *) echo "usage: apps/install_dependencies.sh [--tests|--benchmarks|--peers]" >&2; exit 2 ;;
esac

fail() {
  echo "install_dependencies: $*" >&2
  exit 1
}

command -v dpkg-query >/dev/null || fail "this is not Debian or Ubuntu; install the counterparts of: ${packages[*]}"

missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null) || status=none
  [[ $status == installed ]] || missing+=("$package")
done
((${#missing[@]})) || exit 0

as_root=()
if ((EUID != 0)); then
  command -v sudo >/dev/null || fail "neither root nor sudo; run as root: apt-get install ${missing[*]}"
  as_root=(sudo)
fi
apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300)

echo "install_dependencies: installing ${missing[*]}"
"${apt[@]}" update || fail "apt-get update failed; is there a network?"
"${apt[@]}" install -y --no-install-recommends "${missing[@]}" >/dev/null ||
  fail "apt-get could not install: ${missing[*]}; see its messages above (on Ubuntu they are in 'universe')"
