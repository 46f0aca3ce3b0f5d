#include "engine/data/samples.hpp"

#include "kernels/base/say.hpp"

namespace chiaro {

std::string bad_photo_text(const std::string& heading, const std::vector<BadPhoto>& bad, std::size_t lines) {
  if (bad.empty()) return "";
  std::string text = heading;
  const std::size_t shown = std::min(lines, bad.size());
  for (std::size_t i = 0; i < shown; ++i) text += "\n  " + escaped(bad[i].reason);
  if (shown < bad.size()) text += fmt::format("\n  ... and {} more", bad.size() - shown);
  return text;
}

EpochOrders::Order EpochOrders::of(std::int64_t epoch) {
  constexpr std::size_t kKept = 3;  // threads are at most around one boundary between epochs
  const std::lock_guard lock(mutex_);
  for (const auto& [known, order] : orders_)
    if (known == epoch) return order;
  auto order = std::make_shared<const std::vector<std::int64_t>>(
      permutation(rng_, count_, static_cast<std::uint64_t>(epoch) << 32));
  orders_.emplace_back(epoch, order);
  if (orders_.size() > kKept) orders_.pop_front();
  return order;
}

}  // namespace chiaro
