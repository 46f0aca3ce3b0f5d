// The tensors of a foreign file, taken by name with every check that a user's file needs.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "weights_import/files/tensor_file.hpp"
#include "weights_import/import_options.hpp"
#include "weights_import/state_dict.hpp"

namespace chiaro {

// What the names of a file's tensors look like, for messages: "torchvision's VGG-19", "3 tensors: 'a', 'b',
// 'c'".
std::string guess_network(const TensorFile& file);

// Throws Error: the file does not hold the network; what it looks like, and what was expected.
[[noreturn]] void throw_wrong_network(const TensorFile& file, const std::string& kind,
                                      const std::string& expected);

// Reads the tensors of the mappings, in their order; those with layout Zeros are not read. Missing tensors,
// other shapes, NaN and infinity are Errors that name the file and the tensor.
std::vector<NamedTensor> read_tensors(const TensorFile& file, const std::vector<TensorMapping>& mappings,
                                      const ImportOptions& options);

// Puts tensors into the order of a description. Missing ones, all of them named, and wrong shapes are Errors that begin
// with `file`; others are dropped.
std::vector<NamedTensor> in_order(std::vector<NamedTensor> found, const std::vector<ParameterShape>& wanted,
                                  const std::string& network, const std::string& file);

// {"source":..., "format":..., "tool":...}
std::string import_provenance(const TensorFile& file, const std::string& note);

}  // namespace chiaro
