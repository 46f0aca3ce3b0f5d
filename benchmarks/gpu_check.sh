#!/usr/bin/env bash
# What only a GPU can prove, in one command and less than nine minutes: tests, sanitizers, CPU against GPU, every kernel,
# training and stylizing beside PyTorch, a real training of 20,000 iterations.
#   benchmarks/gpu_check.sh [--out FOLDER] [--minutes N] [--rehearse]
#     --out FOLDER    results.json, results.md, kernels.md, logs/; default: gpu_results. The first three are made to be
#                     copied to benchmarks/results/gpu
#     --minutes N     for everything together; default 9
#     --rehearse      on the CPU at tiny sizes: proves this script, and nothing else
# Runs from the bundle of make_gpu_bundle.sh or from a source tree with build/cuda. Wants an NVIDIA driver, cuDNN 9.8 or
# newer and cuBLAS, be it those in PyTorch's folder, and Python with PyTorch for the peers ($PYTHON, default python3). A
# part that fails or runs out of its time does not stop the others; the exit status is 1 then.
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
scripts=$root/benchmarks
out=gpu_results minutes=9 device=cuda
while (($#)); do
  case $1 in
    --out | --minutes) [[ $# -ge 2 ]] || { echo "gpu_check: $1 needs a value" >&2; exit 2; } ;;&
    --out) out=$2; shift 2 ;;
    --minutes) minutes=$2; shift 2 ;;
    --rehearse) device=cpu; shift ;;
    *) sed -n '2,13s/^# \?//p' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
  esac
done
mkdir -p "$out"
out=$(cd "$out" && pwd)
logs=$out/logs work=$out/work parts=$out/parts.tsv
rm -rf "$logs" "$work" "$parts"
mkdir -p "$logs" "$work"
deadline=$((minutes * 60 - 15))  # the report takes the rest
reserve=0                        # seconds that the parts to come must not take

python=${PYTHON:-python3}
program() {
  local folder
  for folder in bin build/cuda/apps build/cuda/benchmarks build/cuda/tests; do
    if [[ -x $root/$folder/$1 ]]; then echo "$root/$folder/$1"; return; fi
  done
  return 1
}

# Folders of PyTorch's own cuDNN and cuBLAS, so that both sides run on the same libraries.
torch_libraries=$("$python" - <<'END' 2>/dev/null
import importlib.util, pathlib
spec = importlib.util.find_spec("torch")
if spec:
    torch = pathlib.Path(next(iter(spec.submodule_search_locations)))
    folders = {library.parent for place in (torch / "lib", torch.parent / "nvidia") if place.is_dir()
               for name in ("libcudnn.so.*", "libcublas.so.*") for library in place.rglob(name)}
    print(":".join(map(str, sorted(folders))))
END
)
chiaro_path=${torch_libraries:+$torch_libraries:}${LD_LIBRARY_PATH:-}
have_torch=false
"$python" -c 'import importlib.util, sys; sys.exit(importlib.util.find_spec("torch") is None)' 2>/dev/null && have_torch=true

verdict() {  # NAME VERDICT SECONDS
  printf '%s\t%s\t%s\n' "$1" "$2" "$3" >>"$parts"
  printf '%-36s %8.1f s  %s\n' "$1" "$3" "$2"
}

# part NAME LIMIT COMMAND...: runs it for LIMIT seconds at most; what it prints goes to logs/NAME.log.
part() {
  local name=$1 limit=$2 status start=$EPOCHREALTIME text seconds
  shift 2
  local left=$((deadline - reserve - SECONDS))
  ((limit <= left)) || limit=$left
  if ((limit < 5)); then
    verdict "$name" "skipped: no time left" 0
    return 1
  fi
  timeout --signal=INT --kill-after=10 "$limit" "$@" >"$logs/$name.log" 2>&1
  status=$?
  seconds=$(awk -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN { print b - a }')
  case $status in
    0) text=passed ;;
    77) text="skipped: $(tail -n 1 "$logs/$name.log" | sed 's/^skipped: //')" ;;
    124 | 137) text="timed out after $limit s" ;;
    *) text="failed: $(tail -n 1 "$logs/$name.log" | cut -c 1-160)" ;;
  esac
  verdict "$name" "$text" "$seconds"
  return "$status"
}

# chiaro NAME LIMIT PROGRAM ARGUMENTS...: a part that is a program of ours, on the device.
chiaro() {
  local name=$1 limit=$2 path
  if ! path=$(program "$3"); then
    verdict "$name" "skipped: there is no program $3" 0
    return 1
  fi
  part "$name" "$limit" env LD_LIBRARY_PATH="$chiaro_path" "$path" "${@:4}"
}

# peer NAME LIMIT SCRIPT ARGUMENTS...: a part in PyTorch.
peer() {
  if ! $have_torch; then
    verdict "$1" "skipped: $python has no PyTorch" 0
    return 1
  fi
  part "$1" "$2" "$python" "$scripts/$3" --device "$device" --threads "$(nproc)" "${@:4}"
}

if [[ $device == cuda ]]; then
  steps=200 repetitions=50 iterations=20000 photos=128
  train_size=() sizes=(512x512 1080x1920 2160x3840) precisions=(bf16 tf32 fp32) rivals=(bf16 tf32)
  parity_size=64 style_size=512 data=""
else
  steps=2 repetitions=2 iterations=4 photos=4
  train_size=(--size 32 --batch 1) sizes=(64x64) precisions=(fp32) rivals=(bf16)
  parity_size=32 style_size=64 data=$'image_size = 32\nbatch_size = 1'
fi
compiled=()  # what torch.compile is measured on
if $have_torch && "$python" -c 'import torch, sys; sys.exit(not hasattr(torch, "compile"))' 2>/dev/null; then compiled=(bf16); fi

# What the parts need, made while the tests run: the compiler's results for PyTorch, whose cache later runs find, and the
# training's photographs, style and depth network.
export TORCHINDUCTOR_CACHE_DIR=$work/inductor TRITON_CACHE_DIR=$work/triton TORCHINDUCTOR_FX_GRAPH_CACHE=1
prepare_training() {
  "$python" "$scripts/draw_photos.py" "$work/photos" --count "$photos" &&
    "$(program pack_images)" "$work/photos" -o "$work/photos.h5" --size 288 &&
    "$(program draw_style)" "$work/style.png" --size "$style_size" &&
    "$(program write_random_depth_network)" "$work/depth.h5" &&
    cat >"$work/training.toml" <<END
[data]
train = ["photos.h5"]
workers = 4
$data
[style]
image = "style.png"
[weights]
vgg19 = "random"
resnet_upproj = "depth.h5"
[loss]
balance = "gradient"
[loss.depth]
layers = ["up_8x", "up_16x", "prediction"]
[train]
iterations = $iterations
log_every = $(((iterations + 199) / 200))
preview_every = 5000
gradient_norms_every = 0
checkpoint_every = 0
out = "run"
END
}
warm_up_compiler() {
  local precision size
  for precision in "${compiled[@]}"; do
    for more in "" --depth; do
      "$python" "$scripts/pytorch_train_step.py" --device "$device" --compile --format channels_last \
        --precision "$precision" --steps 10 ${more:+"$more"} "${train_size[@]}"
    done
    for size in "${sizes[@]}"; do
      "$python" "$scripts/pytorch_stylize.py" --device "$device" --compile --format channels_last \
        --precision "$precision" --height "${size%x*}" --width "${size#*x}" --repetitions 2
    done
  done
}
set -m  # each of the two in a process group of its own, to be ended as a whole
prepare_training >"$logs/prepare_training.log" 2>&1 &
preparing=$!
warm_up_compiler >"$logs/warm_up_compiler.log" 2>&1 &
warming=$!
set +m
finish() {  # PROCESS LIMIT: waits for it, ends it when it is not done by then
  local limit=$((SECONDS + $2))
  while kill -0 "$1" 2>/dev/null && ((SECONDS < limit)); do sleep 0.5; done
  kill -- "-$1" 2>/dev/null
  wait "$1" 2>/dev/null || true
}
trap 'kill -- "-$preparing" "-$warming" 2>/dev/null' EXIT

"$python" "$scripts/gpu_report.py" environment "$root" "$out" || echo "gpu_check: no report of the environment" >&2

echo "== Tests"
reserve=355
chiaro test_kernels 60 test_kernels_gpu
chiaro test_device 90 test_device_gpu
for side in cpu "$device"; do
  chiaro "parity_$side" 90 train_bench --device "$side" --precision fp32 --size "$parity_size" --batch 1 --steps 1 --depth
done
part parity 10 "$python" "$scripts/gpu_report.py" parity "$logs/parity_cpu.log" "$logs/parity_$device.log"

sanitizer=''
for candidate in "$(command -v compute-sanitizer)" "${CUDA_HOME:-/usr/local/cuda}"/{bin,compute-sanitizer}/compute-sanitizer \
  /opt/nvidia/*/compute-sanitizer; do
  if [[ -x $candidate && ! -d $candidate ]]; then sanitizer=$candidate; break; fi
done
tests=$(program test_device_gpu || program test_kernels_gpu)
for tool in memcheck racecheck; do
  if [[ -z $sanitizer || $device == cpu ]]; then
    verdict "$tool" "skipped: there is no compute-sanitizer" 0
  else  # races are looked for in our kernels, errors of memory in the libraries' too
    regex=()
    if [[ $tool == racecheck ]]; then regex=(--kernel-regex kns=chiaro); fi
    part "$tool" 50 env LD_LIBRARY_PATH="$chiaro_path" "$sanitizer" --tool "$tool" --error-exitcode 1 "${regex[@]}" "$tests"
  fi
done

finish "$warming" 60
finish "$preparing" 30

echo "== Training step, beside PyTorch"
reserve=150
for more in "" --depth; do
  suffix=${more:+_depth}
  for precision in "${precisions[@]}"; do
    chiaro "train_chiaro_$precision$suffix" 30 train_bench --device "$device" --precision "$precision" --steps "$steps" \
      ${more:+"$more"} "${train_size[@]}"
  done
  for precision in "${rivals[@]}"; do
    if [[ $precision == tf32 && -n $more ]]; then continue; fi
    peer "train_eager_$precision$suffix" 40 pytorch_train_step.py --precision "$precision" --format channels_last \
      --warmup 10 --steps "$steps" ${more:+"$more"} "${train_size[@]}"
  done
  for precision in "${compiled[@]}"; do
    peer "train_compile_$precision$suffix" 60 pytorch_train_step.py --precision "$precision" --format channels_last \
      --compile --warmup 10 --steps "$steps" ${more:+"$more"} "${train_size[@]}"
  done
done

echo "== Stylizing, beside PyTorch"
for size in "${sizes[@]}"; do
  extent=(--height "${size%x*}" --width "${size#*x}" --repetitions "$repetitions")
  chiaro "stylize_chiaro_bf16_$size" 20 stylize_bench --device "$device" --precision bf16 "${extent[@]}"
  peer "stylize_eager_bf16_$size" 25 pytorch_stylize.py --precision bf16 --format channels_last --warmup 5 "${extent[@]}"
  for precision in "${compiled[@]}"; do
    peer "stylize_compile_${precision}_$size" 40 pytorch_stylize.py --compile --precision "$precision" \
      --format channels_last --warmup 5 "${extent[@]}"
  done
done

echo "== Kernels"
if [[ $device == cuda ]]; then
  chiaro kernels_poster 45 kernel_bench --device cuda --batch 4 --json "$out/kernels_poster.json"
  chiaro kernels_past_l2 35 kernel_bench --device cuda --batch 64 --precision fp32 bf16 --skip conv2d \
    --json "$out/kernels_past_l2.json"
else
  chiaro kernels_poster 60 kernel_bench --device cpu --batch 1 --only adam --json "$out/kernels_poster.json"
fi

echo "== A training of $iterations iterations"
reserve=0
if [[ -f $work/training.toml ]]; then
  chiaro training 600 train_engine "$work/training.toml" --device "$device" --precision bf16
else
  verdict training "failed: its photographs, style or depth network could not be made: see logs/prepare_training.log" 0
fi
for file in metrics.jsonl config.toml; do
  if [[ -f $work/run/$file ]]; then cp "$work/run/$file" "$out/training_$file"; fi
done
if [[ -f $work/run/model.h5 ]]; then
  chiaro stylize_result 20 stylize_engine --device "$device" --model "$work/run/model.h5" "$work/photos/0001.png" \
    -o "$out/training_result.png"
fi

"$python" "$scripts/gpu_report.py" results "$out" || exit 1
rm -rf "$work"
! grep -qP '\t(failed|timed out)' "$parts"
