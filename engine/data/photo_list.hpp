// Finds the photos below folders.
#pragma once
#include <string>
#include <vector>

namespace chiaro {

// The paths of all .jpg, .jpeg, .jpe, .jfif, .png, .webp and .bmp files (any case) below the folders, in the given order
// of the folders and inside each in byte order of the path, so the list is the same on every machine. Hidden files
// and folders (leading dot) are skipped. Links to files and folders are followed, but not to a folder that the link
// itself lies in.
// left_out, if not null: how many pictures there are of kinds that are not read, "3 .heic, 1 .tif"; "" for none.
// Errors: a missing or unreadable folder, a file in place of a folder, no photo below a folder.
std::vector<std::string> list_photos(const std::vector<std::string>& folders,
                                     std::string* left_out = nullptr);

}  // namespace chiaro
