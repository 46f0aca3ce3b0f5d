// How long waiting threads spin, as GNU OpenMP itself says when it is loaded.
#include <doctest/doctest.h>

#include "tests/support/run_program.hpp"

using namespace chiaro::test;

namespace {

// What OpenMP prints for a program that is started with this one setting on the subject, or with none.
std::string told(const std::string& setting) {
  std::vector<std::string> arguments = {"-u", "OMP_WAIT_POLICY", "-u", "GOMP_SPINCOUNT",
                                        "OMP_DISPLAY_ENV=VERBOSE"};
  if (!setting.empty()) arguments.push_back(setting);
  arguments.insert(arguments.end(), {program_path("stylize_engine"), "--help"});
  return run_program("env", arguments).err;
}

bool spins(const std::string& text, const std::string& count) {
  return text.find("GOMP_SPINCOUNT = '" + count + "'") != std::string::npos;
}

}  // namespace

TEST_CASE("waiting threads: programs limit how long they spin") {
  CHECK(spins(told(""), "1000"));
}

TEST_CASE("waiting threads: what the environment says is left alone") {
  CHECK(spins(told("GOMP_SPINCOUNT=77"), "77"));
  CHECK(!spins(told("GOMP_SPINCOUNT=77"), "1000"));
  CHECK(!spins(told("OMP_WAIT_POLICY=passive"), "1000"));
  CHECK(!spins(told("OMP_WAIT_POLICY=active"), "1000"));
}
