#include "control/model/service.h"

#include "core/base/strings.h"

namespace plait::control::model {

bool IsHttp(Protocol protocol) noexcept {
  return protocol == Protocol::kHttp || protocol == Protocol::kHttp2 || protocol == Protocol::kGrpc;
}
bool IsTls(Protocol protocol) noexcept { return protocol == Protocol::kTls || protocol == Protocol::kHttps; }

std::optional<Protocol> ParseIstioProtocol(std::string_view text) noexcept {
  struct Word {
    std::string_view text;
    Protocol protocol;
  };
  constexpr Word kWords[] = {
      {"grpc", Protocol::kGrpc},       {"grpc-web", Protocol::kGrpc}, {"http", Protocol::kHttp},
      {"http_proxy", Protocol::kHttp}, {"http2", Protocol::kHttp2},   {"https", Protocol::kHttps},
      {"hbone", Protocol::kTcp},       {"tcp", Protocol::kTcp},       {"tls", Protocol::kTls},
      {"mongo", Protocol::kTcp},       {"mysql", Protocol::kTcp},     {"redis", Protocol::kTcp},
      {"udp", Protocol::kUdp}};
  for (const Word& word : kWords)
    if (EqualsIgnoreCase(word.text, text)) return word.protocol;
  return std::nullopt;
}

Protocol ProtocolOfPort(std::string_view transport, std::string_view name, std::string_view app_protocol,
                        std::uint16_t port) noexcept {
  if (transport == "UDP" || transport == "SCTP") return Protocol::kUdp;
  if (!app_protocol.empty()) {
    if (app_protocol == "kubernetes.io/h2c") return Protocol::kHttp2;
    if (app_protocol == "kubernetes.io/ws") return Protocol::kHttp;
    if (app_protocol == "kubernetes.io/wss") return Protocol::kHttps;
    if (const auto declared = ParseIstioProtocol(app_protocol)) return *declared;
  }
  if (const auto whole = ParseIstioProtocol(name); whole && *whole != Protocol::kUdp) return *whole;
  // "grpc-web-x" is grpc-web; otherwise what stands before the first dash.
  const std::string_view prefix = name.substr(0, name.find('-'));
  if (const auto declared = ParseIstioProtocol(prefix); declared && *declared != Protocol::kUdp) return *declared;
  // Ports of protocols in which the server speaks first.
  if (port == 25 || port == 53 || port == 3306 || port == 27017) return Protocol::kTcp;
  return Protocol::kAuto;
}

}  // namespace plait::control::model
