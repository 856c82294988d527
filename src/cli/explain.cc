// plait explain FROM TO [METHOD] [URL]: what would become of a request, step by step, as the proxies of both sides
// decide it. Live, or for a directory that nobody runs.
#include <nlohmann/json.hpp>
#include <tuple>

#include "cli/explain_source.h"
#include "cli/fetch.h"
#include "cli/json_access.h"
#include "cli/verbs.h"
#include "core/base/strings.h"
#include "core/io/address.h"

namespace plait::cli {
namespace {

struct ExplainVerb {
  std::string from, to, method, url, directory;
  std::vector<std::string> headers;
  bool tcp = false;
  int random = 0;
};

struct Request {
  std::string to;
  std::string port;  // empty: the proxy chooses
  std::string method = "GET";
  std::string path = "/";
  std::string host;
};

// "reviews:9080" -> {"reviews", "9080"}; an IPv6 address stays whole, in brackets it may have a port.
std::pair<std::string, std::string> SplitPort(const std::string& text) {
  if (io::IpAddress::Parse(text)) return {text, ""};
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos || text.ends_with(']')) return {text, ""};
  std::string host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  return {host, text.substr(colon + 1)};
}

bool IsUrl(const std::string& word) { return word.starts_with('/') || word.find("://") != std::string::npos; }

// A URL stands in the place of the method, too.
Request RequestOf(const ExplainVerb& verb) {
  Request request;
  std::string url = verb.url;
  if (IsUrl(verb.method) && url.empty()) {
    url = verb.method;
  } else if (!verb.method.empty()) {
    request.method = verb.method;
  }
  std::tie(request.to, request.port) = SplitPort(verb.to);
  if (const std::size_t scheme = url.find("://"); scheme != std::string::npos) {
    url.erase(0, scheme + 3);
    const std::size_t slash = std::min(url.find('/'), url.size());
    request.host = url.substr(0, slash);
    url.erase(0, slash);
    if (request.port.empty()) request.port = SplitPort(request.host).second;
    if (request.port.empty()) request.port = "80";
  }
  if (!url.empty()) request.path = url;
  return request;
}

std::string HeadersQuery(const std::vector<std::string>& headers) {
  std::string query;
  for (const std::string& header : headers) query += "&header=" + UrlEncoded(header);
  return query;
}

std::string OutboundQuery(const ExplainVerb& verb, const Request& request) {
  std::string query = "to=" + UrlEncoded(request.to) + "&method=" + UrlEncoded(request.method) +
                      "&path=" + UrlEncoded(request.path) + "&random=" + std::to_string(verb.random);
  if (!request.port.empty()) query += "&port=" + UrlEncoded(request.port);
  if (!request.host.empty()) query += "&host=" + UrlEncoded(request.host);
  return query + (verb.tcp ? "&tcp" : "") + HeadersQuery(verb.headers);
}

// The same request as it arrives: with what the client's proxy has changed of it.
std::string InboundQuery(const ExplainVerb& verb, const Party& from, const Json& next) {
  std::string query = "direction=inbound&port=" + Text(next, {"port"}) + "&source=" + UrlEncoded(from.ip);
  if (At(next, "tls") == true) query += "&principal=" + UrlEncoded(from.identity);
  const Json& request = At(next, "request");
  if (verb.tcp || !request.is_object()) return query + "&tcp";
  query += "&method=" + UrlEncoded(Text(request, {"method"})) + "&path=" + UrlEncoded(Text(request, {"path"})) +
           "&host=" + UrlEncoded(Text(request, {"host"}));
  for (const Json& header : At(request, "headers"))
    if (header.is_array() && header.size() == 2)
      query += "&header=" + UrlEncoded(Text(header[0]) + ": " + Text(header[1]));
  return query;
}

int ExplainTo(const MeshOptions& mesh, const ExplainVerb& verb) {
  Outcome<std::unique_ptr<ExplainSource>> source =
      verb.directory.empty() ? LiveSource(mesh) : DirectorySource(verb.directory);
  if (!source) return Report(source.error());
  const Outcome<Party> from = (*source)->Find(verb.from);
  if (!from) return Report(from.error());
  if (!from->has_proxy)
    return Report({.code = Errc::kNotFound,
                   .message = from->workload + " has no proxy: its connections go where they are sent, in plaintext",
                   .hint = "ask from a workload that is in the mesh"});
  const Outcome<Json> sent = (*source)->Ask(*from, OutboundQuery(verb, RequestOf(verb)));
  if (!sent) return Report(sent.error());
  std::vector<Hop> hops = {{from->workload, Data(*sent)}};
  std::string note;
  const Json& next = At(*sent, "next");
  if (const std::string workload = Text(next, {"workload"}); !workload.empty()) {
    const Outcome<Party> server = (*source)->Find(workload);
    if (!server) return Report(server.error());
    if (server->has_proxy) {
      const Outcome<Json> arrived = (*source)->Ask(*server, InboundQuery(verb, *from, next));
      if (!arrived) return Report(arrived.error());
      hops.push_back({server->workload, Data(*arrived)});
    } else {
      note = workload + " has no proxy: it takes whatever comes";
    }
  } else if (next.is_object()) {
    note = Text(next, {"address"}) + " is outside the mesh";
  }
  return Show(mesh.format, ExplainOutput(hops, (*source)->ObjectPositions(), note));
}

}  // namespace

Command ExplainCommand(MeshOptions& mesh) {
  const auto verb = std::make_shared<ExplainVerb>();
  return {.name = "explain",
          .summary = "what would become of a request, step by step, and who decides it",
          .details =
              "The proxies of both sides answer, with the code and the configuration that serve real requests: "
              "where the destination leads, the route, the endpoint, mutual TLS, authorization. Nothing is sent. "
              "The exit code is 1 when the request would be refused. With -f the programs do the same for a "
              "directory that nobody runs: its workloads count as running and ready.",
          .examples = {{"explain productpage-v1 reviews GET /reviews/0", "which version, and may it?"},
                       {"explain reviews-v1 details:9080 /details/0 -H 'end-user: jason'", "with a header"},
                       {"explain -f samples/bookinfo productpage-v1 details", "before anything runs"}},
          .options =
              {{.names = "from",
                .value = "FROM",
                .help = "the workload that asks: pod or deployment",
                .to = &verb->from,
                .required = true,
                .offers = Offers::kWorkloads},
               {.names = "to",
                .value = "TO",
                .help = "service, workload, address or host, with :PORT where it has several; of a gateway: the "
                        "host that is asked for",
                .to = &verb->to,
                .required = true,
                .offers = Offers::kDestinations},
               {.names = "method", .value = "METHOD", .help = "of the request", .to = &verb->method, .standard = "GET"},
               {.names = "url",
                .value = "URL",
                .help = "a path, or http://HOST:PORT/PATH",
                .to = &verb->url,
                .standard = "/"},
               {.names = "-H,--header",
                .value = "NAME:VALUE",
                .help = "of the request; may be given more than once",
                .to = &verb->headers},
               {.names = "--tcp", .help = "a connection that is no HTTP", .to = &verb->tcp},
               {.names = "-f,--directory",
                .value = "DIR",
                .help = "of YAML, instead of a running mesh",
                .to = &verb->directory,
                .offers = Offers::kFolders},
               {.names = "--random",
                .value = "N",
                .help = "decides among weighted destinations and endpoints",
                .to = &verb->random,
                .standard = "0",
                .range = {0, 1'000'000'000}}},
          .run = [&mesh, verb] { return ExplainTo(mesh, *verb); }};
}

}  // namespace plait::cli
