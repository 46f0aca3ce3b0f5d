#!/usr/bin/env python3
"""Writes data/python/fcrn_python2.npy.gz: NYU_ResNet-UpProj.npy as it was released, from Python 2, one channel wide.

    /usr/bin/python3 make_fcrn_file.py

Values as in make_matlab_files.py, by the names that chiaro gives the tensors.
"""
import gzip
import struct

import make_matlab_files as matlab
import make_python_files as python


def array(name, shape):
    raw = matlab.value(name, shape).astype("<f4").tobytes()
    return python.array2("f4", "<", shape, python.text2(raw))


def layers():
    matlab.WIDTH = 1
    for scope, shape, has_bias in matlab.upproj_scopes():
        if has_bias is None:
            parts = [(part, array(f"{scope}.{part}", (shape,))) for part in ("mean", "variance", "scale", "offset")]
        else:
            parts = [("weights", array(scope + ".weight", shape))]
            if has_bias:
                parts.append(("biases", array(scope + ".bias", shape[3:])))
        yield python.text2(scope), python.dictionary([(python.text2(name), value) for name, value in parts])


def main():
    pickled = b"\x80\x02" + python.array2("O8", "|", (), b"](" + python.dictionary(layers()) + b"e") + b"."
    header = "{'descr': '|O', 'fortran_order': False, 'shape': (), }"
    header += " " * (-(len(header) + 11) % 64) + "\n"
    data = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + pickled
    matlab.write_gz(python.path("fcrn_python2.npy.gz"), data)


if __name__ == "__main__":
    main()
