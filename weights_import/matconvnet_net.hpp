// What MatConvNet's networks in .mat files have in common.
//
// A network is a struct with `layers`, saved as a variable of any name or spread over the file. SimpleNN: a cell of
// structs that hold their weights. DagNN: a struct array; weights are in the struct array `params`. Filter banks are
// (rows, columns, in, out): vl_nnconv slides them over (rows, columns, channels) pictures, and MatConvNet's converter
// from Caffe transposes filters to that order; its documentation names the first two the other way round. MATLAB drops
// extents of 1 at the end.
// Source: vlfeat/matconvnet, matlab/+dagnn, utils/import-caffe.py.
#pragma once
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "weights_import/files/mat_file.hpp"

namespace chiaro {

// Called before each tensor is read, with the bytes of values read so far and in all.
using MatConvNetProgress = std::function<void(std::int64_t done, std::int64_t total)>;

// The struct that holds `layers`; an Error that says what the file holds instead, and ends with `expected`.
const MatValue& matconvnet_network(const MatFile& file, const std::string& expected);

// A value inside nested structs, null when there is none.
const MatValue* mat_find(const MatValue& value, std::initializer_list<std::string_view> path);

// (rows, columns, in, out), with the extents that MATLAB dropped.
std::vector<std::int64_t> filter_shape(const MatValue& filters);

// A filter bank as (out, rows, columns, in).
std::vector<float> filters_krsc(const MatFile& file, const MatValue& filters);

}  // namespace chiaro
