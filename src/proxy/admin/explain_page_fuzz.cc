// Any query is either a question that can be asked or refused with a reason.
#include <cstdint>
#include <cstdlib>

#include "proxy/admin/explain_page.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto query = plait::proxy::admin::ReadExplainQuery({reinterpret_cast<const char*>(data), size});
  if (!query) {
    if (query.error().message.empty()) std::abort();
    return 0;
  }
  if (query->path.empty() || query->path.front() != '/' || (query->inbound ? query->port == 0 : query->to.empty()))
    std::abort();
  return 0;
}
