// Whatever bytes come: reading ends, and what was read of a query is written back in an answer that reads the same.
#include <cstdlib>

#include "proxy/dns/message.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace plait::proxy::dns;
  const plait::Bytes bytes(data, size);
  (void)ParseAddresses(bytes);
  const auto query = ParseQuery(bytes);
  if (!query) return 0;
  if (query->name.size() > 253) std::abort();
  AnswerWriter writer(*query, Code::kOk, true);
  writer.AddAddress(query->name, plait::io::IpAddress::V4(0x7F000001), 30);
  const std::vector<std::uint8_t> answer = std::move(writer).Finish(65535);
  const auto head = ParseResponseHead(answer);
  if (!head || head->id != query->id || head->name != query->name || head->type != query->type) std::abort();
  const auto found = ParseAddresses(answer);
  if (!found || found->addresses.size() != 1) std::abort();
  return 0;
}
