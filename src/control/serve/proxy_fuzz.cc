// What a client of xDS says of itself: its node's id in the first line, then metadata "NAME=value". Whoever it claims
// to be, it is served as the one that was authenticated.
#include <cstdint>
#include <string>

#include "control/serve/proxy.h"
#include "core/base/check.h"
#include "core/base/strings.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace plait;  // NOLINT: a program of its own
  if (size > 16 * 1024) return 0;
  const std::vector<std::string_view> lines = Split({reinterpret_cast<const char*>(data), size}, '\n');
  xds::Node node;
  node.id = lines[0];
  for (std::size_t i = 1; i < lines.size(); ++i) {
    const auto [name, value] = SplitOnce(lines[i], '=');
    if (name == "user_agent_name") node.user_agent_name = value.value_or("");
    node.metadata.insert_or_assign(std::string(name), std::string(value.value_or("")));
  }
  const identity::SpiffeId caller{"cluster.local", "default", "reviews"};
  const auto proxy = control::serve::ReadProxy(node, caller);
  if (!proxy) {
    const grpc::Code code = proxy.error().code;
    PLAIT_CHECK(code == grpc::Code::kInvalidArgument || code == grpc::Code::kPermissionDenied);
    PLAIT_CHECK(!proxy.error().message.empty());
    return 0;
  }
  PLAIT_CHECK(proxy->identity == caller && proxy->name_space == "default" && proxy->service_account == "reviews");
  PLAIT_CHECK(!proxy->ips.empty() && proxy->Key().ends_with(".default") && proxy->Key().size() > 8);
  const std::vector<std::string_view> id = Split(node.id, '~');
  PLAIT_CHECK(id.size() == 4 && id[0] == control::serve::KindName(proxy->kind) && id[2] == proxy->Key());
  for (std::size_t i = 0; i < proxy->ips.size(); ++i)
    for (std::size_t k = 0; k < i; ++k) PLAIT_CHECK(proxy->ips[i] != proxy->ips[k]);
  return 0;
}
