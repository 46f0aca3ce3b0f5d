#include "weights_import/files/mat_value.hpp"

#include "kernels/base/error.hpp"

namespace chiaro {
namespace {

constexpr std::int64_t kTreeBytesAlways = 16 << 20;
constexpr std::int64_t kMostElements = std::int64_t{1} << 40;
constexpr int kDeepest = 32;

}  // namespace

std::int64_t MatValue::count() const {
  std::int64_t count = 1;
  for (const std::int64_t extent : shape) count *= extent;
  return count;
}

const MatValue* MatValue::field(std::string_view name, std::int64_t index) const {
  if (kind != MatKind::Struct || index < 0) return nullptr;
  for (std::size_t f = 0; f < fields.size(); ++f) {
    if (fields[f] != name) continue;
    const std::size_t item = static_cast<std::size_t>(index) * fields.size() + f;
    return item < items.size() ? &items[item] : nullptr;
  }
  return nullptr;
}

std::string MatRecord::text(std::string_view name) const {
  const MatValue* found = field(name);
  return found && found->kind == MatKind::Text ? found->text : std::string();
}

std::vector<MatRecord> mat_records(const MatValue& value) {
  std::vector<MatRecord> records;
  if (value.kind == MatKind::Struct && !value.fields.empty()) {
    const auto count = static_cast<std::int64_t>(value.items.size() / value.fields.size());
    for (std::int64_t i = 0; i < count; ++i) records.push_back({&value, i});
  } else if (value.kind == MatKind::Cell) {
    for (const MatValue& item : value.items) {
      if (item.kind == MatKind::Struct && !item.items.empty()) records.push_back({&item, 0});
    }
  }
  return records;
}

std::vector<std::string> mat_texts(const MatValue& value) {
  if (value.kind == MatKind::Text) return {value.text};
  std::vector<std::string> texts;
  for (const MatValue& item : value.items) {
    if (value.kind == MatKind::Cell && item.kind == MatKind::Text) texts.push_back(item.text);
  }
  return texts;
}

MatBudget::MatBudget(std::string file, std::int64_t file_bytes)
    : file_(std::move(file)), left_(kTreeBytesAlways + file_bytes / 2) {}

void MatBudget::take(std::int64_t bytes) {
  if (bytes > left_) {
    throw Error(
        "{}: holds more structs, cells and texts than a file of its size should: it is damaged or "
        "not a file of weights",
        file_);
  }
  left_ -= bytes;
}

void MatBudget::check_depth(int depth) const {
  if (depth <= kDeepest) return;
  throw Error(
      "{}: structs and cells are nested more than {} deep: the file is damaged or not a file of "
      "weights",
      file_, kDeepest);
}

std::int64_t MatBudget::count(const std::vector<std::int64_t>& shape) const {
  std::int64_t count = 1;
  for (const std::int64_t extent : shape) {
    if (extent < 0) throw Error("{}: an array has the extent {}: the file is damaged", file_, extent);
    if (extent == 0) return 0;
  }
  for (const std::int64_t extent : shape) {
    if (count > kMostElements / extent) {
      throw Error("{}: an array claims more than {} elements: the file is damaged", file_, kMostElements);
    }
    count *= extent;
  }
  return count;
}

}  // namespace chiaro
