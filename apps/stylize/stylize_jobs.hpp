// Which picture goes where: the inputs and the output of a command line as pairs of files.
#pragma once
#include <string>
#include <vector>

namespace chiaro {

struct StylizeJob {
  std::string input, output;
};

inline constexpr const char* kStandardOutput = "-";  // in place of a file's name

// Inputs are picture files, or folders that are searched as in list_photos(). One input file and an output
// that ends in .png, .jpg or .jpeg: the result gets that name. Otherwise the output is a folder, and a result
// has the name of its picture, below the same sub-folders as in the input folder. Its extension is `format`
// ("png" or "jpg"), or with format = "" that of the picture where it can be written, else .png. Pictures
// below an output folder that lies inside an input folder are results of an earlier run: left out.
// "-" takes the result of one picture, as PNG. Nothing is created. Errors: a missing input, an output of the wrong sort, two pictures with one result, a
// result that would overwrite an input.
std::vector<StylizeJob> plan_jobs(const std::vector<std::string>& inputs, const std::string& output,
                                  const std::string& format);

}  // namespace chiaro
