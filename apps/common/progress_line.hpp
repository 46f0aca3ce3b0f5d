// The progress line of something that takes long, on standard error: rewritten in place on a terminal, else
// printed now and then.
#pragma once
#include <cstdio>
#include <functional>
#include <string>

namespace chiaro {

class ProgressLine {
 public:
  // WhenItTakesLong: nothing in the first seconds, so that short work says nothing.
  enum class Begin { AtOnce, WhenItTakesLong };
  using Now = std::function<double()>;  // seconds

  explicit ProgressLine(Begin begin);
  // For tests: another place, another clock.
  ProgressLine(Begin begin, std::FILE* out, bool terminal, Now now);
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;
  ~ProgressLine() { finish(); }

  // Shows the text where it is time for it; force: in any case.
  void show(const std::string& text, bool force = false);
  // Other output may follow: the line stays.
  void finish();
  // The same, but the line goes where it was only on a terminal.
  void clear();

 private:
  std::FILE* out_;
  bool terminal_;
  Now now_;
  double next_;  // when a line is due
  bool open_ = false;
};

// "45s", "12m 05s", "3h 20m".
std::string duration_text(double seconds);

// Of a clock that never goes back.
double steady_seconds();

}  // namespace chiaro
