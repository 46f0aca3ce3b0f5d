// chiaro's own weights files: HDF5 that says what it holds.
//
//   root attributes   format "chiaro_weights", version 1, kind, architecture, preprocess, provenance
//   group parameters  one fp32 or half dataset per tensor; dots, not groups, nest the names
//
// kind is a name that layers/networks/networks.hpp knows. architecture, preprocess and provenance are JSON
// objects as text:
//   architecture  what builds the network: transform_net {"width":32,...}, vgg19 {"depth":19,"width":64}
//   preprocess    see Preprocess below
//   provenance    where the values come from: {"source":..., "tool":..., ...}; no date, so that files
//   reproduce
// Weights of convolutions are KRSC (out channel, row, column, in channel). Values are kept in fp32 in memory.
// The same contents give the same bytes. Errors name the file, what was found and what was expected.
#pragma once
#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace chiaro {

class H5Reader;

// What can stand in a list of shares and in the name of a file: for styles of a transform_net, and terms of
// the loss.
bool is_style_name(const std::string& name);
// The same in words, for messages.
inline constexpr const char* kNameRule =
    "letters, digits, spaces, '_', '-' and '.', at most 100, and not \"all\"";

struct NamedTensor {
  std::string name;
  std::vector<std::int64_t> shape;
  std::vector<float> values;
};

// What a network wants to be fed, given RGB in 0..255: input[c] = (rgb[c] - mean[c]) * scale[c].
// The JSON form is {"channels":"RGB","range":255,"mean":[r,g,b],"scale":[r,g,b],"convention":"caffe"}.
struct Preprocess {
  std::array<double, 3> mean = {0, 0, 0};
  std::array<double, 3> scale = {1, 1, 1};
  std::string convention = "plain";  // "caffe", "torch" or "plain": whose weights they are, for people

  bool operator==(const Preprocess&) const = default;
};
std::string to_json(const Preprocess& preprocess);
// Throws Error, beginning with `where`, when the text is not such an object or another channel order is asked
// for.
Preprocess parse_preprocess(const std::string& json, const std::string& where);

struct WeightsFile {
  std::string kind;
  std::string architecture = "{}", preprocess = "{}", provenance = "{}";  // JSON objects
  std::vector<NamedTensor> parameters;                                    // in the order of the network

  const NamedTensor* find(std::string_view name) const;  // null when absent
};

// An Error, beginning with `file`, that names the tensor when a value is NaN or infinite.
void check_finite(const std::string& name, const std::vector<float>& values, const std::string& file);

// True for an HDF5 file whose format attribute says chiaro_weights; false for any other readable file.
bool is_native(const std::filesystem::path& path);
bool is_native(const H5Reader& file);
// Whether it is a checkpoint of a training (engine/checkpoint.hpp).
bool is_checkpoint(const H5Reader& file);

// Checks format, version, the JSON and that every value is finite.
WeightsFile read_weights(const std::filesystem::path& path);
WeightsFile read_weights(const H5Reader& file);

// Atomic. half rounds the tensors to IEEE half precision, but for those with a value beyond its range:
// running variances, for example, stay in single precision. Checks the same things before it writes.
void write_weights(const std::filesystem::path& path, const WeightsFile& weights, bool half = false);

}  // namespace chiaro
