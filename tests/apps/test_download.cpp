// Public files into the cache, from a server on this machine.
#include <doctest/doctest.h>

#include <filesystem>

#include "apps/common/download.hpp"
#include "engine/file_util.hpp"
#include "tests/support/compare.hpp"
#include "tests/support/http_server.hpp"
#include "tests/support/tiny_training.hpp"

using namespace chiaro;
using test::contains;
using test::HttpServer;

namespace {

constexpr PublicFile kHello{"greetings/hello.txt", "5d41402abc4b2a76b9719d911017c592"};  // md5sum of "hello"

bool holds_nothing(const std::filesystem::path& folder) {
  return !std::filesystem::exists(folder) || std::filesystem::is_empty(folder);
}

}  // namespace

TEST_CASE("download: a file is fetched once") {
  const test::TemporaryFolder folder;
  const std::filesystem::path cache = folder / "cache/chiaro";
  HttpServer server([](const std::string& path) {
    return path == "/files/greetings/hello.txt" ? HttpServer::ok("hello") : "HTTP/1.1 404 Not Found\r\n\r\n";
  });
  const auto file = cached_file(kHello, server.url() + "/files", cache);
  CHECK(file == cache / "hello.txt");
  CHECK(read_text(file) == "hello");
  CHECK(cached_file(kHello, server.url() + "/files", cache) == file);
  CHECK(server.requests() == 1);
  CHECK(std::distance(std::filesystem::directory_iterator(cache), {}) == 1);
}

TEST_CASE("download: what is not the known file is not kept, and the reason is said in one line") {
  const test::TemporaryFolder folder;
  const std::filesystem::path cache = folder / "cache";
  const auto error_from = [&](const std::string& base) {
    const std::string error = test::error_of([&] { cached_file(kHello, base, cache); });
    CHECK(error.find('\n') == std::string::npos);
    CHECK(holds_nothing(cache));
    return error;
  };
  HttpServer other([](const std::string&) { return HttpServer::ok("hullo"); });
  CHECK(error_from(other.url()) == other.url() +
                                       "/greetings/hello.txt: is not the file that is known: its MD5 is "
                                       "54bf43965e2bbaa20c22c22ca7b4e9c7, expected " +
                                       std::string(kHello.md5));
  HttpServer missing(
      [](const std::string&) { return "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"; });
  CHECK(contains(error_from(missing.url()),
                 "/greetings/hello.txt: cannot be fetched: The requested URL returned error: 404"));
  HttpServer broken([](const std::string&) { return "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel"; });
  CHECK(contains(error_from(broken.url()), ": cannot be fetched: "));
  HttpServer silent([](const std::string&) { return ""; });
  CHECK(contains(error_from(silent.url()), ": cannot be fetched: "));
  const std::string offline = error_from("http://127.0.0.1:9");
  CHECK(contains(offline, "http://127.0.0.1:9/greetings/hello.txt: cannot be fetched: "));
  CHECK(contains(offline, "; fetch it by other means and give its path, or save it as " +
                              (cache / "hello.txt").string()));
  CHECK(contains(error_from("ftp://127.0.0.1"), ": cannot be fetched: "));
}

TEST_CASE("download: where nothing can be written it says so") {
  const test::TemporaryFolder folder;
  const std::string in_the_way = folder / "file";
  write_text(in_the_way, "");
  CHECK(contains(test::error_of([&] { cached_file(kHello, "http://127.0.0.1:9", in_the_way + "/cache"); }),
                 "/file/cache: cannot be made: "));
}

TEST_CASE(
    "train_engine: weights.vgg19 = download asks the server that is named, and takes what is in the cache") {
  const test::TinyTraining tiny;
  HttpServer server(
      [](const std::string&) { return "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"; });
  const std::string name = "vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5";
  setenv("XDG_CACHE_HOME", (tiny / "cache").c_str(), 1);
  const test::Words words{"weights.vgg19=download", "weights.base_url=" + server.url()};
  const auto refused = tiny.train(words);
  CHECK(refused.status == 1);
  CHECK(contains(refused.err, "train_engine: " + server.url() + "/vgg19/" + name +
                                  ": cannot be fetched: The requested URL returned error: 503"));
  std::filesystem::create_directories(tiny / "cache/chiaro");
  std::filesystem::copy(tiny.vgg(), tiny / ("cache/chiaro/" + name));
  const auto trained = tiny.train(words);
  CHECK_MESSAGE(trained.status == 0, trained.err);
  unsetenv("XDG_CACHE_HOME");
  CHECK(server.requests() == 1);
}
