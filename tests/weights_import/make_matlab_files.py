#!/usr/bin/env python3
"""Writes the MATLAB files that test_mat_files.cpp and test_matconvnet.cpp read, into data/matlab/.

    python3 make_matlab_files.py

Networks have the layouts of the released ones with few channels (4 in the first layer). Every value follows from
the tensor's name and its place, so that the tests compute what they expect: see value(). Files ending in .gz are
plain files, compressed as a whole for the repository; the tests unpack them. Needs NumPy, SciPy and h5py.
"""
import gzip
import pathlib
import struct
import zlib

import h5py
import numpy as np
import scipy.io

OUT = pathlib.Path(__file__).parent / "data" / "matlab"
WIDTH = 4


def seed(name):
    return sum((i + 1) * byte for i, byte in enumerate(name.encode())) % 61


def value(name, shape):
    """Integers -30..30, a function of the name and the indices (h, w, in, out) or (i)."""
    total = np.full(shape, seed(name), np.int64)
    for axis, (extent, step) in enumerate(zip(shape, (5, 11, 3, 7))):
        total += step * np.arange(extent).reshape([-1 if a == axis else 1 for a in range(len(shape))])
    return (total % 61 - 30).astype(np.float32)


def moments(scope, channels):
    mean = value(scope + ".mean", (channels,))
    deviation = 0.5 + (value(scope + ".deviation", (channels,)) + 30) / 4
    return np.stack([mean, deviation], 1).astype(np.float32)


def cell(items):
    out = np.empty((1, len(items)), object)
    for i, item in enumerate(items):
        out[0, i] = item
    return out


def struct_array(records):
    """A list of dictionaries with the same keys, as SciPy writes struct arrays."""
    out = np.empty((1, len(records)), [(key, object) for key in records[0]])
    for i, record in enumerate(records):
        for key, item in record.items():
            out[key][0, i] = item
    return out


def write_gz(path, data):
    with open(path, "wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as out:
        out.write(data)


def savemat(path, variables, compress):
    """SciPy's file without the time in its header."""
    scipy.io.savemat(path, variables, do_compression=compress, oned_as="row", long_field_names=True)
    data = bytearray(path.read_bytes())
    data[:116] = b"MATLAB 5.0 MAT-file, written by make_matlab_files.py".ljust(116)
    path.unlink()
    if compress:
        path.write_bytes(data)
    else:
        write_gz(path.with_name(path.name + ".gz"), bytes(data))


# MATLAB 7.3 ----------------------------------------------------------------------------------------------------

class Hdf5Writer:
    """Dictionaries become structs, lists of dictionaries struct arrays, tuples cells."""

    def __init__(self, path):
        self.path = path
        self.file = h5py.File(path, "w", userblock_size=512)
        self.refs = self.file.create_group("#refs#")
        self.count = 0

    def close(self):
        self.file.close()
        data = bytearray(self.path.read_bytes())
        data[:116] = b"MATLAB 7.3 MAT-file, written by make_matlab_files.py".ljust(116)
        data[124:128] = b"\0\2IM"
        self.path.unlink()
        write_gz(self.path.with_name(self.path.name + ".gz"), bytes(data))

    def reference(self, item):
        name = f"r{self.count}"
        self.count += 1
        self.write(self.refs, name, item)
        return self.refs[name].ref

    def mark(self, node, matlab_class):
        node.attrs.create("MATLAB_class", np.bytes_(matlab_class))

    def references(self, parent, name, items):
        list_ = [self.reference(item) for item in items]
        node = parent.create_dataset(name, (len(list_), 1), h5py.ref_dtype)
        for i, reference in enumerate(list_):
            node[i, 0] = reference
        return node

    def write(self, parent, name, item):
        if isinstance(item, dict):
            node = parent.create_group(name)
            self.mark(node, "struct")
            for key, field in item.items():
                self.write(node, key, field)
        elif isinstance(item, list):
            node = parent.create_group(name)
            self.mark(node, "struct")
            for key in item[0]:
                self.references(node, key, [record[key] for record in item])
        elif isinstance(item, tuple) and item:
            self.mark(self.references(parent, name, item), "cell")
        elif isinstance(item, str) and item:
            units = np.frombuffer(item.encode("utf-16-le"), np.uint16).reshape(-1, 1)
            node = parent.create_dataset(name, data=units)
            self.mark(node, "char")
            node.attrs.create("MATLAB_int_decode", np.int32(2))
        elif isinstance(item, (str, tuple)):
            node = parent.create_dataset(name, data=np.array([0, 0], np.uint64))
            self.mark(node, "char" if isinstance(item, str) else "cell")
            node.attrs.create("MATLAB_empty", np.uint8(1))
        else:
            item = np.atleast_2d(np.asarray(item))
            while item.ndim > 2 and item.shape[-1] == 1:
                item = item[..., 0]
            packed = {"compression": "gzip", "chunks": True} if item.size > 8000 else {}
            node = parent.create_dataset(name, data=item.T, **packed)
            names = {"float32": "single", "float64": "double"}
            self.mark(node, names.get(item.dtype.name, item.dtype.name))


# VGG -----------------------------------------------------------------------------------------------------------

def vgg_layers(depth):
    """(name, None) for ReLUs and pools, (name, shape) for convolutions; as in the released networks."""
    per_block = (2, 2, 4, 4, 4) if depth == 19 else (2, 2, 3, 3, 3)
    channels = 3
    for block, convs in enumerate(per_block, 1):
        out = WIDTH * min(8, 2 ** (block - 1))
        for index in range(1, convs + 1):
            yield f"conv{block}_{index}", (3, 3, channels, out)
            yield f"relu{block}_{index}", None
            channels = out
        yield f"pool{block}", None
    yield "fc6", (7, 7, channels, 8)
    yield "relu6", None
    yield "fc7", (1, 1, 8, 8)
    yield "prob", None


def vgg_layer(name, shape, old, make_cell):
    if shape is None:
        kind = {"r": "relu", "p": "pool" if name[1] == "o" else "softmax"}[name[0]]
        return {"type": kind} if old else {"name": name, "type": kind}
    filters, biases = value(name + ".weight", shape), value(name + ".bias", (shape[3],))
    pad = np.ones((1, 4)) if name.startswith("conv") else np.zeros((1, 4))
    if old:
        return {"type": "conv", "filters": filters, "biases": biases.reshape(1, -1), "pad": pad, "stride": np.ones((1, 2))}
    return {"weights": make_cell([filters, biases.reshape(-1, 1)]), "pad": pad, "type": "conv", "name": name,
            "stride": np.ones((1, 2)), "size": np.array([shape], float)}


def vgg_meta(make_cell):
    y, x, c = np.meshgrid(np.arange(224), np.arange(224), np.arange(3), indexing="ij")
    image = (100 + 10 * c + np.where((y + x) % 2, 0.5, -0.5)).astype(np.float32)
    return {"inputs": {"name": "data", "size": np.array([[224.0, 224, 3, 10]])},
            "classes": {"name": make_cell(["n01440764", "n01443537"]), "description": make_cell(["tench", "goldfish"])},
            "normalization": {"imageSize": np.array([[224.0, 224, 3]]), "keepAspect": np.array([[1]], np.uint8),
                              "averageImage": image, "interpolation": "bilinear"}}


def make_vgg():
    new = cell([vgg_layer(name, shape, False, cell) for name, shape in vgg_layers(19)])
    savemat(OUT / "vgg19_meta.mat", {"layers": new, "meta": vgg_meta(cell)}, True)
    mean = np.array([123.68, 116.779, 103.939], np.float32).reshape(1, 1, 3)
    old = cell([vgg_layer(name, shape, True, cell) for name, shape in vgg_layers(16)])
    savemat(OUT / "vgg16_old.mat", {"layers": old, "normalization": {"averageImage": mean}}, False)
    out = Hdf5Writer(OUT / "vgg19_v73.mat")
    out.write(out.file, "layers", tuple(vgg_layer(name, shape, False, tuple) for name, shape in vgg_layers(19)))
    out.write(out.file, "meta", {"normalization": {"averageImage": mean}})
    out.close()


# ResNet-UpProj -------------------------------------------------------------------------------------------------

def upproj_scopes():
    """(scope, filter shape, has bias) of convolutions and (scope, channels, None) of batch norms, in order."""
    w = WIDTH
    yield "conv1", (7, 7, 3, w), True
    yield "bn_conv1", w, None
    channels = w
    for stage, blocks, inner in ((2, 3, w), (3, 4, 2 * w), (4, 6, 4 * w), (5, 3, 8 * w)):
        for block in "abcdef"[:blocks]:
            scope = f"{stage}{block}_branch"
            pairs = [("2a", 1, channels, inner), ("2b", 3, inner, inner), ("2c", 1, inner, 4 * inner)]
            if block == "a":
                pairs.append(("1", 1, channels, 4 * inner))
            for branch, extent, c, k in pairs:
                yield f"res{scope}{branch}", (extent, extent, c, k), False
                yield f"bn{scope}{branch}", k, None
            channels = 4 * inner
    yield "layer1", (1, 1, channels, channels // 2), True
    yield "layer1_BN", channels // 2, None
    channels //= 2
    for name in ("layer2x", "layer4x", "layer8x", "layer16x"):
        out = channels // 2
        for branch in ("br1", "br2"):
            for letter, h, w_ in (("A", 3, 3), ("B", 2, 3), ("C", 3, 2), ("D", 2, 2)):
                yield f"{name}_{branch}_Conv{letter}", (h, w_, channels, out), True
            yield f"{name}_{branch}_BN", out, None
            if branch == "br1":
                yield f"{name}_Conv", (3, 3, out, out), True
                yield f"{name}_BN", out, None
        channels = out
    yield "ConvPred", (3, 3, channels, 1), True


NYU = {"A": (1, 1, 1, 1), "B": (1, 0, 1, 1), "C": (1, 1, 1, 0), "D": (1, 0, 1, 0)}
MAKE3D = {"A": (1, 1, 1, 1), "B": (0, 1, 1, 1), "C": (1, 1, 0, 1), "D": (0, 1, 0, 1)}


def upproj(make_cell, pads, layer_name, param_name, layers_have_params):
    """Lists of the records `layers` and `params`."""
    layers, params = [], []

    def layer(name, kind, block, names):
        record = {"name": layer_name(name), "type": kind}
        if layers_have_params:
            record |= {"inputs": make_cell(["x"]), "outputs": make_cell([name]), "params": make_cell(names)}
        layers.append(record | {"block": block})

    def param(name, array):
        if array.ndim == 4 and array.shape[3] == 1:  # MATLAB drops extents of 1 at the end
            array = array[..., 0]
        params.append({"name": param_name(name, len(params)), "value": array})
        return params[-1]["name"]

    for scope, shape, has_bias in upproj_scopes():
        if has_bias is None:
            # Columns and rows both occur.
            names = [param(scope + "_mult", value(scope + ".scale", (shape,)).reshape(-1, 1)),
                     param(scope + "_bias", value(scope + ".offset", (shape,)).reshape(1, -1)),
                     param(scope + "_moments", moments(scope, shape))]
            layer(scope, "dagnn.BatchNorm", {"epsilon": np.array([[1e-5]])}, names)
            if scope.startswith("bn") and layers_have_params:
                layer(scope + "_relu", "dagnn.ReLU", {"leak": np.array([[0.0]])}, [])
            continue
        names = [param(scope + "_filter", value(scope + ".weight", shape))]
        if has_bias:
            names.append(param(scope + "_bias", value(scope + ".bias", (shape[3],)).reshape(-1, 1)))
        block = {"hasBias": np.array([[has_bias]], np.uint8)} | ({"size": np.array([shape], float)} if layers_have_params else {})
        if pads and scope[-5:-1] == "Conv":
            block["pad"] = np.array([pads[scope[-1]]], float)
        layer(scope, "dagnn.Conv", block, names)
    return layers, params


def make_upproj():
    meta = lambda h, w: {"normalization": {"imageSize": np.array([[h, w, 3]], float), "border": np.zeros((1, 2))}}
    same = lambda name, count=0: name
    vars_ = struct_array([{"name": "data", "precious": np.array([[0.0]])}, {"name": "prediction", "precious": np.array([[1.0]])}])
    layers, params = upproj(cell, NYU, same, same, True)
    savemat(OUT / "upproj_nyu.mat", {"vars": vars_, "params": struct_array(params[::-1]), "layers": struct_array(layers),
                                     "meta": meta(230, 173)}, True)  # the padding of the layers counts
    # Names that only the layers explain, other spellings of layers, one variable, no padding in the layers.
    layers, params = upproj(cell, None, lambda name: name.upper().replace("_", "-", 1), lambda name, count: f"p{count}", True)
    savemat(OUT / "upproj_make3d.mat", {"net": {"vars": vars_, "params": struct_array(params), "layers": struct_array(layers),
                                                "meta": meta(230, 173)}}, False)
    layers, params = upproj(tuple, MAKE3D, same, same, False)
    out = Hdf5Writer(OUT / "upproj_v73.mat")
    for name, item in (("params", params), ("layers", layers)):
        out.write(out.file, name, item)
    out.close()


# Every kind of MATLAB 5 data, byte by byte ----------------------------------------------------------------------

class Level5:
    """Arrays as MATLAB stores them, in either byte order."""

    CODES = {"i1": 1, "u1": 2, "i2": 3, "u2": 4, "i4": 5, "u4": 6, "f4": 7, "f8": 9, "i8": 12, "u8": 13}
    CLASSES = {"cell": 1, "struct": 2, "object": 3, "char": 4, "sparse": 5, "double": 6, "single": 7, "int8": 8, "uint8": 9,
               "int16": 10, "uint16": 11, "int32": 12, "uint32": 13, "int64": 14, "uint64": 15, "function_handle": 16,
               "opaque": 17}

    def __init__(self, order):
        self.order = order

    def element(self, code, data):
        if 0 < len(data) <= 4:
            return struct.pack(self.order + "I", len(data) << 16 | code) + data.ljust(4, b"\0")
        return struct.pack(self.order + "II", code, len(data)) + data + b"\0" * (-len(data) % 8)

    def numbers(self, values, stored):
        return self.element(self.CODES[stored], np.asarray(values).flatten("F").astype(self.order + stored).tobytes())

    def array(self, name, kind, shape, *parts, flags=0):
        head = self.numbers([self.CLASSES[kind] | flags << 8, 0], "u4")
        if kind != "opaque":
            head += self.numbers(shape, "i4")
        data = head + self.element(1, name.encode()) + b"".join(parts)
        return struct.pack(self.order + "II", 14, len(data)) + data

    def fields(self, *names):
        return self.numbers([8], "i4") + self.element(1, b"".join(name.encode().ljust(8, b"\0") for name in names))

    def header(self):
        mark = b"IM" if self.order == "<" else b"MI"
        return b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack(self.order + "H", 0x0100) + mark

    def features(self):
        grid = np.array([[0, 1, 2], [10, 11, 12]])
        cube = np.arange(8).reshape(2, 2, 2) - 4
        one = lambda n: self.array("", "double", (1, 1), self.numbers([n], "u1"))
        yield self.array("narrow", "double", (2, 3), self.numbers(grid, "u1"))
        yield self.array("scalar", "single", (1, 1), self.numbers([7], "i2"))
        yield self.array("single", "single", (2, 3), self.numbers(grid * 0.5, "f4"))
        yield self.array("double", "double", (2, 3), self.numbers(grid * 0.25, "f8"))
        for kind, stored in (("int8", "i1"), ("int16", "i2"), ("int32", "i4"), ("int64", "i8")):
            yield self.array(kind, kind, (2, 2, 2), self.numbers(cube, stored))
        for kind, stored in (("uint8", "u1"), ("uint16", "u2"), ("uint32", "u4"), ("uint64", "u8")):
            top = np.array([[2 ** (8 * int(stored[1]) - 1)]], np.uint64)
            yield self.array(kind, kind, (1, 1), self.numbers(top, stored))
        yield self.array("logical", "uint8", (1, 2), self.numbers([1, 0], "u1"), flags=2)
        yield self.array("utf16", "char", (1, 5), self.element(17, "Grüße".encode("utf-16" + ("-le" if self.order == "<" else "-be"))))
        yield self.array("utf8", "char", (1, 3), self.element(16, "abc".encode()))
        yield self.array("units", "char", (1, 2), self.numbers([72, 105], "u2"))
        yield self.array("empty", "double", (0, 0), self.numbers([], "f8"))
        yield self.array("pair", "cell", (1, 2), one(5),
                         self.array("", "struct", (1, 1), self.fields("deep"), self.array("", "char", (1, 1), self.numbers([120], "u2"))))
        yield self.array("list", "struct", (1, 2), self.fields("x", "y"), one(1), one(2), one(3), struct.pack(self.order + "II", 14, 0))
        yield self.array("sparse", "sparse", (2, 2), self.numbers([0], "i4"), self.numbers([0, 1, 1], "i4"), self.numbers([5], "f8"))
        yield self.array("handle", "function_handle", (1, 1), one(0))
        yield self.array("object", "object", (1, 1), self.element(1, b"thing"), self.fields("x"), one(1))
        yield self.array("opaque", "opaque", None, self.element(1, b"MCOS"), self.element(1, b"string"), one(1))
        yield self.array("complex", "double", (1, 1), self.numbers([1], "u1"), self.numbers([2], "u1"), flags=8)
        yield self.array("last", "double", (1, 1), self.numbers([42], "f8"))


def make_features():
    for name, order, packed in (("features_le.mat", "<", False), ("features_be.mat", ">", False), ("features_be_packed.mat", ">", True)):
        writer = Level5(order)
        data = writer.header()
        for variable in writer.features():
            small = zlib.compress(variable, 9)
            data += struct.pack(order + "II", 15, len(small)) + small if packed else variable
        (OUT / name).write_bytes(data)
    scipy.io.savemat(OUT / "version4.mat", {"a": np.arange(6.0).reshape(2, 3)}, format="4")
    out = Hdf5Writer(OUT / "features_v73.mat")
    grid = np.array([[0, 1, 2], [10, 11, 12]])
    for name, item in (("single", (grid * 0.5).astype(np.float32)), ("int16", (np.arange(8).reshape(2, 2, 2) - 4).astype(np.int16)),
                       ("uint64", np.array([[2 ** 63]], np.uint64)), ("utf16", "Grüße"), ("none", ""), ("nothing", ()),
                       ("pair", (np.array([[5.0]]), {"deep": "x"})), ("list", [{"x": np.array([[1.0]]), "y": "a"}, {"x": np.array([[3.0]]), "y": "b"}])):
        out.write(out.file, name, item)
    handle = out.file.create_dataset("handle", data=np.zeros((1, 1), np.uint32))
    out.mark(handle, "function_handle")
    sparse = out.file.create_group("sparse")
    out.mark(sparse, "double")
    sparse.attrs.create("MATLAB_sparse", np.uint64(2))
    out.close()


if __name__ == "__main__":
    OUT.mkdir(parents=True, exist_ok=True)
    make_vgg()
    make_upproj()
    make_features()
