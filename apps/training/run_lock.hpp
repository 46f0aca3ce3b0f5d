// Who works in the folder of a run: one program at a time.
#pragma once
#include <filesystem>
#include <vector>

namespace chiaro {

// Held while a program trains in a folder. It is a lock (flock) on RUN/lock, which names process and host; the system
// releases it when the program ends in any way, so that a file left by a killed one locks nobody out.
class RunLock {
 public:
  // Makes the folder where there is none. Error "...: in use by process N on host H" while another program has it.
  explicit RunLock(const std::filesystem::path& folder);
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;
  // Removes RUN/lock, and folders that the constructor made and nothing was written to.
  ~RunLock();

 private:
  void make_folders(const std::filesystem::path& folder);
  void remove_folders() noexcept;

  std::filesystem::path file_;
  std::vector<std::filesystem::path> made_;  // outermost first
  int descriptor_ = -1;
};

}  // namespace chiaro
