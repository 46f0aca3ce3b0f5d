#include "weights_import/files/mat_v73.hpp"

#include <algorithm>
#include <array>
#include <unordered_map>

#include "engine/io/h5_file.hpp"
#include "kernels/base/error.hpp"
#include "weights_import/files/mat_file.hpp"

namespace chiaro {
namespace {

constexpr std::int64_t kMostTextUnits = 1 << 20, kIntegerBytesAlways = 64 << 20;
const std::string kReferenced = "/#refs#";

bool is_number_class(const std::string& type) {
  constexpr std::array<std::string_view, 11> kNumbers = {"double", "single", "int8",   "uint8",
                                                         "int16",  "uint16", "int32",  "uint32",
                                                         "int64",  "uint64", "logical"};
  return std::find(kNumbers.begin(), kNumbers.end(), type) != kNumbers.end();
}

class MatV73Reader : public MatReader {
 public:
  explicit MatV73Reader(const InputFile& input)
      : file_(input), file_bytes_(input.bytes()), budget_(input.name(), file_bytes_) {}

  MatValue parse() override {
    if (file_.exists(kReferenced)) {
      for (const std::string& name : file_.groups(kReferenced)) note_referenced(name, true);
      for (const std::string& name : file_.datasets(kReferenced)) note_referenced(name, false);
    }
    MatValue variables = one_struct();
    for (const std::string& name : file_.groups("/")) {
      if (name.starts_with('#')) continue;  // what references mean, and objects
      add_field(variables, name, group("/" + name, 0));
    }
    for (const std::string& name : file_.datasets("/")) add_field(variables, name, dataset("/" + name, 0));
    return variables;
  }

  std::vector<float> column_major(const MatValue& value) override {
    if (value.type == "single" || value.type == "double") return file_.floats(value.payload.dataset);
    // Integers pass through 64 bits: twice what MatFile allows for.
    if (value.count() > (kIntegerBytesAlways + 2 * file_bytes_) / 8) {
      throw Error("{}: '{}' claims {} integers, more than a file of {} bytes should hold: it is damaged",
                  file_.file(), value.payload.dataset, value.count(), file_bytes_);
    }
    const std::vector<std::int64_t> integers = file_.integers(value.payload.dataset);
    return std::vector<float>(integers.begin(), integers.end());
  }

 private:
  struct Object {
    std::string path;
    bool is_group;
  };

  static MatValue one_struct() {
    MatValue value;
    value.kind = MatKind::Struct;
    value.type = "struct";
    value.shape = {1, 1};
    return value;
  }

  void note_referenced(const std::string& name, bool is_group) {
    const std::string path = kReferenced + "/" + name;
    budget_.take(static_cast<std::int64_t>(sizeof(Object) + path.size() + 32));
    referenced_[file_.reference_to(path)] = {path, is_group};
  }

  void add_field(MatValue& parent, const std::string& name, MatValue value) {
    parent.fields.push_back(name);
    parent.items.push_back(std::move(value));
  }

  std::string class_of(const std::string& path) const {
    return file_.has_attribute(path, "MATLAB_class") ? file_.string_attribute(path, "MATLAB_class") : "";
  }

  void enter(const std::string& path, int depth) {
    budget_.check_depth(depth);
    budget_.take(static_cast<std::int64_t>(sizeof(MatValue) + 2 * path.size()));
  }

  MatValue group(const std::string& path, int depth) {
    enter(path, depth);
    const std::string type = class_of(path);
    MatValue value = one_struct();
    if (file_.has_attribute(path, "MATLAB_sparse") || (!type.empty() && type != "struct")) {
      value.kind = MatKind::Other;
      value.type = is_number_class(type) ? "sparse" : type;
      return value;
    }
    const std::vector<std::string> groups = file_.groups(path), datasets = file_.datasets(path);
    const auto is_list = [&](const std::string& name) {
      const std::string member = path + "/" + name;
      return class_of(member).empty() && file_.holds_references(member);
    };
    if (groups.empty() && !datasets.empty() && std::all_of(datasets.begin(), datasets.end(), is_list)) {
      return struct_array(path, datasets, depth);
    }
    for (const std::string& name : groups) add_field(value, name, group(path + "/" + name, depth + 1));
    for (const std::string& name : datasets) add_field(value, name, dataset(path + "/" + name, depth + 1));
    return value;
  }

  // Each field is a dataset of as many references as there are structs.
  MatValue struct_array(const std::string& path, const std::vector<std::string>& fields, int depth) {
    MatValue value = one_struct();
    value.fields = fields;
    std::vector<std::vector<std::uint64_t>> lists;
    for (const std::string& name : fields) {
      value.shape = matlab_shape(path + "/" + name);
      lists.push_back(references(path + "/" + name));
      if (lists.back().size() != lists.front().size()) {
        throw Error("{}: the struct array '{}' has {} values of '{}', but {} of '{}': the file is damaged",
                    file_.file(), path, lists.front().size(), fields.front(), lists.back().size(), name);
      }
    }
    for (std::size_t i = 0; i < lists.front().size(); ++i) {
      for (const auto& list : lists) value.items.push_back(referenced(list[i], depth + 1));
    }
    return value;
  }

  std::vector<std::uint64_t> references(const std::string& path) {
    budget_.take(8 * budget_.count(file_.shape(path)));
    return file_.references(path);
  }

  MatValue referenced(std::uint64_t reference, int depth) {
    const auto found = referenced_.find(reference);
    if (found == referenced_.end()) {
      throw Error("{}: a cell or struct refers to an object that is not in '{}': the file is damaged",
                  file_.file(), kReferenced);
    }
    const Object object = found->second;
    return object.is_group ? group(object.path, depth) : dataset(object.path, depth);
  }

  std::vector<std::int64_t> matlab_shape(const std::string& path) const {
    std::vector<std::int64_t> shape = file_.shape(path);
    std::reverse(shape.begin(), shape.end());
    budget_.count(shape);
    return shape;
  }

  MatValue dataset(const std::string& path, int depth) {
    enter(path, depth);
    MatValue value;
    value.type = class_of(path);
    const bool refers = file_.holds_references(path);
    if (value.type.empty()) value.type = refers ? "cell" : "double";
    value.shape = matlab_shape(path);
    const bool empty =
        file_.has_attribute(path, "MATLAB_empty") && file_.integer_attribute(path, "MATLAB_empty") != 0;
    if (empty) value.shape = {0, 0};
    if (value.type == "cell") {
      value.kind = MatKind::Cell;
      if (empty) return value;
      for (const std::uint64_t reference : references(path))
        value.items.push_back(referenced(reference, depth + 1));
    } else if (value.type == "struct" && empty) {
      value.kind = MatKind::Struct;
    } else if (value.type == "char") {
      value.kind = MatKind::Text;
      if (!empty) value.text = text(path, budget_.count(value.shape));
    } else if (is_number_class(value.type)) {
      value.payload.dataset = path;
    } else {
      value.kind = MatKind::Other;
    }
    return value;
  }

  std::string text(const std::string& path, std::int64_t count) {
    if (count > kMostTextUnits) {
      throw Error("{}: the text '{}' claims {} characters: the file is damaged or not a file of weights",
                  file_.file(), path, count);
    }
    budget_.take(16 * count);
    const std::vector<std::int64_t> units = file_.integers(path);
    return mat_utf8(std::vector<std::uint32_t>(units.begin(), units.end()));
  }

  H5Reader file_;
  std::int64_t file_bytes_;
  MatBudget budget_;
  std::unordered_map<std::uint64_t, Object> referenced_;
};

}  // namespace

std::unique_ptr<MatReader> open_mat_v73(const InputFile& input) {
  return std::make_unique<MatV73Reader>(input);
}

}  // namespace chiaro
