#pragma once
// The request that `plait explain` is asked about: read from the words of the command line, and written as the query of
// /plait/explain. Pure.
#include <cstdint>
#include <string>
#include <vector>

#include "core/base/result.h"

namespace plait::cli {

// As they stand on the command line; empty: not given.
struct ExplainWords {
  std::string to;  // HOST, HOST:PORT or http[s]://HOST[:PORT][/PATH]
  std::string method;
  std::string url;  // /PATH, or http[s]://HOST[:PORT][/PATH], whose host is the Host header
  std::vector<std::string> headers;
  std::string sni = {};
  bool tcp = false;
  int random = 0;
};

struct ExplainRequest {
  std::string to;
  std::uint16_t port = 0;  // 0: the proxy chooses
  std::string method = "GET";
  std::string path = "/";
  std::string host;                  // of the URL, or the Host of -H; empty: `to` and the port
  std::vector<std::string> headers;  // without Host
  std::string sni = {};  // of TLS that the caller begins itself: of --sni or https://; empty: it begins none
  bool tcp = false;
  int random = 0;
};
// A URL may stand in the place of the method, too. Errors name the word and what it may be.
Outcome<ExplainRequest> ReadExplainRequest(const ExplainWords& words);

// FROM and `words` as one writes them in a shell, to be asked again.
std::string ShellWords(const std::string& from, const ExplainWords& words);

std::string OutboundQuery(const ExplainRequest& request);
// As it arrives at a server, unchanged: `source` is the caller's IP.
// (With `sni`, in TLS of its own.)
std::string PlaintextQuery(const ExplainRequest& request, std::uint16_t port, const std::string& source);

}  // namespace plait::cli
