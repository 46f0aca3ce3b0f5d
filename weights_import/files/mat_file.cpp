#include "weights_import/files/mat_file.hpp"

#include <algorithm>
#include <array>

#include "engine/io/file_kind.hpp"
#include "engine/io/h5_file.hpp"
#include "engine/io/input_file.hpp"
#include "kernels/base/error.hpp"
#include "weights_import/files/mat_v5.hpp"
#include "weights_import/files/mat_v73.hpp"

namespace chiaro {

namespace {

void append(std::string& text, std::uint32_t point) {
  if (point > 0x10ffff || (point >= 0xd800 && point < 0xe000)) point = 0xfffd;
  const auto add = [&](std::uint32_t byte) { text += static_cast<char>(static_cast<unsigned char>(byte)); };
  const auto tail = [&](int shift) { add(0x80 | ((point >> shift) & 0x3f)); };
  if (point < 0x80) {
    add(point);
  } else if (point < 0x800) {
    add(0xc0 | (point >> 6));
    tail(0);
  } else if (point < 0x10000) {
    add(0xe0 | (point >> 12));
    tail(6);
    tail(0);
  } else {
    add(0xf0 | (point >> 18));
    tail(12);
    tail(6);
    tail(0);
  }
}

}  // namespace

std::string mat_utf8(std::span<const std::uint32_t> units) {
  std::string text;
  for (std::size_t i = 0; i < units.size(); ++i) {
    const bool pair = units[i] >= 0xd800 && units[i] < 0xdc00 && i + 1 < units.size() &&
                      units[i + 1] >= 0xdc00 && units[i + 1] < 0xe000;
    if (pair) {
      append(text, 0x10000 + ((units[i] - 0xd800) << 10) + (units[i + 1] - 0xdc00));
      ++i;
    } else {
      append(text, units[i]);
    }
  }
  return text;
}

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

namespace {

constexpr std::int64_t kArrayBytesAlways = 64 << 20;

}  // namespace

// They begin with the type of the first matrix, a number below 5000 of which
// at least one byte is zero, and its extents.
bool is_mat_v4(const InputFile& file) {
  std::array<std::byte, 20> head;
  if (file.bytes() < std::ssize(head)) return false;
  file.read(0, head, "the header");
  const auto number = [&](std::size_t at, bool big) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      value |= std::to_integer<std::uint32_t>(head[at + i]) << (8 * (big ? 3 - i : i));
    }
    return value;
  };
  for (const bool big : {false, true}) {
    const std::uint32_t type = number(0, big);
    const bool valid_type = type < 5000 && type % 10 <= 2 && type / 10 % 10 <= 5 && type / 100 % 10 == 0;
    if (valid_type && number(4, big) < (1u << 20) && number(8, big) < (1u << 20) && number(12, big) <= 1 &&
        number(16, big) > 0 && number(16, big) <= 64) {
      return true;
    }
  }
  return false;
}

namespace {

// From the first extent fastest to the last extent fastest.
std::vector<float> row_major(std::vector<float> values, const std::vector<std::int64_t>& shape) {
  const auto longer = [](std::int64_t extent) { return extent > 1; };
  if (std::count_if(shape.begin(), shape.end(), longer) < 2) return values;
  std::vector<float> out(values.size());
  std::vector<std::int64_t> index(shape.size(), 0), step(shape.size(), 1);
  for (std::size_t d = shape.size() - 1; d > 0; --d) step[d - 1] = step[d] * shape[d];
  std::int64_t to = 0;
  for (const float value : values) {
    out[static_cast<std::size_t>(to)] = value;
    for (std::size_t d = 0; d < shape.size(); ++d) {
      to += step[d];
      if (++index[d] < shape[d]) break;
      to -= step[d] * shape[d];
      index[d] = 0;
    }
  }
  return out;
}

}  // namespace

MatFile::MatFile(std::unique_ptr<InputFile> input, FileKind kind)
    : TensorFile(input->name(), kind == FileKind::Matlab ? "MATLAB 5" : "MATLAB 7.3", input->bytes()) {
  reader_ = kind == FileKind::Matlab ? open_mat_v5(std::move(input)) : open_mat_v73(*input);
  variables_ = reader_->parse();
  list(variables_, "");
}

void MatFile::list(const MatValue& value, const std::string& place) {
  constexpr std::size_t kMostListed = 20000;
  if (value.kind == MatKind::Numbers && !value.payload.complex && tensors_.size() < kMostListed) {
    const ElementType type = value.type == "single" ? ElementType::F32 : ElementType::F64;
    tensors_.push_back({place, value.shape, type});
    arrays_.push_back(&value);
  }
  for (std::size_t i = 0; i < value.items.size(); ++i) {
    if (value.kind == MatKind::Cell) {
      list(value.items[i], fmt::format("{}{{{}}}", place, i + 1));
      continue;
    }
    const std::size_t fields = value.fields.size();
    const std::string index = value.items.size() > fields ? fmt::format("({})", i / fields + 1) : "";
    list(value.items[i], place + index + (place.empty() ? "" : ".") + value.fields[i % fields]);
  }
}

std::vector<float> MatFile::floats(const MatValue& value) const {
  if (value.kind != MatKind::Numbers || value.payload.complex) {
    throw Error("{}: holds {} where an array of real numbers was expected", file(),
                value.payload.complex ? "complex numbers" : "a value of class " + value.type);
  }
  const std::int64_t count = value.count();
  if (count > (kArrayBytesAlways + 2 * bytes()) / static_cast<std::int64_t>(sizeof(float))) {
    throw Error("{}: an array claims shape {}, more than a file of {} bytes should hold: it is damaged",
                file(), shape_text(value.shape), bytes());
  }
  if (count == 0) return {};
  return row_major(reader_->column_major(value), value.shape);
}

}  // namespace chiaro
