// Plans that were measured to be the fastest, kept between runs: one text file per device and cuDNN version.
//
// Off unless the environment variable CHIARO_CUDNN_TUNE names a folder (made when missing). Then the first
// program that meets a graph times the engines that the heuristics propose, on scratch memory, and writes the
// winner down; later programs take it without heuristics. Delete the folder to measure again. As engines
// differ in the last bits, so may results of a tuned and an untuned run; two runs with the same file give the
// same bits.
// Format: a header line, then for each plan two lines: what it computes, and cuDNN's JSON of the plan in one
// line.
#pragma once
#include <map>
#include <string>

namespace chiaro::cudnn {

class PlanFile {
 public:
  // The file for this device in the folder. A file that cannot be read, or of another header, counts as
  // empty.
  PlanFile(const std::string& folder, const std::string& device_name);

  // "" = none.
  std::string find(const std::string& key) const;
  // Keeps it and writes the file anew: beside its name first, then renamed, so a reader never sees half of
  // one. Failure to write is reported on stderr, once, and is otherwise harmless.
  void put(const std::string& key, const std::string& json);

  const std::string& path() const { return path_; }

 private:
  std::string folder_, path_, header_;
  std::map<std::string, std::string> plans_;
  bool reported_ = false;
};

}  // namespace chiaro::cudnn
