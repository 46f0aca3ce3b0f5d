// Finds the photos below folders.
#pragma once
#include <string>
#include <vector>

namespace chiaro {

// The paths of all .jpg, .jpeg, .png and .bmp files (any case) below the folders, in the given order of the
// folders and inside each in byte order of the path, so the list is the same on every machine. Hidden files
// and folders (leading dot) are skipped. Links to files are followed, links to folders are not, except when
// they are the given folders themselves.
// Errors: a missing or unreadable folder, a file in place of a folder, no photo below a folder.
std::vector<std::string> list_photos(const std::vector<std::string>& folders);

}  // namespace chiaro
