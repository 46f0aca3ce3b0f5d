#include "weights_import/files/torch_tensor.hpp"

#include <optional>
#include <string_view>
#include <utility>

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

}  // namespace chiaro
