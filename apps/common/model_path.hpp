// The model that a name on the command line means.
#pragma once
#include <filesystem>
#include <string>

namespace chiaro {

// `model` itself if it is a file; else NAME.h5 in the folder of the models that come with chiaro. Error that
// lists those when there is neither. Files compact_*.h5 in that folder are loss networks (loss_weights.hpp).
std::filesystem::path find_model(const std::string& model, const std::filesystem::path& shipped);

// That folder, beside the program that runs: share/chiaro/models of the folder above it where chiaro is
// installed, else apps/models of the source tree that it was built in. "apps/models" where there is neither.
std::filesystem::path shipped_models();

}  // namespace chiaro
