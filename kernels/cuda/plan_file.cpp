#include "kernels/cuda/plan_file.hpp"

#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "kernels/base/error.hpp"
#include "kernels/base/say.hpp"
#include "kernels/cuda/cudnn_library.hpp"

namespace chiaro::cudnn {

namespace {

std::string one_line(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

std::string file_name(const std::string& device_name) {
  std::string name = device_name + " cudnn " + version_text() + ".plans";
  for (char& c : name)
    if (!std::isalnum(static_cast<unsigned char>(c)) && c != '.') c = '_';
  return name;
}

}  // namespace

PlanFile::PlanFile(const std::string& folder, const std::string& device_name)
    : folder_(folder),
      path_(folder + "/" + file_name(device_name)),
      header_(fmt::format("chiaro cuDNN plans 1: {}, cuDNN {}", device_name, version_text())) {
  std::ifstream in(path_);
  std::string line, json;
  if (!std::getline(in, line) || line != header_) return;
  while (std::getline(in, line) && std::getline(in, json)) plans_[line] = json;
}

std::string PlanFile::find(const std::string& key) const {
  const auto found = plans_.find(key);
  return found == plans_.end() ? "" : found->second;
}

void PlanFile::put(const std::string& key, const std::string& json) {
  plans_[one_line(key)] = one_line(json);
  namespace fs = std::filesystem;
  std::error_code failure;
  fs::create_directories(folder_, failure);
  const std::string draft = fmt::format("{}.{}", path_, getpid());
  std::ofstream out(draft);
  out << header_ << "\n";
  for (const auto& [name, text] : plans_) out << name << "\n" << text << "\n";
  out.close();
  if (out) fs::rename(draft, path_, failure);
  if ((!out || failure) && !reported_) {
    say(stderr, "note: {}: cannot be written; plans will be measured again next time\n", path_);
    reported_ = true;
  }
}

}  // namespace chiaro::cudnn
