// Work on a damaged or hostile file, tried in a child process first.
//
// For files that a library reads which does not survive everything (HDF5 before 1.14 can crash on damaged
// files): what ends the child ends nothing else. Costs reading the file twice.
#pragma once
#include <filesystem>
#include <functional>

namespace chiaro {

// Runs work in a forked child and discards what it made. Throws the Error that work throws there, or, when
// the child dies, needs more memory than 2x the file beyond 1 GiB, or computes for more than a minute beyond
// a second per 10 MB, an Error that calls the file damaged. Returns when work succeeded, or when no child can
// be made. work must not start threads.
void try_in_child(const std::filesystem::path& file, const std::function<void()>& work);

}  // namespace chiaro
