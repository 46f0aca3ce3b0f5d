#!/usr/bin/env python3
"""Writes the files of data/python that test_torch_files.cpp and test_numpy_files.cpp read.

    make_python_files.py [FOLDER]

Needs PyTorch >= 1.6 and NumPy (Debian: python3-torch, python3-numpy). All values are small integers that follow
from the index, so that the tests know them. The keys of PyTorch's legacy files are addresses and differ from run
to run.
"""
import argparse
import array
import collections
import datetime
import decimal
import fractions
import functools
import io
import ipaddress
import os
import pathlib
import pickle
import random
import struct
import sys
import types
import uuid
import zipfile

import numpy as np
import torch

FOLDER = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(os.path.abspath(__file__)), "data/python")


def path(name):
    return os.path.join(FOLDER, name)


def save_both(name, value):
    torch.save(value, path(name + "_zip.pth"))
    torch.save(value, path(name + "_legacy.pth"), _use_new_zipfile_serialization=False)


def ramp(*shape, dtype=torch.float32, first=0):
    count = int(np.prod(shape, dtype=int))
    return (torch.arange(count, dtype=torch.float64) + first).reshape(shape).to(dtype)


# --- Pickles written opcode by opcode, for what today's Python no longer writes ---

def text2(value):  # the str of Python 2
    raw = value if isinstance(value, bytes) else value.encode()
    return b"U" + bytes([len(raw)]) + raw if len(raw) < 256 else b"T" + struct.pack("<i", len(raw)) + raw


def unicode_text(value):
    raw = value.encode()
    return b"X" + struct.pack("<i", len(raw)) + raw


def number(value):
    return b"J" + struct.pack("<i", value)


def sequence(*items):
    return b"(" + b"".join(items) + b"t"


def name(module, attribute):
    return b"c" + module.encode() + b"\n" + attribute.encode() + b"\n"


def call(function, *arguments):
    return function + sequence(*arguments) + b"R"


def dictionary(pairs):
    return b"}(" + b"".join(key + value for key, value in pairs) + b"u"


# --- PyTorch ---

class Wants:
    """Pickles as a call of os.system."""

    def __reduce__(self):
        return os.system, ("true",)


class Evaluates:
    """Pickles as a call of eval."""

    def __reduce__(self):
        return eval, ("1",)


def inert():
    """A checkpoint with whatever people keep beside the weights."""
    counts = collections.defaultdict(list, {"loss": [0.5]})
    return {
        "network": collections.OrderedDict([("module.a", ramp(2, first=1)), ("n_averaged", torch.tensor(3))]),
        "scheduler": {"milestones": collections.Counter([3, 3, 9]), "history": collections.deque([1, 2], 5), "of": counts},
        "paths": [pathlib.PurePosixPath("a/b"), pathlib.PureWindowsPath("c:/d"), pathlib.PosixPath("/e")],
        "when": [datetime.datetime(2026, 1, 2, tzinfo=datetime.timezone.utc), datetime.timedelta(1), datetime.date(2026, 1, 2)],
        "sets": [{1, 2}, frozenset("ab"), set()],
        "numbers": [2**100, -2**70, 1 + 2j, decimal.Decimal("1.5"), fractions.Fraction(1, 3), np.float64(1), np.int64(2)],
        "ids": uuid.UUID(int=2**127 + 1),
        "arguments": argparse.Namespace(lr=0.1, out=pathlib.PosixPath("x")),
        "more": [types.SimpleNamespace(a=1), range(3), slice(1, 2), bytearray(b"ab"), b"cd", array.array("d", [1]),
                 np.arange(3), ipaddress.ip_address("127.0.0.1"), random.Random(1), int, collections.UserDict(a=1)],
    }


def make_torch():
    plain = collections.OrderedDict()
    plain["conv.weight"] = ramp(2, 3, 3, 3)
    plain["conv.bias"] = ramp(2, first=100)
    plain["norm.num_batches_tracked"] = torch.tensor(7)
    plain["empty"] = torch.zeros(0, 5)
    plain["epoch"] = 3
    plain["note"] = {"text": [1.5, None, True, torch.Size([2, 3]), torch.device("cpu"), torch.float32, 2**40]}
    save_both("plain", plain)

    types = collections.OrderedDict()
    for dtype in ("float32", "float64", "float16", "bfloat16", "int64", "int32", "int16", "int8"):
        types[dtype] = ramp(6, dtype=getattr(torch, dtype), first=-3)
    types["uint8"] = ramp(6, dtype=torch.uint8, first=250)
    types["bool"] = torch.tensor([False, True, False, True, True, False])
    save_both("types", types)

    base = ramp(3, 4)
    views = collections.OrderedDict()
    views["transposed"] = base.t()
    views["part"] = base[1:, 2:]
    views["column"] = base[:, 1]
    views["expanded"] = torch.tensor([5.0]).expand(2, 3)
    views["parameter"] = torch.nn.Parameter(ramp(2, 2))
    views["permuted"] = ramp(2, 3, 4).permute(2, 0, 1)
    save_both("views", views)

    save_both("parallel", {"module.a": ramp(2), "module.b": ramp(3)})
    for key in ("state_dict", "model_state_dict", "model", "net", "params", "params_ema", "weights"):
        torch.save({"epoch": 3, key: {"a": ramp(2, first=1)}, "args": {"lr": 0.1}}, path(f"nested_{key}.pth"))
    save_both("nested", {"epoch": 3, "optimizer": {"state": {0: {"step": ramp(4)}}}, "state_dict": {"a": ramp(2, first=1)}})

    for i, (before, between) in enumerate((("module.", ""), ("_orig_mod.", ""), ("module._orig_mod.", ""), ("model.", ""),
                                           ("net.module.", ""), ("style_net._orig_mod.", ""), ("a.b.model.", ""),
                                           ("", "module._orig_mod."))):
        save_both(f"wrapped{i}", {before + "features." + between + "0.weight": ramp(2, 3, 3, 3),
                                  before + "features." + between + "2.bias": ramp(2, first=7),
                                  "n_averaged": torch.tensor(3)})
    for protocol in range(2, 6):
        torch.save(inert(), path(f"inert_p{protocol}.pth"), pickle_protocol=protocol)
    for what, value in (("getattr", getattr), ("partial", functools.partial(print, 1)), ("eval", Evaluates())):
        torch.save({"a": ramp(2), "b": value}, path(f"refused_{what}.pth"))

    torch.save(torch.nn.Conv2d(1, 1, 1), path("module_zip.pth"))
    torch.jit.save(torch.jit.script(torch.nn.Conv2d(1, 1, 1)), path("script.pth"))
    save_both("no_tensors", {"epoch": 3, "names": ["a", "b"]})
    save_both("list", [ramp(2)])
    save_both("tensor", ramp(2))
    save_both("hostile", {"a": ramp(2), "b": Wants()})
    torch.save({"a": ramp(2, 2).to_sparse()}, path("sparse.pth"))

    source = zipfile.ZipFile(path("plain_zip.pth"))
    with zipfile.ZipFile(path("compressed.pth"), "w", zipfile.ZIP_DEFLATED) as out:
        for entry in source.namelist():
            out.writestr(entry, source.read(entry))
    np.savez(path("arrays.npz"), a=np.arange(3.0))
    with zipfile.ZipFile(path("other.zip"), "w") as out:
        out.writestr("readme.txt", "hello")

    rebuild = name("torch._utils", "_rebuild_tensor_v2")

    def tensor(storage, key, numel, offset, size, stride, view=None):
        identity = [unicode_text("storage"), name("torch", storage), unicode_text(key), unicode_text("cpu"), number(numel)]
        if view is not None:
            identity.append(view)
        return call(rebuild, sequence(*identity) + b"Q", number(offset), sequence(*map(number, size)),
                    sequence(*map(number, stride)), b"\x89", call(name("collections", "OrderedDict")))

    # As a machine with big-endian numbers writes it.
    big = dictionary([(unicode_text("a"), tensor("FloatStorage", "0", 3, 0, [3], [1]))])
    with zipfile.ZipFile(path("big_endian.pth"), "w") as out:
        out.writestr("big/data.pkl", b"\x80\x02" + big + b".")
        out.writestr("big/byteorder", "big")
        out.writestr("big/data/0", np.arange(3, dtype=">f4").tobytes())

    # PyTorch 2: untyped storages, whose size is in bytes, and the type in the call.
    untyped = sequence(unicode_text("storage"), name("torch.storage", "UntypedStorage"), unicode_text("0"),
                       unicode_text("cpu"), number(8)) + b"Q"
    version3 = call(name("torch._utils", "_rebuild_tensor_v3"), untyped, number(1), sequence(number(3)),
                    sequence(number(1)), b"\x89", call(name("collections", "OrderedDict")), name("torch", "int16"))
    wrapped = call(name("torch._tensor", "_rebuild_from_type_v2"), name("torch._utils", "_rebuild_parameter"),
                   name("torch.nn.parameter", "Parameter"), sequence(version3, b"\x88", b"N"), dictionary([]))
    with zipfile.ZipFile(path("untyped.pth"), "w") as out:
        out.writestr("data.pkl", b"\x80\x02" + dictionary([(unicode_text("a"), wrapped)]) + b".")
        out.writestr("data/0", np.arange(10, 14, dtype="<i2").tobytes())

    # PyTorch 0.3 under Python 2: views of storages, names that are str, an OrderedDict made from a list.
    view = sequence(text2("view"), number(2), number(3))
    items = b"](" + b"](" + text2("a") + tensor("DoubleStorage", "k", 6, 1, [2], [1], view) + b"ee"
    head = b"\x80\x02\x8a\x0a" + bytes.fromhex("6cfc9c46f9206aa85019") + b".\x80\x02M\xe9\x03.\x80\x02}."
    with open(path("python2.pth"), "wb") as out:
        out.write(head + b"\x80\x02" + call(name("collections", "OrderedDict"), items) + b".")
        out.write(b"\x80\x02](" + text2("k") + b"e." + struct.pack("<q", 6) + np.arange(6, dtype="<f8").tobytes())


# --- NumPy ---

def npy(file, pickled, descr="|O", shape="()"):
    header = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}"
    header += " " * (-(len(header) + 11) % 64) + "\n"
    with open(path(file), "wb") as out:
        out.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + pickled)


def network():
    f4 = np.float32
    return {
        "conv1": {"weights": np.arange(24, dtype=f4).reshape(1, 2, 3, 4), "biases": np.arange(4, dtype=f4) + 100},
        "bn_conv1": {"scale": np.arange(4, dtype=f4), "offset": np.arange(4, dtype=f4) + 10,
                     "mean": np.arange(4, dtype=f4) + 20, "variance": np.arange(4, dtype=f4) + 30},
        "orders": {"fortran": np.asfortranarray(np.arange(6, dtype=f4).reshape(2, 3)),
                   "big": np.arange(6, dtype=">f4"), "double": np.arange(6, dtype="<f8"),
                   "half": np.arange(6, dtype="<f2"), "short": np.arange(6, dtype=">i2") - 3,
                   "byte": (np.arange(256) % 256).astype(np.uint8), "bool": np.array([True, False]),
                   "scalar": f4(5), "empty": np.zeros((0, 3), f4)},
        "direct": np.arange(3, dtype=f4),
    }


def array2(dtype, order, shape, raw, fortran=False):
    """An array as NumPy under Python 2 pickles it."""
    made = call(name("numpy.core.multiarray", "_reconstruct"), name("numpy", "ndarray"), sequence(number(0)), text2("b"))
    of = call(name("numpy", "dtype"), text2(dtype), number(0), number(1))
    of += sequence(number(3), text2(order), b"N", b"N", b"N", number(-1), number(-1), number(0)) + b"b"
    extents = sequence(*(b"\x8a\x01" + bytes([extent]) for extent in shape))  # long
    return made + sequence(number(1), extents, of, b"\x89\x88"[fortran:fortran + 1], raw) + b"b"


def make_numpy():
    boxed = np.array(network(), dtype=object)
    for protocol in range(2, 6):
        npy(f"network_p{protocol}.npy", pickle.dumps(boxed, protocol=protocol))
    np.save(path("network_saved.npy"), network())

    weights = np.arange(24, dtype="<f4").reshape(1, 2, 3, 4)
    layers = [(text2("conv1"), dictionary([
        (text2("weights"), array2("f4", "<", (1, 2, 3, 4), text2(weights.tobytes()))),
        (text2("biases"), array2("f4", "<", (4,), text2((np.arange(4, dtype="<f4") + 100).tobytes())))])),
        (text2("orders"), dictionary([
            (text2("fortran"), array2("f4", ">", (2, 3), text2(np.arange(6, dtype=">f4").reshape(2, 3).tobytes("F")), True))]))]
    npy("network_python2.npy", b"\x80\x02" + array2("O8", "|", (), b"](" + dictionary(layers) + b"e") + b".")

    np.save(path("plain.npy"), np.arange(6, dtype=np.float32).reshape(2, 3))
    np.save(path("objects.npy"), np.array([{}, {}], dtype=object))
    np.save(path("structured.npy"), np.zeros(2, dtype=[("a", "<f4")]))
    for file, value in (("list", {"conv1": [np.arange(3.0), 1]}), ("deeper", {"a": {"b": {"c": np.arange(3.0)}}}),
                        ("empty", {}), ("complex", {"a": np.zeros(2, complex)})):
        np.save(path(file + ".npy"), np.array(value, dtype=object))
    np.save(path("hostile.npy"), np.array({"a": Wants()}, dtype=object))


if __name__ == "__main__":
    os.makedirs(FOLDER, exist_ok=True)
    make_torch()
    make_numpy()
