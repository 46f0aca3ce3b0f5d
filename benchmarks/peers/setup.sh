#!/usr/bin/env bash
# Makes the Python environment of benchmarks/compare_peers.py: PyTorch, ONNX Runtime and OpenVINO of PyPI.
#   benchmarks/peers/setup.sh        into ${CHIARO_PEERS:-~/.cache/chiaro/peers}; makes it anew where it was
# Debian 12, Ubuntu 24.04 or newer. Downloads 0.66 GB, of which PyTorch is 0.54, and takes 1.7 GB on disk. PyPI's PyTorch
# is built for CUDA; the NVIDIA libraries that it names are left out (stub_nvidia.py).
# A peer that cannot be installed is named, and the comparison goes on without it; exit status 1 if there is none.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
peers=${CHIARO_PEERS:-$HOME/.cache/chiaro/peers}
python=$peers/bin/python

"$here/../../apps/install_dependencies.sh" --peers
/usr/bin/python3 -m venv --clear "$peers"
pip=("$python" -m pip install --quiet --disable-pip-version-check --no-deps --only-binary :all:)
if ! "${pip[@]}" -r "$here/requirements.txt"; then
  echo "setup: not everything can be installed; trying one by one" >&2
  while read -r requirement; do
    [[ -z $requirement || $requirement == \#* ]] || "${pip[@]}" "$requirement" 2>/dev/null ||
      echo "setup: pip cannot install $requirement" >&2
  done <"$here/requirements.txt"
fi
if "$python" -c 'import importlib.util, sys; sys.exit(importlib.util.find_spec("torch") is None)'; then
  "$python" "$here/stub_nvidia.py" || echo "setup: the stand-ins for NVIDIA's libraries could not be made" >&2
fi

export ORT_DISABLE_TELEMETRY=1
found=0
for peer in torch onnxruntime openvino; do
  if version=$("$python" -c "import $peer; print($peer.__version__)" 2>&1); then
    found=$((found + 1))
    echo "setup: $peer $version"
  else
    echo "setup: no $peer: $(tail -n 1 <<<"$version")" >&2
  fi
done
((found)) || { echo "setup: no peer can be imported; see the messages above" >&2; exit 1; }
echo "setup: $(du -sh "$peers" | cut -f 1)B in $peers; next: $python benchmarks/compare_peers.py"
