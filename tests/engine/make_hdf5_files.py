#!/usr/bin/env python3
"""Writes the HDF5 files of data that test_h5_file.cpp reads: packed photos whose pictures lie elsewhere or are packed in
ways that no file of ours is.

    make_hdf5_files.py [FOLDER]

Needs h5py (Debian: python3-h5py).
"""
import os
import sys

import h5py
import numpy as np

FOLDER = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(os.path.abspath(__file__)), "data")
PICTURES = np.arange(48, dtype=np.uint8).reshape(1, 4, 4, 3)


def plain(file):
    file.create_dataset("images", data=PICTURES, compression="gzip")


def external_storage(file):
    file.create_dataset("images", PICTURES.shape, PICTURES.dtype, external=[("plain.h5", 0, PICTURES.size)])


def virtual(file):
    layout = h5py.VirtualLayout(PICTURES.shape, PICTURES.dtype)
    layout[:] = h5py.VirtualSource("plain.h5", "images", PICTURES.shape)
    file.create_virtual_dataset("images", layout)


def huge_chunk(file):
    # One picture is there, the chunk would unpack to 2 GiB.
    file.create_dataset("images", (1, 4, 4, 3), np.uint8, maxshape=(None, None, None, 3), chunks=(1, 32768, 21845, 3),
                        compression="gzip")


def link(target):
    def write(file):
        file["images"] = target
    return write


def soft_group(file):
    file["inside/images"] = PICTURES
    file["images"] = h5py.SoftLink("/inside/images")


def plugin(file):
    # As a file that a plugin packed: the number of the filter is that of LZF, which h5py brings with it.
    file.create_dataset("images", data=PICTURES, compression="lzf")


FILES = {"plain": plain, "external_link": link(h5py.ExternalLink("plain.h5", "/images")),
         "soft_link": soft_group, "external_storage": external_storage, "virtual": virtual, "plugin": plugin,
         "huge_chunk": huge_chunk}

if __name__ == "__main__":
    os.makedirs(FOLDER, exist_ok=True)
    os.chdir(FOLDER)
    for name, write in FILES.items():
        with h5py.File(name + ".h5", "w") as out:
            out.attrs["format"] = "chiaro_images"
            out.attrs["version"] = 1
            out["names"] = ["a.jpg"]
            write(out)
