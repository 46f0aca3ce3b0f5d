#include "apps/common/download.hpp"

#include <curl/curl.h>
#include <openssl/evp.h>

#include <array>
#include <cstdio>
#include <memory>

#include "apps/common/progress_line.hpp"
#include "engine/file_util.hpp"
#include "kernels/base/error.hpp"

namespace chiaro {

namespace {

namespace fs = std::filesystem;

constexpr long kConnectSeconds = 20, kStalledSeconds = 60;

// Writes what arrives, and adds it to the checksum.
class Arrival {
 public:
  explicit Arrival(const fs::path& path) : file_(path), digest_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
    require(digest_ && EVP_DigestInit_ex(digest_.get(), EVP_md5(), nullptr) == 1, "MD5 is not available");
  }

  bool add(const char* data, std::size_t bytes) {
    file_.append(data, bytes);
    return !file_.failed() && EVP_DigestUpdate(digest_.get(), data, bytes) == 1;
  }
  std::string md5() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> sum;
    unsigned length = 0;
    require(EVP_DigestFinal_ex(digest_.get(), sum.data(), &length) == 1, "MD5 failed");
    std::string text;
    for (unsigned i = 0; i < length; ++i) text += fmt::format("{:02x}", sum[i]);
    return text;
  }
  void check() const { file_.check(); }
  void keep() { file_.commit(); }

 private:
  NewFile file_;
  std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> digest_;
};

std::size_t take(char* data, std::size_t size, std::size_t count, void* arrival) {
  return static_cast<Arrival*>(arrival)->add(data, size * count) ? size * count : 0;
}

struct Shown {
  ProgressLine line;
  std::string name;
};

int show(void* shown, curl_off_t total, curl_off_t done, curl_off_t, curl_off_t) {
  auto& [line, name] = *static_cast<Shown*>(shown);
  if (total > 0)
    line.show(fmt::format("fetching {}: {} of {} MB", name, done / 1'000'000, total / 1'000'000));
  return 0;
}

// "" or why it failed.
std::string fetch(const std::string& url, const std::string& name, Arrival& arrival) {
  static const CURLcode started = curl_global_init(CURL_GLOBAL_DEFAULT);
  const std::unique_ptr<CURL, void (*)(CURL*)> curl(started == CURLE_OK ? curl_easy_init() : nullptr,
                                                    curl_easy_cleanup);
  require(curl != nullptr, "libcurl cannot be started");
  Shown shown{.line = ProgressLine(ProgressLine::Begin::WhenItTakesLong), .name = name};
  std::array<char, CURL_ERROR_SIZE> reason{};
  const auto set = [&](CURLoption option, auto value) { curl_easy_setopt(curl.get(), option, value); };
  set(CURLOPT_URL, url.c_str());
  set(CURLOPT_PROTOCOLS_STR, "http,https,file");
  set(CURLOPT_FOLLOWLOCATION, 1L);
  set(CURLOPT_FAILONERROR, 1L);
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_CONNECTTIMEOUT, kConnectSeconds);
  set(CURLOPT_LOW_SPEED_TIME, kStalledSeconds);
  set(CURLOPT_LOW_SPEED_LIMIT, 1L);
  set(CURLOPT_WRITEFUNCTION, &take);
  set(CURLOPT_WRITEDATA, &arrival);
  set(CURLOPT_NOPROGRESS, 0L);
  set(CURLOPT_XFERINFOFUNCTION, &show);
  set(CURLOPT_XFERINFODATA, &shown);
  set(CURLOPT_ERRORBUFFER, reason.data());
  const CURLcode result = curl_easy_perform(curl.get());
  shown.line.clear();
  if (result == CURLE_OK) return "";
  return reason[0] ? reason.data() : curl_easy_strerror(result);
}

}  // namespace

fs::path cached_file(const PublicFile& file, const std::string& base_url, const fs::path& folder) {
  const std::string name = fs::path(file.path).filename().string();
  const fs::path result = folder / name;
  if (fs::exists(result)) return result;
  const std::string url = base_url + "/" + std::string(file.path);
  std::error_code failed;
  fs::create_directories(folder, failed);
  if (failed) throw Error("{}: cannot be made: {}", folder.string(), failed.message());
  Arrival arrival(result);
  if (const std::string reason = fetch(url, name, arrival); !reason.empty()) {
    arrival.check();  // a full disk ends it too
    throw Error("{}: cannot be fetched: {}; fetch it by other means and give its path, or save it as {}", url,
                reason, result.string());
  }
  if (const std::string found = arrival.md5(); found != file.md5)
    throw Error("{}: is not the file that is known: its MD5 is {}, expected {}", url, found, file.md5);
  arrival.keep();
  return result;
}

}  // namespace chiaro
