#include "weights_import/files/torch_state_dict.hpp"

#include <algorithm>
#include <cctype>
#include <optional>
#include <sstream>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "engine/suggest.hpp"
#include "kernels/base/error.hpp"

namespace chiaro {

namespace {

constexpr std::string_view kTensor = "torch._utils._rebuild_tensor";
constexpr std::string_view kTensorV2 = "torch._utils._rebuild_tensor_v2";
constexpr std::string_view kTensorV3 = "torch._utils._rebuild_tensor_v3";
constexpr std::string_view kParameter = "torch._utils._rebuild_parameter";
constexpr std::string_view kParameterWithState = "torch._utils._rebuild_parameter_with_state";
constexpr std::string_view kFromType = "torch._tensor._rebuild_from_type_v2";

struct TorchType {
  std::string_view storage, dtype;
  ElementType type;
};
constexpr TorchType kTorchTypes[] = {
    {"FloatStorage", "float32", ElementType::F32}, {"DoubleStorage", "float64", ElementType::F64},
    {"HalfStorage", "float16", ElementType::F16},  {"BFloat16Storage", "bfloat16", ElementType::BF16},
    {"LongStorage", "int64", ElementType::I64},    {"IntStorage", "int32", ElementType::I32},
    {"ShortStorage", "int16", ElementType::I16},   {"CharStorage", "int8", ElementType::I8},
    {"ByteStorage", "uint8", ElementType::U8},     {"BoolStorage", "bool", ElementType::Bool}};

// What is called with which arguments to make a tensor.
struct Rebuild {
  std::string_view function;
  PickleValue arguments;
};

// Unwraps Parameters and subclasses.
Rebuild innermost(const PickleValue& value, const std::string& where, const std::string& file) {
  constexpr int kDeepest = 4;
  Rebuild found{value.callable().name(), value.arguments()};
  for (int depth = 0; depth < kDeepest; ++depth) {
    if (found.function == kFromType) {  // (function, type, arguments, state)
      const std::vector<PickleValue> items = found.arguments.tuple(4, 4, where);
      found = {items[0].name(), items[2]};
    } else if (found.function == kParameter || found.function == kParameterWithState) {
      const PickleValue data = found.arguments.tuple(1, 4, where)[0];
      if (!data.is(PickleKind::Call)) break;
      found = {data.callable().name(), data.arguments()};
    } else {
      return found;
    }
  }
  throw Error("{}: {} is wrapped in a way that is not known", file, where);
}

std::vector<std::int64_t> parse_extents(const PickleValue& value, const std::string& where) {
  const PickleValue tuple = value.calls("torch.Size") ? value.arguments().tuple(1, 1, where)[0] : value;
  std::vector<std::int64_t> extents;
  for (const PickleValue& extent : tuple.tuple(0, 64, where)) extents.push_back(extent.integer(where));
  return extents;
}

ElementType parse_dtype(const PickleValue& dtype, const std::string& where) {
  for (const TorchType& known : kTorchTypes) {
    if (dtype.name() == fmt::format("torch.{}", known.dtype)) return known.type;
  }
  throw Error("{} has a type that cannot be read: {}", where, dtype.describe());
}

// torch.FloatStorage, and torch.cuda.FloatStorage of older versions; nothing for untyped storages.
std::optional<ElementType> parse_storage_type(std::string_view name, const std::string& file) {
  if (name == "torch.storage.UntypedStorage" || name == "torch.UntypedStorage") return {};
  for (const TorchType& known : kTorchTypes) {
    if (name == fmt::format("torch.{}", known.storage) ||
        name == fmt::format("torch.cuda.{}", known.storage)) {
      return known.type;
    }
  }
  throw Error("{}: a storage has the type '{}', which is not known", file, printable(name));
}

}  // namespace

TorchStorage parse_torch_storage(const PickleValue& persistent_id, const std::string& file) {
  const std::vector<PickleValue> id = persistent_id.id().tuple(5, 6, "a storage");
  if (const std::string_view what = id[0].text("the kind of a persistent id"); what != "storage") {
    throw Error("{}: refers to a '{}', expected a storage; save its state_dict() instead", file,
                printable(what));
  }
  TorchStorage storage;
  const std::optional<ElementType> type = parse_storage_type(id[1].name(), file);
  storage.untyped = !type;
  storage.type = type.value_or(ElementType::U8);
  storage.key = id[2].is(PickleKind::Int) ? std::to_string(id[2].integer("a storage"))
                                          : std::string(id[2].text("the key of a storage"));
  constexpr std::size_t kLongestKey = 200;
  if (storage.key.size() > kLongestKey)
    throw Error("{}: a storage's key has more than {} bytes", file, kLongestKey);
  storage.count = id[4].integer("the size of a storage");
  if (id.size() == 6 && !id[5].is(PickleKind::None)) {  // a view: (its key, offset, count)
    if (storage.untyped) throw Error("{}: has a view of an untyped storage, which no version writes", file);
    const std::vector<PickleValue> view = id[5].tuple(3, 3, "a view of a storage");
    storage.offset = view[1].integer("the offset of a view");
    const std::int64_t count = view[2].integer("the size of a view");
    if (storage.offset < 0 || count < 0 || storage.offset > storage.count ||
        count > storage.count - storage.offset) {
      throw Error("{}: a view of storage '{}' does not lie in it: the file is damaged", file,
                  printable(storage.key));
    }
  }
  if (storage.count < 0) throw Error("{}: storage '{}' has a negative size", file, printable(storage.key));
  return storage;
}

bool is_torch_tensor(const PickleValue& value) {
  if (!value.is(PickleKind::Call)) return false;
  const std::string_view function = value.callable().name();
  for (const std::string_view known :
       {kTensor, kTensorV2, kTensorV3, kParameter, kParameterWithState, kFromType}) {
    if (function == known) return true;
  }
  return false;
}

TorchTensor parse_torch_tensor(const PickleValue& value, const std::string& name, const std::string& file) {
  const std::string where = fmt::format("tensor '{}'", printable(name));
  const std::string with_file = fmt::format("{}: {}", file, where);
  const auto [function, arguments] = innermost(value, where, file);
  if (function != kTensor && function != kTensorV2 && function != kTensorV3) {
    throw Error("{} is made by {}, which is not known", with_file, printable(function));
  }
  const bool has_dtype = function == kTensorV3;
  const std::vector<PickleValue> items = arguments.tuple(has_dtype ? 7 : 4, 8, where);
  TorchTensor tensor{.name = name, .storage = parse_torch_storage(items[0], file)};
  const TorchStorage& storage = tensor.storage;
  if (storage.untyped != has_dtype) throw Error("{} does not say its type", with_file);
  tensor.layout.type = has_dtype ? parse_dtype(items[6], with_file) : storage.type;
  tensor.layout.offset = items[1].integer("the offset of " + where);
  tensor.layout.shape = parse_extents(items[2], "the shape of " + where);
  tensor.layout.strides = parse_extents(items[3], "the strides of " + where);
  const std::int64_t bytes = storage.untyped ? element_bytes(tensor.layout.type) : 1;
  const std::int64_t available = storage.count / bytes - storage.offset;
  check_strided(with_file, tensor.layout, available);
  tensor.layout.offset += storage.offset;
  return tensor;
}

namespace {

constexpr std::size_t kMostTensors = 20000;

// Names that may occur, by module: what tensors need, and the plain data of the standard library and of NumPy that people
// keep beside them. Each makes a value of its arguments and does nothing else; here nothing is ever called. What runs code
// that a file chooses (getattr, eval, functools.partial, ...) is not among them. Old names of modules: pickle_stack.cpp.
constexpr std::pair<std::string_view, std::string_view> kData[] = {
    {"torch", "Tensor Size device UntypedStorage"},
    {"torch._tensor", "Tensor _rebuild_from_type_v2"},
    {"torch._utils",
     "_rebuild_tensor _rebuild_tensor_v2 _rebuild_tensor_v3 _rebuild_parameter _rebuild_parameter_with_state"},
    {"torch.nn.parameter", "Parameter Buffer"},
    {"torch.serialization", "_get_layout"},
    {"torch.storage", "UntypedStorage"},
    {"torch.torch_version", "TorchVersion"},
    {"builtins",
     "bool bytearray bytes complex dict float frozenset int list long object range set slice str tuple unicode xrange"},
    {"collections", "ChainMap Counter OrderedDict UserDict UserList UserString defaultdict deque"},
    {"UserDict", "IterableUserDict"},
    {"UserList", "UserList"},
    {"UserString", "UserString"},
    {"datetime", "date datetime time timedelta timezone"},
    {"pathlib", "Path PosixPath PurePath PurePosixPath PureWindowsPath WindowsPath"},
    {"uuid", "SafeUUID UUID"},
    {"decimal", "Decimal"},
    {"fractions", "Fraction"},
    {"ipaddress", "IPv4Address IPv4Network IPv6Address IPv6Network"},
    {"zoneinfo", "ZoneInfo ZoneInfo._unpickle"},
    {"argparse", "Namespace"},
    {"types", "SimpleNamespace"},
    {"array", "_array_reconstructor array"},
    {"random", "Random"},
    {"time", "struct_time"},
    {"copyreg", "_reconstructor"},
    {"_codecs", "encode"},
    {"numpy", "dtype ndarray"},
    {"numpy.core.multiarray", "_reconstruct scalar"},
    {"numpy.core.numeric", "_frombuffer"}};

std::vector<std::string> allowed_names() {
  std::vector<std::string> names;
  for (const auto& [module, members] : kData) {
    std::istringstream words{std::string(members)};
    for (std::string word; words >> word;) names.push_back(fmt::format("{}.{}", module, word));
  }
  for (const TorchType& type : kTorchTypes)
    for (const std::string_view name : {type.dtype, type.storage}) {
      names.push_back(fmt::format("torch.{}", name));
      names.push_back(fmt::format("torch.cuda.{}", name));
    }
  return names;
}

// Whole modules name their classes, and those cannot be known here.
std::string refuse(std::string_view name) {
  if (name.starts_with("torch.nn.")) {
    return fmt::format("holds a whole pickled module (class {}); save its state_dict() instead",
                       printable(name));
  }
  if (name.starts_with("torch.")) {
    return fmt::format(
        "the pickle wants {}, which a state dict of plain tensors has no use for: refused; save a "
        "state_dict() of dense tensors instead",
        printable(name));
  }
  const std::size_t last = name.rfind('.') + 1;
  if (last < name.size() && std::isupper(static_cast<unsigned char>(name[last]))) {
    return fmt::format(
        "holds an object of class {}, as a whole pickled module does: refused; save its "
        "state_dict() instead",
        printable(name));
  }
  return "";
}

std::string name_of(const PickleValue& key) {
  if (key.is(PickleKind::Int)) return std::to_string(key.integer("a key"));
  return std::string(key.text("the name of a tensor"));
}

bool has_tensors(const PickleValue& value) {
  if (!value.is_dictionary()) return false;
  for (const auto& [key, item] : value.entries()) {
    if (is_torch_tensor(item)) return true;
  }
  return false;
}

// "a, b, c, ..." of what a dictionary without tensors holds.
std::string keys_of(const PickleValue& dictionary) {
  constexpr std::size_t kShown = 8;
  std::vector<std::string> keys;
  for (const auto& [key, item] : dictionary.entries()) {
    if (keys.size() == kShown) {
      keys.emplace_back("...");
      break;
    }
    const bool named = key.is(PickleKind::String) || key.is(PickleKind::Bytes);
    keys.push_back(fmt::format("{} ({})", named ? "'" + printable(key.text("a key")) + "'" : key.describe(),
                               item.describe()));
  }
  return keys.empty() ? "it is empty" : "it has " + listed(keys);
}

PickleValue find_dictionary(const Pickle& pickle, const std::string& file) {
  const PickleValue root = pickle.root();
  if (is_torch_tensor(root))
    throw Error("{}: holds one tensor, expected a dictionary of named tensors", file);
  if (!root.is_dictionary()) {
    throw Error("{}: holds {}, expected a dictionary of named tensors", file, root.describe());
  }
  const auto entries = root.entries();
  for (const std::string_view wanted :
       {"state_dict", "model_state_dict", "model", "net", "params", "params_ema", "weights"}) {
    std::optional<PickleValue> found;  // of a key that is there twice the last one counts, as in Python
    for (const auto& [key, value] : entries) {
      const bool named = key.is(PickleKind::String) || key.is(PickleKind::Bytes);
      if (named && key.text("a key") == wanted) found = value;
    }
    if (found && has_tensors(*found)) return *found;
  }
  if (has_tensors(root)) return root;
  std::vector<PickleValue> holders;
  for (const auto& [key, value] : entries)
    if (has_tensors(value)) holders.push_back(value);
  if (holders.size() != 1)
    throw Error("{}: holds a dictionary without tensors: {}; expected a state dict", file, keys_of(root));
  return holders.front();
}

}  // namespace

PickleRules torch_pickle_rules() {
  static const std::vector<std::string> names = allowed_names();
  static const std::vector<std::string_view> views(names.begin(), names.end());
  return {views, refuse};
}

std::vector<TorchTensor> find_torch_tensors(const Pickle& pickle, const std::string& file) {
  std::vector<TorchTensor> tensors;
  std::unordered_set<std::string> names;
  for (const auto& [key, value] : find_dictionary(pickle, file).entries()) {
    if (!is_torch_tensor(value)) continue;
    if (tensors.size() == kMostTensors) throw Error("{}: holds more than {} tensors", file, kMostTensors);
    const std::string name = name_of(key);
    if (!names.insert(name).second) throw Error("{}: holds two tensors '{}'", file, printable(name));
    tensors.push_back(parse_torch_tensor(value, name, file));
  }
  return tensors;
}

}  // namespace chiaro
