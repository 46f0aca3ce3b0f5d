#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <ostream>

#include "engine/file_util.hpp"
#include "tests/support/compare.hpp"
#include "tests/support/temporary_folder.hpp"

namespace chiaro {
namespace {

namespace fs = std::filesystem;
using test::error_of;
using test::TemporaryFolder;

// While it lives, no file can grow beyond some bytes.
class FileLimit {
 public:
  explicit FileLimit(rlim_t bytes) : signal_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    rlimit limit = before_;
    limit.rlim_cur = bytes;
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, signal_);
  }

 private:
  rlimit before_{};
  void (*signal_)(int);
};

TEST_CASE("file_util: text is written whole, replaces what was there and leaves nothing behind") {
  const TemporaryFolder folder;
  const auto path = folder / "note.txt";
  write_text(path, "first, and longer than the second");
  const std::string bytes("second\0\n", 8);
  write_text(path, bytes);
  CHECK(read_text(path) == bytes);
  CHECK(folder.entries() == 1);
}

TEST_CASE("file_util: a stream is written whole") {
  const TemporaryFolder folder;
  std::string expected;
  write_file(folder / "numbers", [&](std::ostream& out) {
    for (int i = 0; i < 50000; ++i) {
      out << i << '\n';
      expected += std::to_string(i) + '\n';
    }
  });
  CHECK(read_text(folder / "numbers") == expected);
}

TEST_CASE("file_util: errors name the file and the reason") {
  const TemporaryFolder folder;
  const std::string missing = (folder / "none.txt").string();
  CHECK(error_of([&] { read_text(missing); }) == missing + ": cannot be read: No such file or directory");
  CHECK(error_of([&] { read_text(folder.path()); }) ==
        folder.path().string() + ": is a folder, expected a file");
  CHECK(error_of([&] { read_text("/dev/zero"); }) == "/dev/zero: is not a regular file");
  CHECK(error_of([&] { write_text(folder.path(), ""); }) ==
        folder.path().string() + ": is a folder, expected the name of a file");
  const std::string deep = (folder / "no/note.txt").string();
  CHECK(error_of([&] { write_text(deep, ""); }) ==
        deep + ": cannot be written: folder '" + (folder / "no").string() + "' does not exist");
  const std::string pipe = (folder / "pipe").string();
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  CHECK(error_of([&] { write_text(pipe, ""); }) ==
        pipe + ": is not a regular file and is not replaced; choose another name");
}

TEST_CASE("file_util: the longest names can be written, longer ones are refused before the work") {
  const TemporaryFolder folder;
  write_text(folder / std::string(255, 'x'), "long");
  CHECK(read_text(folder / std::string(255, 'x')) == "long");
  const std::string longer = (folder / std::string(256, 'x')).string();
  CHECK(error_of([&] { require_place(longer); }) ==
        longer + ": cannot be written: File name too long; choose a shorter name");
}

TEST_CASE("file_util: a write that fails leaves the old file and no other") {
  const TemporaryFolder folder;
  const std::string path = (folder / "kept").string();
  write_text(path, "old");
  {
    const FileLimit limit(100000);
    const std::string reason =
        path + ": cannot be written: File too large; check the limit on the size of files";
    CHECK(error_of([&] { write_text(path, std::string(200000, 'x')); }) == reason);
    CHECK(error_of([&] {
            write_file(path, [](std::ostream& out) {
              for (int i = 0; i < 300000; ++i) out << 'x';
            });
          }) == reason);
  }
  CHECK(read_text(path) == "old");
  CHECK(folder.entries() == 1);
}

TEST_CASE("file_util: temporaries of killed programs are swept, others are not") {
  const TemporaryFolder folder;
  const auto put = [&](const std::string& name) { std::ofstream(folder / name) << "x"; };
  put(".chiaro-0123456789abcdef");
  put(".chiaro-fedcba9876543210");
  put(".chiaro-0123456789abcdeg");
  put(".chiaro-notes");
  fs::create_symlink(folder / ".chiaro-notes", folder / ".chiaro-00000000000000ff");
  const int writing = ::open((folder / ".chiaro-fedcba9876543210").c_str(), O_RDWR);
  REQUIRE(::flock(writing, LOCK_EX | LOCK_NB) == 0);
  write_text(folder / "a", "");  // the first file that this program writes there
  CHECK(!fs::exists(folder / ".chiaro-0123456789abcdef"));
  CHECK(folder.entries() == 5);
  ::close(writing);
  sweep_temporaries(folder.path());
  CHECK(folder.entries() == 4);
}

TEST_CASE(
    "file_util: a file that is not committed leaves nothing, and a sweep spares one that is being written") {
  const TemporaryFolder folder;
  {
    NewFile file(folder / "a");
    file.append("abc", 3);
    sweep_temporaries(folder.path());
    CHECK(folder.entries() == 1);
    std::string back(5, 'x');
    file.read_at(1, back.data(), 4);
    CHECK(back == std::string("bc\0\0x", 5));
  }
  CHECK(folder.entries() == 0);
}

}  // namespace
}  // namespace chiaro
