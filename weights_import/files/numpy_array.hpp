// NumPy arrays inside a pickle.
//
// An array is numpy.core.multiarray._reconstruct(...) with the state (version, shape, dtype, fortran order, bytes), or,
// from protocol 5 on, numpy.core.numeric._frombuffer(bytes, dtype, shape, order); a dtype is numpy.dtype('f4', ...)
// with the state (version, byte order, ...). In pickles of protocol 2 from Python 3 the bytes are _codecs.encode(text,
// 'latin1').
// Source: numpy/core/src/multiarray/methods.c, descriptor.c.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "weights_import/files/pickle.hpp"
#include "weights_import/files/pickle_strided.hpp"

namespace chiaro {

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

}  // namespace chiaro
