#!/usr/bin/env bash
# Builds what gpu_check.sh needs and packs it into one file, for a machine that has a GPU but neither our build packages nor
# a network: Linux on x86-64 (AVX2), glibc of Debian 12 or newer, NVIDIA driver, cuDNN, cuBLAS, Python with PyTorch.
#   benchmarks/make_gpu_bundle.sh [--out FILE.tar.gz] [--architectures LIST] [--jobs N]
#     --out FILE             default build/gpu_bundle.tar.gz
#     --architectures LIST   as CMAKE_CUDA_ARCHITECTURES, default "90a-real;90-virtual": Hopper, and PTX for what comes after
#     --jobs N               default: all cores
# There: tar xzf gpu_bundle.tar.gz && gpu_bundle/benchmarks/gpu_check.sh
# The programs find the libraries that they are linked to (HDF5, fmt, libzip, ... and what these need) in lib/ beside them;
# of the system they take glibc and the NVIDIA driver. cuDNN and cuBLAS are opened at run time and not in the bundle.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

out=build/gpu_bundle.tar.gz architectures='90a-real;90-virtual' jobs=$(nproc)
readonly limit=$((60 * 1000 * 1000))  # bytes
while (($#)); do
  [[ $1 =~ ^--(out|architectures|jobs)$ && $# -ge 2 ]] || { sed -n '2,10s/^# \?//p' "${BASH_SOURCE[0]}" >&2; exit 2; }
  printf -v "${1#--}" %s "$2"
  shift 2
done

build=build/gpu_bundle
# A run path in the old form (DT_RPATH) also holds for the libraries that those in lib/ need.
cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DCHIARO_CUDA=ON -DCHIARO_ONEDNN=OFF \
  -DCHIARO_MARCH=x86-64-v3 -DCMAKE_CUDA_ARCHITECTURES="$architectures" \
  -DCMAKE_BUILD_WITH_INSTALL_RPATH=ON -DCMAKE_INSTALL_RPATH="\$ORIGIN/../lib" \
  -DCMAKE_EXE_LINKER_FLAGS=-Wl,--disable-new-dtags
programs=(train_engine stylize_engine inspect_engine pack_images draw_style)
benchmarks=(train_bench stylize_bench kernel_bench write_random_depth_network)
tests=(test_kernels_gpu)
if ninja -C "$build" -t targets all | grep -q '^test_device_gpu:'; then tests+=(test_device_gpu); fi
cmake --build "$build" -j "$jobs" --target "${programs[@]}" "${benchmarks[@]}" "${tests[@]}"

bundle=$build/gpu_bundle
rm -rf "$bundle"
mkdir -p "$bundle"/{bin,lib,benchmarks}
cp "${programs[@]/#/$build/apps/}" "${benchmarks[@]/#/$build/benchmarks/}" "${tests[@]/#/$build/tests/}" "$bundle/bin"
strip "$bundle"/bin/*
mkdir -p "$bundle/share/chiaro/models" && cp apps/models/*.h5 "$bundle/share/chiaro/models"
# Everything that the programs are linked to, but for glibc and what belongs to it.
ldd "$bundle"/bin/* | awk '$2 == "=>" && $3 ~ /^\// { print $1 "\t" $3 }' | sort -u |
  grep -vE '^(ld-linux|lib(c|m|dl|rt|pthread|resolv|util|anl|nsl|nss_[a-z]+|BrokenLocale|thread_db|mvec)\.so)' |
  while IFS=$'\t' read -r name path; do
    cp -L "$path" "$bundle/lib/$name"
    strip --strip-unneeded "$bundle/lib/$name"
  done
cp benchmarks/{gpu_check.sh,gpu_report.py,kernel_table.py,machine.py,draw_photos.py} \
  benchmarks/{peer_program.py,pytorch_nets.py,pytorch_train_step.py,pytorch_stylize.py} "$bundle/benchmarks"
printf '%s, architectures %s\n' "$(git describe --always --dirty 2>/dev/null || echo unknown)" "$architectures" >"$bundle/VERSION"

if missing=$(ldd "$bundle"/bin/* | grep -E 'not found|=> /(usr|lib)' | grep -vE '(ld-linux|lib(c|m|dl|rt|pthread|resolv|util|mvec))[-.]' | sort -u) &&
  [[ -n $missing ]]; then
  echo "make_gpu_bundle: not taken from lib/:" "$missing" >&2
  exit 1
fi
tar -C "$build" -czf "$out" gpu_bundle
bytes=$(stat -c %s "$out")
unpacked=$(du -sb "$bundle" | cut -f 1)
echo "$out: $((bytes / 1000000)) MB, unpacked $((unpacked / 1000000)) MB"
((bytes <= limit)) || { echo "make_gpu_bundle: more than $((limit / 1000000)) MB" >&2; exit 1; }
