// A picture strip: photographs above, the same restyled below.
#pragma once
#include <string>
#include <vector>

#include "apps/stylize/stylize_jobs.hpp"

namespace chiaro {

// Writes path (.png or .jpg) from the files of at most `columns` finished jobs, scaled to one height. Alpha
// is shown on white.
void write_strip(const std::string& path, const std::vector<StylizeJob>& jobs, std::size_t columns = 6);

}  // namespace chiaro
