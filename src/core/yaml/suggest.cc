#include "core/yaml/suggest.h"

#include <algorithm>
#include <numeric>

#include "core/base/strings.h"

namespace plait::yaml {
namespace {
constexpr std::size_t kLongest = 64;  // longer names are not compared: a message is not worth quadratic time
constexpr std::size_t kListed = 12;

// Optimal string alignment distance, case ignored: insert, delete, replace, swap neighbours.
std::size_t Distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1);
  std::vector<std::size_t> last(b.size() + 1);
  std::vector<std::size_t> now(b.size() + 1);
  std::iota(last.begin(), last.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    now[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const char x = ToLower(a[i - 1]);
      const char y = ToLower(b[j - 1]);
      now[j] = std::min({last[j] + 1, now[j - 1] + 1, last[j - 1] + (x == y ? 0U : 1U)});
      if (i > 1 && j > 1 && x == ToLower(b[j - 2]) && ToLower(a[i - 2]) == y)
        now[j] = std::min(now[j], before[j - 2] + 1);
    }
    std::swap(before, last);
    std::swap(last, now);
  }
  return last[b.size()];
}
}  // namespace

std::string Nearest(std::string_view written, const std::vector<std::string_view>& candidates) {
  if (written.empty() || written.size() > kLongest) return {};
  std::string_view best;
  std::size_t best_distance = std::max<std::size_t>(1, written.size() / 3) + 1;
  for (std::string_view candidate : candidates) {
    if (candidate.size() > kLongest) continue;
    // Each letter more is a change: names of very different length cost nothing.
    if (std::max(written.size(), candidate.size()) - std::min(written.size(), candidate.size()) >= best_distance)
      continue;
    const std::size_t distance = Distance(written, candidate);
    if (distance < best_distance) {
      best = candidate;
      best_distance = distance;
    }
  }
  return std::string(best);
}

std::string Suggest(std::string_view written, const std::vector<std::string_view>& candidates) {
  if (std::string near = Nearest(written, candidates); !near.empty()) return "did you mean \"" + near + "\"?";
  if (candidates.empty() || candidates.size() > kListed) return {};
  std::string out = "one of: ";
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    if (i > 0) out += ", ";
    out += candidates[i];
  }
  return out;
}
}  // namespace plait::yaml
