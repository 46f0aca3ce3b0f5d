// Whole small files, and files that appear complete or not at all.
//
// A file is first written under temporary_beside(path), in the same folder, then commit_file() gives it its
// name. A reader sees the old contents or the new ones, never a part. Errors name the file and the reason.
#pragma once
#include <filesystem>
#include <functional>
#include <ostream>
#include <string>
#include <string_view>

namespace chiaro {

// The whole file as bytes.
std::string read_text(const std::filesystem::path& path);

// Replaces the file at path by what write() puts into the stream, atomically. The folder must exist.
void write_file(const std::filesystem::path& path, const std::function<void(std::ostream&)>& write);
void write_text(const std::filesystem::path& path, std::string_view text);

// An unused name in the folder of path: "model.h5" -> "model.h5.partial-<process>-<counter>".
// Throws Error when the folder does not exist or path is itself a folder.
std::filesystem::path temporary_beside(const std::filesystem::path& path);

// Flushes temporary to the disk and renames it to path, replacing what was there. Removes it on failure.
void commit_file(const std::filesystem::path& temporary, const std::filesystem::path& path);

// Removes the file if it is there; never throws. For the clean-up of temporaries.
void remove_quietly(const std::filesystem::path& path) noexcept;

}  // namespace chiaro
