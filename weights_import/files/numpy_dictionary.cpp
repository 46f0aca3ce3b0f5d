#include "weights_import/files/numpy_dictionary.hpp"

#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "engine/io/h5_file.hpp"
#include "kernels/base/error.hpp"
#include "weights_import/files/numpy_array.hpp"
#include "weights_import/files/numpy_header.hpp"

namespace chiaro {
namespace {

constexpr std::size_t kMaxTensors = 20000, kLongestName = 500;
constexpr std::string_view kExpected =
    "expected a dictionary of arrays, saved with np.save(path, {layer: {name: "
    "array}})";

// Where the pickle of the one object begins.
std::int64_t find_pickle(const InputFile& input) {
  const NumpyHeader header = read_numpy_header(input);
  if (header.descr != "|O" && header.descr != "O") {
    throw Error("{}: is a plain array of type '{}' and shape {}, {}", input.name(), printable(header.descr),
                shape_text(header.shape), kExpected);
  }
  if (!header.shape.empty()) {
    throw Error("{}: is an array of objects of shape {}, {}", input.name(), shape_text(header.shape),
                kExpected);
  }
  return header.data_offset;
}

class NumpyDictionary : public TensorFile {
 public:
  explicit NumpyDictionary(std::unique_ptr<InputFile> input)
      : TensorFile(input->name(), "NumPy dictionary", input->bytes()),
        input_(std::move(input)),
        pickle_(*input_, find_pickle(*input_), numpy_pickle_rules()) {
    const PickleValue root = object_in_array(pickle_.root()).value_or(pickle_.root());
    if (!root.is_dictionary()) throw Error("{}: holds {}, {}", file(), root.describe(), kExpected);
    for (const auto& [key, value] : root.entries()) {
      const std::string layer = name_of(key, "the name of a layer");
      if (is_numpy_array(value)) {
        add(layer, value);
      } else if (value.is_dictionary()) {
        for (const auto& [parameter, array] : value.entries()) {
          add(fmt::format("{}/{}", layer, name_of(parameter, "the name of a parameter")), array);
        }
      } else {
        throw Error("{}: layer '{}' is {}, {}", file(), printable(layer), value.describe(), kExpected);
      }
    }
    if (tensors_.empty()) throw Error("{}: holds a dictionary without arrays, {}", file(), kExpected);
  }

 protected:
  std::vector<float> read_values(std::size_t index) const override {
    return read_numpy_array(arrays_.at(index), *input_, "'" + printable(tensors_[index].name) + "'");
  }

 private:
  std::string name_of(const PickleValue& key, std::string_view what) const {
    const std::string_view name = key.text(what);
    if (name.size() > kLongestName) throw Error("{}: {} has more than {} bytes", file(), what, kLongestName);
    return std::string(name);
  }

  void add(const std::string& name, const PickleValue& value) {
    if (!is_numpy_array(value)) {
      throw Error("{}: '{}' is {}, expected an array", file(), printable(name), value.describe());
    }
    if (tensors_.size() == kMaxTensors) throw Error("{}: holds more than {} arrays", file(), kMaxTensors);
    if (!names_.insert(name).second) throw Error("{}: holds two arrays '{}'", file(), printable(name));
    arrays_.push_back(parse_numpy_array(value, "'" + printable(name) + "'", file()));
    tensors_.push_back({name, arrays_.back().layout.shape, arrays_.back().layout.type});
  }

  std::unique_ptr<InputFile> input_;
  Pickle pickle_;
  std::vector<NumpyArray> arrays_;
  std::unordered_set<std::string> names_;
};

}  // namespace

std::unique_ptr<TensorFile> open_numpy_dictionary(const std::filesystem::path& path) {
  return std::make_unique<NumpyDictionary>(std::make_unique<InputFile>(path));
}

}  // namespace chiaro
