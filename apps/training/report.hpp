// The page of a run that people look at.
#pragma once
#include "apps/training/run_folder.hpp"

namespace chiaro {

// Writes report.html from metrics.jsonl, the previews and config.toml: self-contained but for the preview
// files beside it. Needs nothing but a browser.
void write_report(const RunFolder& folder);

}  // namespace chiaro
