#include "core/http/trailers.h"

namespace plait::http {

bool HasForbiddenTrailer(const Headers& trailers) noexcept {
  for (const char* name : {"content-length", "transfer-encoding", "host"})
    if (trailers.Has(name)) return true;
  return false;
}

}  // namespace plait::http
