#include <doctest/doctest.h>

#include "engine/file_util.hpp"
#include "tests/support/compare.hpp"
#include "tests/support/temporary_folder.hpp"

namespace chiaro {
namespace {

using test::error_of;
using test::TemporaryFolder;

TEST_CASE("file_util: text is written whole, replaces what was there and leaves nothing behind") {
  const TemporaryFolder folder;
  const auto path = folder / "note.txt";
  write_text(path, "first, and longer than the second");
  const std::string bytes("second\0\n", 8);
  write_text(path, bytes);
  CHECK(read_text(path) == bytes);
  CHECK(folder.entries() == 1);
}

TEST_CASE("file_util: errors name the file and the reason") {
  const TemporaryFolder folder;
  const std::string missing = (folder / "none.txt").string();
  CHECK(error_of([&] { read_text(missing); }) == missing + ": cannot be read: No such file or directory");
  CHECK(error_of([&] { read_text(folder.path()); }) ==
        folder.path().string() + ": is a folder, expected a file");
  CHECK(error_of([&] { read_text("/dev/zero"); }) == "/dev/zero: is not a regular file");
  CHECK(error_of([&] { write_text(folder.path(), ""); }) ==
        folder.path().string() + ": is a folder, expected the name of a file");
  const std::string deep = (folder / "no/note.txt").string();
  CHECK(error_of([&] { write_text(deep, ""); }) ==
        deep + ": cannot be written: folder '" + (folder / "no").string() + "' does not exist");
}

TEST_CASE("file_util: a rename that fails removes the temporary") {
  const TemporaryFolder folder;
  const auto temporary = temporary_beside(folder / "a");
  write_text(temporary, "x");
  CHECK_FALSE(error_of([&] { commit_file(temporary, folder / "missing/a"); }).empty());
  CHECK(folder.entries() == 0);
}

}  // namespace
}  // namespace chiaro
