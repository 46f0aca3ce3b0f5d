#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <numeric>

#include "tests/support/real_data.hpp"
#include "tests/weights_import/python_files.hpp"
#include "weights_import/files/torch_legacy.hpp"
#include "weights_import/files/torch_zip.hpp"

namespace chiaro {
namespace {

using test::contains;
using test::error_of;
using test::names_of;
using test::problem_of;
using test::python_file;
using test::ramp;
using test::TemporaryFolder;
using test::values_of;
using Extents = std::vector<std::int64_t>;
using Values = std::vector<float>;

TEST_CASE("torch_files: names, shapes, types and values of both formats") {
  for (const std::string format : {"zip", "legacy"}) {
    CAPTURE(format);
    const auto path = python_file("plain_" + format + ".pth");
    const auto file = open_tensor_file(path);
    CHECK(file->file() == path.string());
    CHECK(file->format() == "PyTorch (" + format + ")");
    CHECK(file->bytes() == static_cast<std::int64_t>(std::filesystem::file_size(path)));
    CHECK(names_of(*file) ==
          std::vector<std::string>{"conv.weight", "conv.bias", "norm.num_batches_tracked", "empty"});
    CHECK(file->find("conv.weight")->shape == Extents{2, 3, 3, 3});
    CHECK(file->find("conv.weight")->count() == 54);
    CHECK(values_of(*file, "conv.weight") == ramp(54));
    CHECK(values_of(*file, "conv.bias") == ramp(2, 100));
    CHECK(file->find("norm.num_batches_tracked")->shape.empty());
    CHECK(values_of(*file, "norm.num_batches_tracked") == Values{7});
    CHECK(file->find("empty")->shape == Extents{0, 5});
    CHECK(values_of(*file, "empty").empty());
    CHECK(file->find("epoch") == nullptr);
  }
}

TEST_CASE("torch_files: every type of numbers") {
  const std::pair<std::string, ElementType> kTypes[] = {
      {"float32", ElementType::F32},   {"float64", ElementType::F64}, {"float16", ElementType::F16},
      {"bfloat16", ElementType::BF16}, {"int64", ElementType::I64},   {"int32", ElementType::I32},
      {"int16", ElementType::I16},     {"int8", ElementType::I8},     {"uint8", ElementType::U8},
      {"bool", ElementType::Bool}};
  for (const std::string format : {"zip", "legacy"}) {
    const auto file = open_tensor_file(python_file("types_" + format + ".pth"));
    CHECK(file->tensors().size() == std::size(kTypes));
    for (const auto& [name, type] : kTypes) {
      CAPTURE(name);
      CHECK(file->find(name)->type == type);
      const Values expected = name == "bool" ? Values{0, 1, 0, 1, 1, 0} : ramp(6, name == "uint8" ? 250 : -3);
      CHECK(values_of(*file, name) == expected);
    }
  }
}

TEST_CASE("torch_files: views give their elements in row-major order") {
  for (const std::string format : {"zip", "legacy"}) {
    const auto file = open_tensor_file(python_file("views_" + format + ".pth"));
    CHECK(file->find("transposed")->shape == Extents{4, 3});
    CHECK(values_of(*file, "transposed") == Values{0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11});
    CHECK(values_of(*file, "part") == Values{6, 7, 10, 11});
    CHECK(values_of(*file, "column") == Values{1, 5, 9});
    CHECK(values_of(*file, "expanded") == Values(6, 5));
    CHECK(values_of(*file, "parameter") == ramp(4));
    Values permuted;
    for (int k = 0; k < 4; ++k) {
      for (int ij = 0; ij < 6; ++ij) permuted.push_back(static_cast<float>(ij * 4 + k));
    }
    CHECK(values_of(*file, "permuted") == permuted);
  }
}

TEST_CASE("torch_files: a state dict inside a checkpoint, or from DataParallel") {
  for (const std::string name :
       {"state_dict", "model_state_dict", "model", "net", "params", "params_ema", "weights"}) {
    const auto file = open_tensor_file(python_file("nested_" + name + ".pth"));
    CHECK(names_of(*file) == std::vector<std::string>{"a"});
    CHECK(values_of(*file, "a") == ramp(2, 1));
  }
  for (const std::string format : {"zip", "legacy"}) {
    const auto nested = open_tensor_file(python_file("nested_" + format + ".pth"));
    CHECK(names_of(*nested) == std::vector<std::string>{"a"});
    CHECK(values_of(*nested, "a") == ramp(2, 1));
    const auto parallel = open_tensor_file(python_file("parallel_" + format + ".pth"));
    CHECK(names_of(*parallel) == std::vector<std::string>{"a", "b"});
    CHECK(values_of(*parallel, "b") == ramp(3));
  }
}

TEST_CASE("torch_files: inert objects beside the weights are skipped over, code is refused") {
  for (const std::string protocol : {"2", "3", "4", "5"}) {
    CAPTURE(protocol);
    const auto file = open_tensor_file(python_file("inert_p" + protocol + ".pth"));
    CHECK(values_of(*file, "a") == ramp(2, 1));
  }
  CHECK(contains(problem_of("refused_getattr.pth"), "wants __builtin__.getattr, which"));
  CHECK(contains(problem_of("refused_eval.pth"), "wants __builtin__.eval, which"));
  CHECK(contains(problem_of("refused_partial.pth"), "wants functools.partial, which"));
}

TEST_CASE("torch_files: a network is the same behind any wrapper") {
  for (const std::string format : {"zip", "legacy"})
    for (int i = 0; i < 8; ++i) {
      CAPTURE(i);
      const auto file = open_tensor_file(python_file(fmt::format("wrapped{}_{}.pth", i, format)));
      CHECK(file->find("features.0.weight")->shape == Extents{2, 3, 3, 3});
      CHECK(values_of(*file, "features.2.bias") == ramp(2, 7));
    }
}

TEST_CASE("torch_files: big-endian machines, PyTorch 2's untyped storages, PyTorch 0.3's views") {
  CHECK(values_of(*open_tensor_file(python_file("big_endian.pth")), "a") == ramp(3));
  const auto untyped = open_tensor_file(python_file("untyped.pth"));
  CHECK(untyped->find("a")->type == ElementType::I16);
  CHECK(values_of(*untyped, "a") == ramp(3, 11));
  // Of a view of numbers 2, 3, 4 of the storage the last two.
  CHECK(values_of(*open_tensor_file(python_file("python2.pth")), "a") == Values{3, 4});
}

TEST_CASE("torch_files: what is no state dict is refused by what it is") {
  CHECK(problem_of("script.pth") == "is a TorchScript archive; save its state_dict() instead");
  CHECK(problem_of("module_zip.pth") ==
        "holds a whole pickled module (class torch.nn.modules.conv.Conv2d); save its state_dict() instead");
  CHECK(
      problem_of("sparse.pth") ==
      "the pickle wants torch._utils._rebuild_sparse_tensor, which a state dict of plain tensors has no use "
      "for: refused; save a state_dict() of dense tensors instead");
  CHECK(contains(problem_of("compressed.pth"), "is compressed or encrypted, which PyTorch never does"));
  CHECK(contains(problem_of("arrays.npz"), "is a NumPy .npz archive; expected a PyTorch state dict"));
  CHECK(contains(problem_of("other.zip"), "but not one of PyTorch: it has no data.pkl, but 'readme.txt'"));
  for (const std::string format : {"_zip.pth", "_legacy.pth"}) {
    CHECK(problem_of("no_tensors" + format) ==
          "holds a dictionary without tensors: it has 'epoch' (a whole number), 'names' (a list); expected a "
          "state dict");
    CHECK(problem_of("list" + format) == "holds a list, expected a dictionary of named tensors");
    CHECK(problem_of("tensor" + format) == "holds one tensor, expected a dictionary of named tensors");
    CHECK(problem_of("hostile" + format) ==
          "the pickle wants posix.system, which a weights file has no use for: refused");
  }
}

TEST_CASE("torch_files: files of other kinds are named") {
  const TemporaryFolder folder;
  const auto problem = [&](const std::string& bytes) {
    write_text(folder / "w.pth", bytes);
    const std::string message = error_of([&] { open_tensor_file(folder / "w.pth"); });
    CHECK(message.starts_with((folder / "w.pth").string() + ": "));
    return message;
  };
  CHECK(contains(problem("<!DOCTYPE html><html>"), "it is a web page (HTML): the download went wrong"));
  CHECK(contains(problem("version https://git-lfs.github.com/spec/v1\n"), "it is a Git LFS pointer"));
  CHECK(contains(problem(""), "it is empty; expected chiaro's own file"));
  CHECK(contains(problem("\x89PNG\r\n\x1a\n and so on"), "it is a PNG picture"));
  std::string tar(512, '\0');
  tar.replace(0, 8, "sys_info").replace(257, 5, "ustar");
  CHECK(contains(problem(tar), "is a tar archive, as PyTorch before 0.1.10 wrote them"));
  CHECK(contains(problem("\x80\x02}."), "is a Python pickle, but not one that torch.save wrote"));
  std::string version = read_text(python_file("plain_legacy.pth"));
  version[19] = 4;  // the upper byte of 1001
  CHECK(contains(problem(version), "has PyTorch's protocol version 1257, expected 1001"));
  std::string custom =
      "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.\x80\x02}.";
  custom +=
      "\x80\x02"
      "cstyle.net\nTransformerNet\n)\x81.";
  CHECK(
      contains(problem(custom),
               "holds an object of class style.net.TransformerNet, as a whole pickled module does: refused"));
}

TEST_CASE("torch_files: a file cut short at any byte is refused") {
  for (const std::string name : {"views_zip.pth", "plain_zip.pth", "views_legacy.pth", "plain_legacy.pth",
                                 "types_legacy.pth", "python2.pth", "untyped.pth"}) {
    test::check_every_truncation(name);
  }
}

TEST_CASE("torch_files: changed values in a zip archive are noticed") {
  const TemporaryFolder folder;
  std::string bytes = read_text(python_file("plain_zip.pth"));
  const float number = 53;  // the last of conv.weight
  const std::size_t at = bytes.find(std::string_view(reinterpret_cast<const char*>(&number), sizeof number));
  REQUIRE(at != bytes.npos);
  bytes[at + 1] ^= 1;
  write_text(folder / "w.pth", bytes);
  CHECK(contains(error_of([&] { test::read_everything(folder / "w.pth"); }),
                 "/data/0' cannot be read: the file is damaged"));
}

TEST_CASE("torch_files: a tensor beyond its storage, and storages of wrong size") {
  const TemporaryFolder folder;
  const std::string whole = read_text(python_file("python2.pth"));
  const auto problem = [&](std::string_view from, std::string_view to) {
    std::string bytes = whole;
    const std::size_t at = bytes.find(from);
    REQUIRE(at != bytes.npos);
    bytes.replace(at, from.size(), to);
    write_text(folder / "w.pth", bytes);
    return error_of([&] { test::read_everything(folder / "w.pth"); });
  };
  using namespace std::string_view_literals;
  // (size, stride) = ((2,), (1,))
  CHECK(contains(problem("(J\x02\0\0\0t(J\x01"sv, "(J\x06\0\0\0t(J\x01"sv),
                 "tensor 'a' has shape (6), strides (1)"));
  CHECK(contains(problem("(J\x02\0\0\0t(J\x01"sv, "(J\xff\xff\xff\xfft(J\x01"sv), "tensor 'a' has shape"));
  CHECK(contains(problem("(J\x02\0\0\0t(J\x01"sv, "(J\x02\0\0\0t(J\xff"sv), "strides (255)"));
  CHECK(contains(problem("J\x06\0\0\0"sv, "J\x07\0\0\0"sv), "storage 'k' has 6 numbers, expected 7"));
  CHECK(contains(problem("J\x06\0\0\0"sv, "J\x04\0\0\0"sv), "a view of storage 'k' does not lie in it"));
  CHECK(contains(problem("DoubleStorage"sv, "ComplexDoubleStorage"sv), "wants torch.ComplexDoubleStorage"));
  CHECK(contains(problem("](U\x01ke."sv, "](U\x01le."sv),
                 "storage 'l' is stored twice, or nothing refers to it"));
  CHECK(contains(problem("](U\x01ke."sv, "]."sv), "storage 'k' is missing"));
}

// Sums of the values in float64, from PyTorch 1.13.
struct Known {
  const char* name;
  Extents shape;
  double sum;
  float last;
};

void check_known(const std::filesystem::path& path, std::size_t tensors, std::string_view format,
                 const std::vector<Known>& known) {
  const auto file = open_tensor_file(path);
  CHECK(file->tensors().size() == tensors);
  CHECK(file->format() == format);
  for (const Known& expected : known) {
    CAPTURE(expected.name);
    CHECK(file->find(expected.name)->shape == expected.shape);
    const Values values = values_of(*file, expected.name);
    CHECK(std::accumulate(values.begin(), values.end(), 0.0) == doctest::Approx(expected.sum).epsilon(1e-9));
    CHECK(values.back() == expected.last);
  }
}

TEST_CASE("torch_files: the files that users download") {
  const auto data = test::real_data();
  if (!data) return;
  const std::filesystem::path& folder = *data;
  check_known(folder / "johnson/candy.pth", 62, "PyTorch (zip)",
              {{"conv1.conv2d.weight", {32, 3, 9, 9}, 33.01199293136597, 0.1868896484375f},
               {"in1.bias", {32}, 17.507621679455042, -0.06253574788570404f},
               {"deconv3.conv2d.weight", {3, 32, 9, 9}, 482.886301279068, 0.19970703125f},
               {"deconv3.conv2d.bias", {3}, 0.39316896721720695, 0.054539408534765244f}});
  check_known(folder / "johnson/mosaic_nc16_legacy.pth", 62, "PyTorch (legacy)",
              {{"conv1.conv2d.weight", {16, 3, 9, 9}, -17.55204623863392, -0.21259140968322754f},
               {"in1.weight", {16}, 6.776714436709881, 0.4609624147415161f},
               {"deconv3.conv2d.weight", {3, 16, 9, 9}, 294.1007673041677, 0.34091711044311523f},
               {"deconv3.conv2d.bias", {3}, 0.7473015636205673, 0.20452377200126648f}});
  check_known(folder / "vgg19/torch_legacy/vgg_normalised_conv3_1.pth", 12, "PyTorch (legacy)",
              {{"0.weight", {3, 3, 1, 1}, 765, 0},
               {"2.weight", {64, 3, 3, 3}, -0.14005323064998265, -0.014264573343098164f},
               {"16.weight", {256, 128, 3, 3}, -118.41515333914833, 0.01663481444120407f},
               {"16.bias", {256}, 0.03902319904166873, 0.0006907194619998336f}});
}

}  // namespace
}  // namespace chiaro
