// What evaluate_engine judges: a trained network, or a folder of pictures that something else has stylized.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "apps/stylize/picture_styler.hpp"

namespace chiaro {

struct CandidateSpec {
  enum class Kind { Model, Folder };
  std::string name;
  std::string path;
  Kind kind = Kind::Model;
  std::vector<StyleShare> style = {};  // of a model with several
};

// "NAME=PATH" or "PATH"; a model may also be the name of one that comes with chiaro, and one of several
// styles is followed by "@" and its style: "base@wave". Without NAME it is that of the file, or of the folder
// for a run's "model.h5" and for a folder, and "@" with the style. Errors: an empty part, no such file.
CandidateSpec parse_candidate(const std::string& text, CandidateSpec::Kind kind);

// Error when two have the same name.
void require_distinct_names(const std::vector<CandidateSpec>& specs);

class Candidate {
 public:
  // Errors: those of loading a model; a folder without pictures.
  Candidate(Context& context, CandidateSpec spec, DType dtype);

  const CandidateSpec& spec() const { return spec_; }

  // The RGB photo (of the size to be judged) stylized; a folder's picture is the one with the stem of the
  // photo's file, brought to the photo's size. Errors: none or several such pictures, an unreadable one, one
  // of another shape (its sides' ratio is more than 3 % off).
  Image stylize(const Image& photo, const std::string& photo_file);

 private:
  CandidateSpec spec_;
  std::unique_ptr<PictureStyler> styler_;             // of a model
  std::multimap<std::string, std::string> pictures_;  // of a folder: stem, path
};

}  // namespace chiaro
