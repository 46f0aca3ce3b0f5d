// Ordered implementation lists: the first entry that can do a problem makes the plan for it.
//
// An entry's make() returns nullptr and a reason when it declines. It looks at shapes, dtypes, build options
// and hardware, never at data. CHIARO_IMPL=<op>:<name> forces one entry; CHIARO_LOG=dispatch prints every
// choice and refusal to stderr, one line each. CHIARO_IMPL=<op>:-<name> leaves one entry out.
#pragma once
#include <cstdio>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "kernels/base/context.hpp"
#include "kernels/base/error.hpp"
#include "kernels/base/say.hpp"

namespace chiaro {

template <class Problem, class Plan>
struct Implementation {
  const char* name;
  std::unique_ptr<Plan> (*make)(Context&, const Problem&, std::string& refusal);
};

// `problem_text` describes the problem in messages. Plan::details() is what the log says about the choice.
// Throws Error when the forced entry is unknown or declines, or when every entry declines.
template <class Problem, class Plan>
std::unique_ptr<Plan> make_first_supported(Context& context, const char* op, const std::string& problem_text,
                                           std::span<const Implementation<Problem, Plan>> list,
                                           const Problem& problem) {
  std::string forced = forced_implementation(op), excluded;
  if (forced.starts_with('-')) excluded = std::exchange(forced, "").substr(1);
  const bool log = log_enabled("dispatch");
  std::string refusals, names;
  for (const auto& entry : list) {
    names += names.empty() ? entry.name : fmt::format(", {}", entry.name);
    if ((!forced.empty() && forced != entry.name) || excluded == entry.name) continue;
    std::string refusal;
    auto plan = entry.make(context, problem, refusal);
    if (plan) {
      if (log) say(stderr, "dispatch: {} {}: {} ({})\n", op, problem_text, entry.name, plan->details());
      return plan;
    }
    if (log) say(stderr, "dispatch: {} {}: not {}: {}\n", op, problem_text, entry.name, refusal);
    refusals += fmt::format("{}{}: {}", refusals.empty() ? "" : "; ", entry.name, refusal);
  }
  if (refusals.empty())
    throw Error("CHIARO_IMPL={}:{}: no such implementation here, expected one of: {}", op, forced, names);
  throw Error("{} {}: no implementation can do this{}: {}", op, problem_text,
              forced.empty() ? "" : " (one is forced by CHIARO_IMPL)", refusals);
}

}  // namespace chiaro
