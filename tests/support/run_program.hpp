// Runs a program as a user would: arguments in, exit status and output out.
#pragma once
#include <sys/wait.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "engine/file_util.hpp"
#include "tests/support/temporary_folder.hpp"

namespace chiaro::test {

struct ProgramResult {
  int status = -1;  // -1: ended by a signal
  std::string out, err;
};

// One of the build's programs; of those in the folder CHIARO_PROGRAMS where the environment names one.
inline std::string program_path(const std::string& name) {
  const char* folder = std::getenv("CHIARO_PROGRAMS");
  return std::string(folder ? folder : CHIARO_BIN_DIR) + "/" + name;
}

inline std::string quoted(const std::string& word) {
  std::string text = "'";
  for (const char c : word) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return text + "'";
}

inline ProgramResult run_program(const std::string& program, const std::vector<std::string>& arguments) {
  const TemporaryFolder folder;
  std::string command = quoted(program);
  for (const std::string& argument : arguments) command += " " + quoted(argument);
  command += " >" + quoted(folder / "out") + " 2>" + quoted(folder / "err") + " </dev/null";
  const int status = std::system(command.c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, read_text(folder / "out"), read_text(folder / "err")};
}

}  // namespace chiaro::test
