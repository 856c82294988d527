#include "cli/explain_request.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "cli/fetch.h"
#include "cli/shell_word.h"
#include "core/base/encoding.h"
#include "core/base/strings.h"
#include "core/io/address.h"

namespace plait::cli {
namespace {

// Of RFC 9110 5.6.2: names of methods and header fields.
bool IsToken(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return IsAlpha(c) || IsDigit(c) || std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  });
}

bool IsUrl(std::string_view word) { return word.starts_with('/') || word.find("://") != std::string_view::npos; }

std::unexpected<Diagnostic> Wrong(const std::string& name, const std::string& word, const std::string& what,
                                  std::string hint) {
  return Explain(Errc::kInvalidInput, name + " \"" + word + "\" " + what, std::move(hint));
}

struct Place {
  std::string host;
  std::uint16_t port = 0;  // 0: none was given
};

// "reviews:9080"; an IPv6 address stays whole, in brackets it may have a port.
Outcome<Place> ReadPlace(const std::string& name, const std::string& text) {
  if (io::IpAddress::Parse(text)) return Place{.host = text};
  Place place{.host = text};
  const std::size_t colon = text.rfind(':');
  if (colon != std::string::npos && !text.ends_with(']')) {
    place.host = text.substr(0, colon);
    const Result<Port> port = ParsePort(text.substr(colon + 1));
    if (!port)
      return Wrong(name, text, "has no port that can be: " + text.substr(colon + 1),
                   "a port is a number from 1 to 65535, as in " + (place.host.empty() ? "HOST" : place.host) + ":8080");
    place.port = port->value;
  }
  const bool brackets = place.host.starts_with('[') && place.host.ends_with(']');
  if (brackets) place.host = place.host.substr(1, place.host.size() - 2);
  const bool is_ip = io::IpAddress::Parse(place.host).has_value();
  if (place.host.empty() || (brackets && !is_ip) ||
      (!is_ip && place.host.find_first_of(" /?#@[]:") != std::string::npos))
    return Wrong(name, text, "is no host", "write HOST, HOST:PORT, an address, or http[s]://HOST:PORT/PATH");
  return place;
}

struct Url {
  std::optional<Place> place;  // none: a path alone
  std::string authority;
  std::string path = "/";
  bool tls = false;
};

Outcome<Url> ReadUrl(const std::string& name, const std::string& text) {
  Url url;
  std::string rest = text;
  if (const std::size_t scheme = text.find("://"); scheme != std::string::npos) {
    const std::string of = ToLower(text.substr(0, scheme));
    if (of != "http" && of != "https")
      return Wrong(name, text, "begins with " + of + "://, which no proxy reads",
                   "ask about http[s]://HOST:PORT/PATH, or about the connection: HOST:PORT --tcp");
    url.tls = of == "https";
    rest.erase(0, scheme + 3);
    const std::size_t end = std::min(rest.find_first_of("/?#"), rest.size());
    url.authority = rest.substr(0, end);
    rest.erase(0, end);
    Outcome<Place> place = ReadPlace(name, url.authority);
    if (!place) return Wrong(name, text, "has no HOST or HOST:PORT that can be", "as in http://reviews:9080/reviews/0");
    if (place->port == 0) place->port = url.tls ? 443 : 80;
    url.place = *std::move(place);
  }
  rest.resize(std::min(rest.find('#'), rest.size()));  // stays with the client
  if (!rest.starts_with('/')) rest.insert(0, "/");
  if (std::any_of(rest.begin(), rest.end(), [](char c) { return c <= ' ' || c == 0x7f; }))
    return Wrong(name, text, "has a blank or control character", "write it percent-encoded: %20");
  url.path = std::move(rest);
  return url;
}

// What a client begins for https://: TLS with the host as server name, as far as that is no address (RFC 6066 3).
void BeginTls(const std::string& host, ExplainRequest& request) {
  if (!io::IpAddress::Parse(host))
    request.sni = host;
  else
    request.tcp = true;  // nothing can be read of it
}

Outcome<> ReadServerName(const std::string& name, ExplainRequest& request) {
  if (name.empty()) return {};
  const Outcome<Place> place = ReadPlace("--sni", name);
  if (!place || place->port != 0 || place->host != name || io::IpAddress::Parse(name))
    return Wrong("--sni", name, "is no name of a host", "as in --sni api.example.com: no port, no address");
  request.sni = name;
  return {};
}

Outcome<> ReadTo(const std::string& word, ExplainRequest& request, bool& has_path) {
  if (!IsUrl(word)) {
    Outcome<Place> place = ReadPlace("TO", word);
    if (!place) return std::unexpected(place.error());
    request.to = std::move(place->host);
    request.port = place->port;
    return {};
  }
  Outcome<Url> url = ReadUrl("TO", word);
  if (!url) return std::unexpected(url.error());
  if (!url->place)
    return Wrong("TO", word, "names no host", "write http://HOST:PORT" + url->path + ", or HOST GET " + url->path);
  request.to = url->place->host;
  request.port = url->place->port;
  request.host = url->authority;
  request.path = url->path;
  if (url->tls) BeginTls(url->place->host, request);
  has_path = true;
  return {};
}

// HTTP/1 and HTTP/2 name the host that is asked for so.
bool NamesHost(std::string_view field) {
  return EqualsIgnoreCase(field, "host") || EqualsIgnoreCase(field, ":authority");
}

// As TO: "details:9080".
std::string PlaceText(const ExplainRequest& request) {
  const bool v6 = request.to.find(':') != std::string::npos;
  const std::string host = v6 ? "[" + request.to + "]" : request.to;
  return ShellWord(request.port == 0 ? host : host + ":" + std::to_string(request.port));
}

// The Host of `header`, which stands for that of TO. A URL, or another -H, that names another host contradicts it.
Outcome<> TakeHost(const std::string& header, std::string host, ExplainRequest& request) {
  const Outcome<Place> place = ReadPlace("-H", host);
  if (!place) return Wrong("-H", header, "has no host that can be", "as in -H 'Host: reviews'");
  const Outcome<Place> known = ReadPlace("-H", request.host);  // an error while nothing names one
  if (known && !EqualsIgnoreCase(known->host, place->host))
    return Wrong("-H", header, "names another host than " + request.host,
                 "leave one of them out; for a connection to " + request.to + " with that Host: " + PlaceText(request) +
                     " " + request.method + " " + ShellWord(request.path) + " -H " + ShellWord(header));
  request.host = std::move(host);
  return {};
}

Outcome<> ReadHeaders(const std::vector<std::string>& headers, ExplainRequest& request) {
  for (const std::string& header : headers) {
    const std::size_t colon = header.find(':', 1);  // ":authority" begins with one
    const std::string_view field = Trim(std::string_view(header).substr(0, colon));
    if (colon == std::string::npos || (!IsToken(field) && !NamesHost(field)))
      return Wrong("-H", header, "is not NAME:VALUE", "as in -H 'end-user: jason'");
    const std::string_view value = std::string_view(header).substr(colon + 1);
    if (value.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos)
      return Wrong("-H", std::string(field), "has a line break in its value", "give -H once for each header");
    if (!NamesHost(field)) {
      request.headers.push_back(header);
    } else if (Outcome<> taken = TakeHost(header, std::string(Trim(value)), request); !taken) {
      return taken;
    }
  }
  return {};
}

std::string RequestQuery(const ExplainRequest& request) {
  std::string query = "&method=" + PercentEncode(request.method) + "&path=" + PercentEncode(request.path);
  if (!request.host.empty()) query += "&host=" + PercentEncode(request.host);
  if (!request.sni.empty()) query += "&sni=" + PercentEncode(request.sni);
  if (request.tcp) query += "&tcp";
  for (const std::string& header : request.headers) query += "&header=" + PercentEncode(header);
  return query;
}

}  // namespace

Outcome<ExplainRequest> ReadExplainRequest(const ExplainWords& words) {
  ExplainRequest request{.to = {}, .host = {}, .headers = {}, .sni = {}, .tcp = words.tcp, .random = words.random};
  bool has_path = false;
  if (Outcome<> read = ReadTo(words.to, request, has_path); !read) return std::unexpected(read.error());
  std::string url = words.url;
  if (IsUrl(words.method) && url.empty()) {
    url = words.method;
  } else if (!words.method.empty()) {
    if (!IsToken(words.method)) return Wrong("METHOD", words.method, "is none", "as in GET /reviews/0");
    request.method = words.method;
  }
  if (!url.empty()) {
    if (has_path) return Wrong("URL", url, "is one too many: TO is a URL itself", "leave one of them out");
    if (!IsUrl(url))
      return Wrong("URL", url, "is neither a path nor a URL", "write /PATH, or http[s]://HOST:PORT/PATH");
    Outcome<Url> read = ReadUrl("URL", url);
    if (!read) return std::unexpected(read.error());
    request.path = read->path;
    request.host = read->authority;
    if (read->place && request.port == 0) request.port = read->place->port;
    if (read->tls) BeginTls(read->place->host, request);
  }
  if (Outcome<> read = ReadServerName(words.sni, request); !read) return std::unexpected(read.error());
  if (Outcome<> read = ReadHeaders(words.headers, request); !read) return std::unexpected(read.error());
  return request;
}

std::string ShellWords(const std::string& from, const ExplainWords& words) {
  std::string text = ShellWord(from) + " " + ShellWord(words.to);
  for (const std::string& word : {words.method, words.url})
    if (!word.empty()) text += " " + ShellWord(word);
  for (const std::string& header : words.headers) text += " -H " + ShellWord(header);
  if (!words.sni.empty()) text += " --sni " + ShellWord(words.sni);
  if (words.tcp) text += " --tcp";
  if (words.random != 0) text += " --random " + std::to_string(words.random);
  return text;
}

std::string OutboundQuery(const ExplainRequest& request) {
  std::string query = "to=" + PercentEncode(request.to) + "&random=" + std::to_string(request.random);
  if (request.port != 0) query += "&port=" + std::to_string(request.port);
  return query + RequestQuery(request);
}

std::string PlaintextQuery(const ExplainRequest& request, std::uint16_t port, const std::string& source) {
  ExplainRequest arrived = request;
  if (arrived.host.empty()) arrived.host = request.to + (port == 80 ? "" : ":" + std::to_string(port));
  return "direction=inbound&port=" + std::to_string(port) + "&source=" + PercentEncode(source) + RequestQuery(arrived);
}

}  // namespace plait::cli
