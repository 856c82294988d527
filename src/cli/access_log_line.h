#pragma once
// Reads a line of a proxy's access log: Istio's text form, one JSON object, or what a format of the user's own lets be
// found. Pure; any bytes.
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace plait::cli {

struct AccessLogLine {
  bool whole = true;   // else of another form: only flags, and what tells of a denial, were looked for
  std::string method;  // empty: a TCP connection
  std::string path;
  std::string status;              // "403"; "0": none
  std::vector<std::string> flags;  // "UF"; empty: none
  std::string details;             // RESPONSE_CODE_DETAILS; empty: none
  std::string termination;         // CONNECTION_TERMINATION_DETAILS; empty: none
  std::string authority;
  std::string cluster;
  std::string downstream_local;  // "10.244.0.5:9080"
  std::string downstream_remote;
  std::string server_name;                   // SNI; empty: none
  std::string user_agent;                    // empty: none, or the line does not say
  std::optional<std::string> forwarded_for;  // x-forwarded-for; "": none; nullopt: the line does not say

  // The policy that denied it, or "none" where no ALLOW policy matched; nullopt: it was not denied by a policy.
  std::optional<std::string> DeniedBy() const;
  bool HasFlag(const std::vector<std::string>& any_of) const;
};

// Envoy's short names of why a stream did not end the ordinary way.
std::span<const std::string_view> ResponseFlagNames();

// nullopt: not a line of an access log, or of another form and with neither flag nor denial.
std::optional<AccessLogLine> ReadAccessLogLine(std::string_view line);

}  // namespace plait::cli
