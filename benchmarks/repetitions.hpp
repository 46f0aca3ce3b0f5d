// The clock of train_bench and stylize_bench: repetitions one after the other, or one whenever somebody asks
// for it, so that compare_peers.py can alternate between programs that are all warm.
#pragma once
#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <string>
#include <vector>

namespace chiaro::bench {

double seconds_of(const auto& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Says {"ready": true} on standard output, then calls work() once for every line of standard input
// and answers {"seconds": S}, until the input ends. Returns the seconds.
std::vector<double> measure_on_request(const auto& work) {
  const auto say = [](const std::string& line) {
    fmt::print("{}\n", line);
    std::fflush(stdout);
  };
  std::vector<double> seconds;
  say(R"({"ready": true})");
  for (std::string line; std::getline(std::cin, line);) {
    seconds.push_back(seconds_of(work));
    say(fmt::format(R"({{"seconds": {}}})", seconds.back()));
  }
  return seconds;
}

// 0 of nothing.
inline double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

inline double minimum(const std::vector<double>& values) {
  return values.empty() ? 0 : *std::min_element(values.begin(), values.end());
}

}  // namespace chiaro::bench
