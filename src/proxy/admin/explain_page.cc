#include "proxy/admin/explain_page.h"

#include "core/base/encoding.h"
#include "core/base/strings.h"

namespace plait::proxy::admin {
namespace {

Outcome<> TakeUnknown(const std::string& names, ExplainQuery::Unknown& unknown) {
  for (const std::string_view name : Split(names, ',')) {
    if (name == "headers")
      unknown.headers = true;
    else if (name == "principal")
      unknown.principal = true;
    else if (name == "direct_ip")
      unknown.direct_ip = true;
    else
      return Explain(Errc::kInvalidInput, "unknown=" + names + " has \"" + std::string(name) + "\"",
                     "headers, principal and direct_ip may be unknown");
  }
  return {};
}

// Of host= or of a header that is no field for the proxy but the host that is asked for.
Outcome<> TakeHost(std::string host, ExplainQuery& query) {
  if (!query.host.empty() && !EqualsIgnoreCase(query.host, host))
    return Explain(Errc::kInvalidInput, "the host is said to be " + query.host + " and " + host,
                   "give one of host= and header=host:");
  query.host = std::move(host);
  return {};
}

Outcome<> TakeHeader(const std::string& header, ExplainQuery& query) {
  const std::size_t colon = header.find(':', 1);  // ":authority" begins with one
  const std::string field = ToLower(Trim(std::string_view(header).substr(0, colon)));
  const bool names_host = field == "host" || field == ":authority";
  if (colon == std::string::npos || field.empty() || (field.front() == ':' && !names_host))
    return Explain(Errc::kInvalidInput, "header=" + header + " is not name:value");
  const std::string_view text = Trim(std::string_view(header).substr(colon + 1));
  if (names_host) return TakeHost(std::string(text), query);
  query.headers.emplace_back(field, text);
  return {};
}

Outcome<> Take(std::string_view name, std::string value, ExplainQuery& query) {
  if (name == "direction") {
    if (value != "inbound" && value != "outbound")
      return Explain(Errc::kInvalidInput, "direction=" + value + " is neither inbound nor outbound");
    query.inbound = value == "inbound";
  } else if (name == "tcp") {
    query.tcp = true;
  } else if (name == "tls") {
    query.tls = true;
  } else if (name == "port" || name == "random") {
    const auto number = ParseUint(value);
    if (!number || (name == "port" && *number > 65535))
      return Explain(Errc::kInvalidInput, std::string(name) + "=" + value + " is not a number that can be");
    if (name == "port")
      query.port = static_cast<std::uint16_t>(*number);
    else
      query.random = *number;
  } else if (name == "header") {
    return TakeHeader(value, query);
  } else if (name == "host") {
    return TakeHost(std::move(value), query);
  } else if (name == "unknown") {
    return TakeUnknown(value, query.unknown);
  } else {
    std::string ExplainQuery::* const field = name == "to"          ? &ExplainQuery::to
                                              : name == "method"    ? &ExplainQuery::method
                                              : name == "path"      ? &ExplainQuery::path
                                              : name == "source"    ? &ExplainQuery::source
                                              : name == "principal" ? &ExplainQuery::principal
                                              : name == "sni"       ? &ExplainQuery::sni
                                                                    : nullptr;
    if (field == nullptr) return Explain(Errc::kInvalidInput, "there is no parameter " + std::string(name));
    query.*field = std::move(value);
  }
  return {};
}

}  // namespace

Outcome<ExplainQuery> ReadExplainQuery(std::string_view query) {
  ExplainQuery out;
  for (const std::string_view pair : Split(query, '&')) {
    const auto [name, value] = SplitOnce(pair, '=');
    if (name.empty()) continue;
    auto decoded = PercentDecode(value.value_or(""));
    if (!decoded) return Explain(Errc::kInvalidInput, "a broken escape in the value of " + std::string(name));
    if (Outcome<> taken = Take(name, *std::move(decoded), out); !taken) return std::unexpected(taken.error());
  }
  if (out.path.empty() || out.path.front() != '/') return Explain(Errc::kInvalidInput, "path must begin with /");
  if (!out.inbound && out.to.empty())
    return Explain(Errc::kInvalidInput, "say where to: /plait/explain?to=SERVICE&port=PORT",
                   "or ?direction=inbound&port=PORT&source=IP");
  if (out.inbound && out.port == 0) return Explain(Errc::kInvalidInput, "say which port: &port=PORT");
  return out;
}

}  // namespace plait::proxy::admin
