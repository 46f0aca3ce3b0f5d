#include "weights_import/files/torch_state_dict.hpp"

#include <algorithm>
#include <cctype>
#include <optional>
#include <string_view>
#include <unordered_set>

#include "engine/suggest.hpp"
#include "kernels/base/error.hpp"
#include "weights_import/files/torch_tensor.hpp"

namespace chiaro {
namespace {

constexpr std::size_t kMostTensors = 20000;

// Tensors, and the plain data that people keep beside them. Nothing of it is ever called.
constexpr std::string_view kTorchCalls[] = {"torch._utils._rebuild_tensor",
                                            "torch._utils._rebuild_tensor_v2",
                                            "torch._utils._rebuild_tensor_v3",
                                            "torch._utils._rebuild_parameter",
                                            "torch._utils._rebuild_parameter_with_state",
                                            "torch._tensor._rebuild_from_type_v2",
                                            "torch.nn.parameter.Parameter",
                                            "torch.nn.parameter.Buffer",
                                            "torch.Tensor",
                                            "torch._tensor.Tensor",
                                            "torch.Size",
                                            "torch.device",
                                            "torch.serialization._get_layout",
                                            "torch.FloatStorage",
                                            "torch.DoubleStorage",
                                            "torch.HalfStorage",
                                            "torch.BFloat16Storage",
                                            "torch.LongStorage",
                                            "torch.IntStorage",
                                            "torch.ShortStorage",
                                            "torch.CharStorage",
                                            "torch.ByteStorage",
                                            "torch.BoolStorage",
                                            "torch.cuda.FloatStorage",
                                            "torch.cuda.DoubleStorage",
                                            "torch.cuda.HalfStorage",
                                            "torch.cuda.BFloat16Storage",
                                            "torch.cuda.LongStorage",
                                            "torch.cuda.IntStorage",
                                            "torch.cuda.ShortStorage",
                                            "torch.cuda.CharStorage",
                                            "torch.cuda.ByteStorage",
                                            "torch.cuda.BoolStorage",
                                            "torch.storage.UntypedStorage",
                                            "torch.UntypedStorage",
                                            "torch.float32",
                                            "torch.float64",
                                            "torch.float16",
                                            "torch.bfloat16",
                                            "torch.int64",
                                            "torch.int32",
                                            "torch.int16",
                                            "torch.int8",
                                            "torch.uint8",
                                            "torch.bool",
                                            "collections.OrderedDict",
                                            "collections.defaultdict",
                                            "argparse.Namespace",
                                            "_codecs.encode",
                                            "__builtin__.dict",
                                            "builtins.dict",
                                            "__builtin__.bytes",
                                            "numpy.dtype",
                                            "numpy.ndarray",
                                            "numpy.core.multiarray.scalar",
                                            "numpy._core.multiarray.scalar",
                                            "numpy.core.multiarray._reconstruct",
                                            "numpy._core.multiarray._reconstruct"};

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
  if (!has_tensors(root)) {
    throw Error("{}: holds a dictionary without tensors: {}; expected a state dict", file, keys_of(root));
  }
  return root;
}

}  // namespace

PickleRules torch_pickle_rules() {
  return {kTorchCalls, refuse};
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
  constexpr std::string_view kParallel = "module.";
  const bool parallel = std::all_of(tensors.begin(), tensors.end(), [&](const TorchTensor& tensor) {
    return tensor.name.starts_with(kParallel) && tensor.name.size() > kParallel.size();
  });
  if (parallel) {
    for (TorchTensor& tensor : tensors) tensor.name.erase(0, kParallel.size());
  }
  return tensors;
}

}  // namespace chiaro
