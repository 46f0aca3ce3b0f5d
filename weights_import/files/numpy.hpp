// NumPy files: headers, arrays, and dictionaries of arrays, which people save networks as.
#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/io/input_file.hpp"
#include "weights_import/files/pickle.hpp"
#include "weights_import/files/pickle_strided.hpp"
#include "weights_import/files/tensor_file.hpp"

namespace chiaro {

// The header of .npy files, versions 1, 2 and 3: a Python dictionary as text, parsed strictly.
// Source: numpy/lib/format.py.

struct NumpyHeader {
  std::string descr;  // "<f4", "|O"
  bool fortran_order = false;
  std::vector<std::int64_t> shape;
  std::int64_t data_offset = 0;  // where the values or the pickle begin
};

// Headers of more than 64 KiB, structured types and everything that np.save does not write are Errors.
NumpyHeader read_numpy_header(const InputFile& input);

// NumPy arrays inside a pickle.
//
// An array is numpy.core.multiarray._reconstruct(...) with the state (version, shape, dtype, fortran order, bytes), or,
// from protocol 5 on, numpy.core.numeric._frombuffer(bytes, dtype, shape, order); a dtype is numpy.dtype('f4', ...)
// with the state (version, byte order, ...). In pickles of protocol 2 from Python 3 the bytes are _codecs.encode(text,
// 'latin1').
// Source: numpy/core/src/multiarray/methods.c, descriptor.c.

struct NumpyArray {
  StridedTensor layout;
  PickleData data;      // points into the pickle, or into its file
  bool latin1 = false;  // data is UTF-8 text, one byte of the array per character
};

// The names that arrays need.
PickleRules numpy_pickle_rules();

bool is_numpy_array(const PickleValue& value);

// Checks that shape, type and number of bytes agree (for latin1 as far as it goes without decoding).
// what: "'conv1/weights'", for messages.
NumpyArray parse_numpy_array(const PickleValue& value, const std::string& what, const std::string& file);

// The object in an array of no extents whose elements are objects, as np.save(path, dictionary) makes;
// nothing for any other value.
std::optional<PickleValue> object_in_array(const PickleValue& value);

// The values in row-major order. input: the file of the pickle.
std::vector<float> read_numpy_array(const NumpyArray& array, const InputFile& input, const std::string& what);

// Networks as np.save(path, {layer: {parameter: array}}) writes them: a .npy file whose one element is a
// pickled dictionary. So the released FCRN (ResNet-UpProj) and other networks converted by caffe-tensorflow
// come. From Python 2 and 3, pickle protocols 0 to 5.

// Tensors are named "layer/parameter", or "name" where the dictionary holds an array directly. Checks all
// names, shapes and sizes. A plain array, deeper dictionaries and other values are Errors.
std::unique_ptr<TensorFile> open_numpy_dictionary(std::unique_ptr<InputFile> input);

}  // namespace chiaro
