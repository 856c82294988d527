// Any bytes: no crash, bounded; and what was read prints to text that reads back as the same tree. Read in parts, what
// can be read at once is the same, and of anything else some part cannot be read.
#include <algorithm>

#include "core/base/bytes.h"
#include "core/base/check.h"
#include "core/yaml/parse.h"
#include "core/yaml/print.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace plait::yaml;
  const plait::yaml::Limits limits{.bytes = 1 << 16, .nodes = 5000};
  const auto documents = ParseAll(plait::AsText({data, size}), "fuzz", limits);
  const std::vector<Part> parts = ParseEach(plait::AsText({data, size}), "fuzz", limits);
  const bool all = std::all_of(parts.begin(), parts.end(), [](const Part& part) { return part.documents.has_value(); });
  PLAIT_CHECK(all == documents.has_value());
  if (!documents) return 0;
  PLAIT_CHECK(parts.size() == 1 && *parts.front().documents == *documents);
  // Escapes make the printed text longer than what was read.
  const plait::yaml::Limits wide{.bytes = 1 << 22, .nodes = 20000};
  for (const Node& document : *documents) {
    const auto yaml = ParseAll(ToYaml(document), "again", wide);
    PLAIT_CHECK(yaml && yaml->size() == 1 && yaml->front() == document);
    const auto json = ParseAll(ToJson(document), "again", wide);
    PLAIT_CHECK(json && json->size() == 1);
  }
  return 0;
}
