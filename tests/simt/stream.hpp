// A CUDA stream of the emulated device: what is put into it runs later, in order.
//
// Later means at finish(), as late as a GPU might: who reads results or changes what a copy still has to read
// without waiting first gets wrong values. While a recording is on, nothing runs: the work goes to the
// recording. The null stream runs everything at once.
#pragma once
#include <exception>
#include <functional>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace simt {

struct Work {
  std::string name;
  std::function<void()> run;  // owns the arguments, as they were when it was submitted
};

}  // namespace simt

struct CUstream_st {
 public:
  void submit(simt::Work work);
  void submit(const std::vector<simt::Work>& work);
  // Runs what is queued. The first error ends it: the rest is dropped, and the error is thrown here or, where
  // finish_quietly() met it, by the next finish().
  void finish();
  void finish_quietly() noexcept;

  bool recording() const { return recording_; }
  void begin_recording() { recording_ = true; }
  std::vector<simt::Work> end_recording();

 private:
  std::recursive_mutex mutex_;  // releasing memory waits for the stream, from any thread
  std::vector<simt::Work> queued_, recorded_;
  bool recording_ = false;
  std::exception_ptr error_;
};
