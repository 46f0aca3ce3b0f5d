#include "engine/io/weights_file.hpp"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "engine/io/file_kind.hpp"
#include "engine/io/h5_file.hpp"
#include "engine/io/half.hpp"
#include "engine/suggest.hpp"
#include "kernels/base/error.hpp"

namespace chiaro {
namespace {

constexpr const char* kWeightsFormat = "chiaro_weights";
constexpr std::int64_t kWeightsVersion = 1;

void check_json(const std::string& text, const char* name, const std::string& file) {
  if (nlohmann::json::parse(text, nullptr, false).is_object()) return;
  throw Error("{}: attribute '{}' is not a JSON object", file, name);
}

void check_contents(const WeightsFile& weights, const std::string& file) {
  check_json(weights.architecture, "architecture", file);
  check_json(weights.preprocess, "preprocess", file);
  check_json(weights.provenance, "provenance", file);
  for (const NamedTensor& tensor : weights.parameters) check_finite(tensor.name, tensor.values, file);
}

bool says_format(const H5Reader& file, const char* format) {
  if (!file.has_attribute("/", "format")) return false;
  try {
    return file.string_attribute("/", "format") == format;
  } catch (const Error&) {
    return false;  // somebody else's attribute, of another type
  }
}

// A number for all channels or a list of three.
std::array<double, 3> three(const nlohmann::json& value, const char* name, const std::string& where) {
  if (value.is_number()) return {value, value, value};
  const bool good = value.is_array() && value.size() == 3 &&
                    std::all_of(value.begin(), value.end(), [](const auto& v) { return v.is_number(); });
  if (!good)
    throw Error("{}: preprocess.{} is {}, expected a number or a list of three", where, name, value.dump());
  return {value[0], value[1], value[2]};
}

}  // namespace

void check_finite(const std::string& name, const std::vector<float>& values, const std::string& file) {
  if (std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); })) return;
  throw Error("{}: tensor '{}' holds NaN or infinity: the network diverged or the file is damaged", file,
              name);
}

bool is_style_name(const std::string& name) {
  return !name.empty() && name.size() <= 100 && name != "all" &&
         std::all_of(name.begin(), name.end(), [](unsigned char c) {
           return std::isalnum(c) || c >= 0x80 || c == '_' || c == '-' || c == '.' || c == ' ';
         });
}

std::string to_json(const Preprocess& preprocess) {
  return nlohmann::ordered_json{{"channels", "RGB"},
                                {"range", 255},
                                {"mean", preprocess.mean},
                                {"scale", preprocess.scale},
                                {"convention", preprocess.convention}}
      .dump();
}

Preprocess parse_preprocess(const std::string& json, const std::string& where) {
  const nlohmann::json parsed = nlohmann::json::parse(json, nullptr, false);
  if (!parsed.is_object()) throw Error("{}: preprocess is not a JSON object", where);
  const nlohmann::json channels = parsed.value("channels", nlohmann::json("RGB"));
  const nlohmann::json range = parsed.value("range", nlohmann::json(255));
  if (channels != "RGB" || range != 255) {
    throw Error("{}: preprocess asks for channels {} and range {}, expected \"RGB\" and 255", where,
                channels.dump(), range.dump());
  }
  Preprocess result;
  if (parsed.contains("mean")) result.mean = three(parsed["mean"], "mean", where);
  if (parsed.contains("scale")) result.scale = three(parsed["scale"], "scale", where);
  if (parsed.contains("convention") && parsed["convention"].is_string())
    result.convention = parsed["convention"];
  return result;
}

const NamedTensor* WeightsFile::find(std::string_view name) const {
  const auto found =
      std::find_if(parameters.begin(), parameters.end(), [&](const auto& t) { return t.name == name; });
  return found == parameters.end() ? nullptr : &*found;
}

bool is_native(const std::filesystem::path& path) {
  if (file_kind(InputFile(path)) != FileKind::Hdf5) return false;
  return is_native(H5Reader(path));
}

bool is_native(const H5Reader& file) {
  return says_format(file, kWeightsFormat);
}

bool is_checkpoint(const H5Reader& file) {
  return says_format(file, "chiaro_checkpoint");
}

WeightsFile read_weights(const std::filesystem::path& path) {
  return read_weights(H5Reader(path));
}

WeightsFile read_weights(const H5Reader& file) {
  if (!is_native(file)) {
    throw Error(
        "{}: is HDF5, but not a chiaro weights file (no attribute format = \"{}\"); convert it with "
        "import_weights",
        file.file(), kWeightsFormat);
  }
  const std::int64_t version = file.integer_attribute("/", "version");
  if (version != kWeightsVersion) {
    throw Error("{}: weights format version {}, this program reads version {}{}", file.file(), version,
                kWeightsVersion, version > kWeightsVersion ? "; use a newer chiaro" : "");
  }
  WeightsFile weights;
  weights.kind = file.string_attribute("/", "kind");
  weights.architecture = file.string_attribute("/", "architecture");
  weights.preprocess = file.string_attribute("/", "preprocess");
  weights.provenance = file.string_attribute("/", "provenance");
  std::int64_t bytes = 0;
  for (const std::string& name : file.datasets("parameters")) {
    const std::string dataset = "parameters/" + name;
    weights.parameters.push_back({name, file.shape(dataset), file.floats(dataset)});
    bytes += std::ssize(weights.parameters.back().values) * std::int64_t{sizeof(float)};
    if (!file.can_hold(bytes))
      throw Error("{}: its tensors claim more than a file of its size can hold: it is damaged", file.file());
  }
  check_contents(weights, file.file());
  return weights;
}

void write_weights(const std::filesystem::path& path, const WeightsFile& weights, bool half) {
  const std::string name = path.string();
  check_contents(weights, name);
  H5Writer file(path);
  file.attribute("/", "format", kWeightsFormat);
  file.attribute("/", "version", kWeightsVersion);
  file.attribute("/", "kind", weights.kind);
  file.attribute("/", "architecture", weights.architecture);
  file.attribute("/", "preprocess", weights.preprocess);
  file.attribute("/", "provenance", weights.provenance);
  file.group("parameters");
  std::set<std::string_view> seen;
  for (const NamedTensor& tensor : weights.parameters) {
    require(!tensor.name.empty() && tensor.name.find('/') == std::string::npos,
            "{}: '{}' cannot name a tensor", name, tensor.name);
    require(seen.insert(tensor.name).second, "{}: two tensors are named '{}'", name, tensor.name);
    file.floats("parameters/" + tensor.name, tensor.shape, tensor.values,
                half && fits_half(tensor.values) ? H5Float::Half : H5Float::Single);
  }
  file.close();
}

}  // namespace chiaro
