#include <doctest/doctest.h>

#include <csignal>
#include <new>

#include "engine/file_util.hpp"
#include "engine/io/trial.hpp"
#include "tests/support/compare.hpp"
#include "tests/support/temporary_folder.hpp"

namespace chiaro {
namespace {

using test::error_of;

TEST_CASE("trial: what happens in the child does not happen here") {
  const test::TemporaryFolder folder;
  const auto file = folder / "weights.h5";
  write_text(file, "some bytes");
  int done = 0;
  try_in_child(file, [&] { ++done; });
  CHECK(done == 0);
  CHECK(error_of([&] { try_in_child(file, [] { throw Error("weights.h5: no such layer"); }); }) ==
        "weights.h5: no such layer");
  CHECK(error_of([&] { try_in_child(file, [] { throw Error(std::string(100000, 'x')); }); }) ==
        std::string(100000, 'x'));
  CHECK(error_of([&] { try_in_child(file, [] { raise(SIGKILL); }); }) ==
        file.string() + ": is damaged: reading it ended in signal 9; download it again");
  CHECK(error_of([&] { try_in_child(file, [] { throw std::bad_alloc(); }); }) ==
        file.string() +
            ": is damaged: reading it took more memory than a file of its size can need; download it again");
}

}  // namespace
}  // namespace chiaro
