#pragma once
// GET /plait/explain: what would become of a request, as steps and a verdict. `plait explain` puts the answers of both
// sides' proxies together.
//
// Out of the workload: ?to=reviews[&port=9080][&host=reviews:9080]. Into it: ?direction=inbound&port=9080&source=IP
// [&principal=spiffe://...][&sni=NAME][&tls], the last for TLS that may have no server name. Both:
// &method=GET&path=/x&header=name:value (repeated; host and :authority are another way to say &host), &tcp for what is
// no HTTP, &random=N to follow another of the weighted choices; &unknown=headers,principal,direct_ip for what the one
// who asks cannot say (a line of a log has no headers): no rule matches by that, and none is said to differ there.
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/result.h"

namespace plait::proxy::admin {

struct ExplainQuery {
  bool inbound = false;
  bool tcp = false;
  std::string to;          // service, workload, address or a host outside the mesh
  std::uint16_t port = 0;  // 0: the service's only port, or its first HTTP port
  std::string method = "GET";
  std::string path = "/";
  std::string host;       // Host; empty: `to` and the port
  std::string source;     // IP of the caller; empty: of this workload (outbound)
  std::string principal;  // that the caller proves; empty: plaintext
  std::string sni;
  bool tls = false;  // the caller begins TLS, also without `sni`
  std::vector<std::pair<std::string, std::string>> headers;
  struct Unknown {
    bool headers = false;  // but those that are given
    bool principal = false;
    bool direct_ip = false;
  } unknown;
  std::uint64_t random = 0;
};
// Of the query of a target, percent-encoded. Errors name the parameter.
Outcome<ExplainQuery> ReadExplainQuery(std::string_view query);

}  // namespace plait::proxy::admin
