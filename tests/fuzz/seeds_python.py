#!/usr/bin/env python3
"""Writes seeds/torch/ and seeds/numpy/, from which fuzz_torch.cpp and fuzz_numpy.cpp start.

    seeds_python.py [FOLDER]

They are the small files of ../weights_import/make_python_files.py, which needs PyTorch and NumPy. Files whose names
begin with "found_" are cases that fuzzing found; they are kept.
"""
import pathlib
import shutil
import subprocess
import sys
import tempfile

here = pathlib.Path(__file__).resolve().parent
seeds = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else here / "seeds"
with tempfile.TemporaryDirectory() as made:
    subprocess.run([sys.executable, str(here.parent / "weights_import/make_python_files.py"), made], check=True)
    for target, endings in (("torch", (".pth", ".npz")), ("numpy", (".npy",))):
        folder = seeds / target
        folder.mkdir(parents=True, exist_ok=True)
        for file in sorted(pathlib.Path(made).iterdir()):
            if file.suffix in endings:
                shutil.copyfile(file, folder / file.name)
