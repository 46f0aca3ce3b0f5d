// A picture strip: photographs above, the same restyled below, a row for each style.
#pragma once
#include <string>
#include <vector>

#include "apps/stylize/stylize_jobs.hpp"

namespace chiaro {

// Writes path (.png or .jpg) from the files of finished jobs, a list for each style, scaled to one height: of
// at most `columns` photographs, those that are in every list. Alpha is shown on white. Nothing is written
// where there are none.
void write_strip(const std::string& path, const std::vector<std::vector<StylizeJob>>& styles,
                 std::size_t columns = 6);

}  // namespace chiaro
