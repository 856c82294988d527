// What the supervisor reads of others: a mesh's status (of a supervisor of another version), Envoy's statistics, the
// host's resolv.conf, texts of containers that name variables. The first byte chooses the reader. Checked: what was
// read survives being written and read again, and a text is expanded as if each of its characters were looked at alone.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/check.h"
#include "local/envoy_drain.h"
#include "local/expand.h"
#include "local/mesh_status.h"
#include "local/nameservers.h"

namespace {
using namespace plait;

void Status(std::string_view text) {
  if (const auto status = local::DecodeMeshStatus(text))
    PLAIT_CHECK(local::DecodeMeshStatus(local::EncodeMeshStatus(*status)).has_value());
}

void Nameservers(const std::string& text) {
  const std::vector<std::string> names = local::ReadNameservers(text);
  PLAIT_CHECK(!names.empty() && names.size() <= 3);
  std::string written;
  for (const std::string& name : names) {
    PLAIT_CHECK(!name.empty() && name.find_first_of(std::string_view("\0 \t\r\n", 5)) == std::string::npos);
    PLAIT_CHECK(text.find(name) != std::string::npos || name == "127.0.0.1");
    written += "nameserver " + name + "\n";
  }
  PLAIT_CHECK(local::ReadNameservers(written) == names);
}

// The rules of Kubernetes' expansion, one character after the other.
std::string Expanded(std::string_view text, const std::vector<local::EnvVar>& variables) {
  std::string out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const std::string_view rest = text.substr(at);
    if (rest.starts_with("$$")) {
      out += '$';
      ++at;
      continue;
    }
    const auto named = std::find_if(variables.begin(), variables.end(), [&](const local::EnvVar& variable) {
      return rest.starts_with("$(" + variable.name + ")");
    });
    out += named != variables.end() ? named->value : std::string(1, text[at]);
    if (named != variables.end()) at += named->name.size() + 2;
  }
  return out;
}

void Expansion(std::string_view text) {
  const std::vector<local::EnvVar> variables = {
      {"A", "1", ""}, {"HOST", "$(A)$$", ""}, {"", "none", ""}, {"B(", "", ""}};
  PLAIT_CHECK(local::Expand(text, variables) == Expanded(text, variables));
  PLAIT_CHECK(text.find('$') != std::string_view::npos || local::Expand(text, variables) == text);
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0]) {
    case 'E': (void)local::ReadInboundActivity(text); break;
    case 'S': Status(text); break;
    case 'N': Nameservers(std::string(text)); break;
    case 'X': Expansion(text); break;
    default: break;
  }
  return 0;
}
