// Gateway and ServiceEntry.
#include <networking/v1alpha3/gateway.pb.h>
#include <networking/v1alpha3/service_entry.pb.h>

#include <algorithm>

#include "control/model/checks.h"
#include "control/model/hosts.h"
#include "control/model/protobuf_reading.h"
#include "core/base/strings.h"

namespace plait::control::model {
namespace {
namespace net = istio::networking::v1alpha3;

// What Istio's users may name and the TLS library still has; all else is weak.
constexpr std::string_view kCipherSuites[] = {"ECDHE-ECDSA-AES128-GCM-SHA256",
                                              "ECDHE-RSA-AES128-GCM-SHA256",
                                              "ECDHE-ECDSA-AES256-GCM-SHA384",
                                              "ECDHE-RSA-AES256-GCM-SHA384",
                                              "ECDHE-ECDSA-CHACHA20-POLY1305",
                                              "ECDHE-RSA-CHACHA20-POLY1305",
                                              "ECDHE-ECDSA-AES128-SHA",
                                              "ECDHE-RSA-AES128-SHA",
                                              "ECDHE-ECDSA-AES256-SHA",
                                              "ECDHE-RSA-AES256-SHA",
                                              "AES128-GCM-SHA256",
                                              "AES256-GCM-SHA384",
                                              "AES128-SHA",
                                              "AES256-SHA"};

bool ReadTlsMode(ObjectReader& reader, const net::ServerTLSSettings& from, const std::string& path, GatewayTls& to) {
  switch (from.mode()) {
    case net::ServerTLSSettings::PASSTHROUGH: to.mode = GatewayTls::Mode::kPassthrough; return true;
    case net::ServerTLSSettings::AUTO_PASSTHROUGH: to.mode = GatewayTls::Mode::kAutoPassthrough; return true;
    case net::ServerTLSSettings::SIMPLE: to.mode = GatewayTls::Mode::kSimple; return true;
    case net::ServerTLSSettings::MUTUAL: to.mode = GatewayTls::Mode::kMutual; return true;
    case net::ServerTLSSettings::OPTIONAL_MUTUAL: to.mode = GatewayTls::Mode::kOptionalMutual; return true;
    case net::ServerTLSSettings::ISTIO_MUTUAL: to.mode = GatewayTls::Mode::kIstioMutual; return true;
    default:
      reader.Error(path + ".mode",
                   "the TLS mode " + net::ServerTLSSettings::TLSmode_Name(from.mode()) + " is not honoured yet",
                   "SIMPLE, MUTUAL, OPTIONAL_MUTUAL, ISTIO_MUTUAL, PASSTHROUGH or AUTO_PASSTHROUGH");
      return false;
  }
}

// Istio's names are in the order of their age; versions before TLS 1.2 are never spoken.
bool ReadTlsVersions(ObjectReader& reader, const net::ServerTLSSettings& from, const std::string& path,
                     GatewayTls& to) {
  using Settings = net::ServerTLSSettings;
  const auto minimum = from.min_protocol_version();
  const auto maximum = from.max_protocol_version();
  to.minimum_tls13 = minimum == Settings::TLSV1_3;
  to.maximum_tls12 = maximum == Settings::TLSV1_2;
  if (maximum == Settings::TLSV1_0 || maximum == Settings::TLSV1_1 || (to.minimum_tls13 && to.maximum_tls12)) {
    reader.Error(path + ".maxProtocolVersion",
                 "no TLS version is left: at most " + Settings::TLSProtocol_Name(maximum) + ", at least " +
                     (to.minimum_tls13 ? "TLSV1_3" : "TLSV1_2"),
                 "TLSV1_2 and TLSV1_3 are spoken; leave maxProtocolVersion out");
    return false;
  }
  if (minimum == Settings::TLSV1_0 || minimum == Settings::TLSV1_1)
    reader.Warning(path + ".minProtocolVersion",
                   Settings::TLSProtocol_Name(minimum) + " is not spoken: TLSV1_2 is least",
                   "older versions are broken");
  return true;
}

void ReadCipherSuites(ObjectReader& reader, const net::ServerTLSSettings& from, const std::string& path,
                      GatewayTls& to) {
  for (int i = 0; i < from.cipher_suites_size(); ++i) {
    const std::string& suite = from.cipher_suites(i);
    if (std::find(std::begin(kCipherSuites), std::end(kCipherSuites), suite) != std::end(kCipherSuites))
      to.cipher_suites.push_back(suite);
    else
      reader.Warning(Indexed(path + ".cipherSuites", static_cast<std::size_t>(i)),
                     "the cipher suite \"" + suite + "\" is not known and left out",
                     "e.g. ECDHE-RSA-AES256-GCM-SHA384; those of TLS 1.3 are always allowed");
  }
}

bool ReadServerTls(ObjectReader& reader, const net::ServerTLSSettings& from, const std::string& path, GatewayTls& to) {
  if (!ReadTlsMode(reader, from, path, to) || !ReadTlsVersions(reader, from, path, to)) return false;
  ReadCipherSuites(reader, from, path, to);
  to.credential_name = from.credential_name();
  to.credential_at = {reader.At(path + ".credentialName")};
  to.certificate = from.server_certificate();
  to.private_key = from.private_key();
  to.ca_certificates = from.ca_certificates();
  to.subject_alt_names.assign(from.subject_alt_names().begin(), from.subject_alt_names().end());
  to.https_redirect = from.https_redirect();
  return true;
}

// Whether a server that terminates TLS knows its certificate, and for whom it asks.
bool CheckCredentials(ObjectReader& reader, const GatewayTls& tls, const std::string& path) {
  using Mode = GatewayTls::Mode;
  if (tls.PassesOn() || tls.mode == Mode::kIstioMutual) return true;
  if (tls.credential_name.empty() && tls.certificate.empty()) {
    reader.Error(path, "TLS needs a certificate", "name a Secret in credentialName");
    return false;
  }
  if (tls.credential_name.empty() && tls.private_key.empty()) {
    reader.Error(path, "serverCertificate needs its privateKey", "name the file of the key, or a Secret");
    return false;
  }
  const bool verifies = tls.mode == Mode::kMutual || tls.mode == Mode::kOptionalMutual;
  if (!verifies || !tls.credential_name.empty() || !tls.ca_certificates.empty()) return true;
  reader.Error(path, "clients' certificates cannot be verified: caCertificates is missing",
               "name the file of the roots, or a Secret with ca.crt in credentialName");
  return false;
}

bool ReadServer(ObjectReader& reader, const net::Server& from, const std::string& path, GatewayServer& to) {
  if (!CheckPort(reader, path + ".port.number", from.port().number())) return false;
  to.port = static_cast<std::uint16_t>(from.port().number());
  to.port_name = from.port().name();
  to.bind = from.bind();
  if (!to.bind.empty() && !io::IpAddress::Parse(to.bind)) {
    reader.Error(path + ".bind", "\"" + to.bind + "\" is not an IP address",
                 "e.g. 127.0.0.1, or leave bind out for all");
    return false;
  }
  to.name = from.name();
  to.at = reader.At(path);
  const auto protocol = ParseIstioProtocol(from.port().protocol());
  if (!protocol || *protocol == Protocol::kUdp) {
    reader.Error(path + ".port.protocol", "\"" + from.port().protocol() + "\" is not a protocol",
                 "HTTP, HTTPS, GRPC, HTTP2, TCP or TLS");
    return false;
  }
  to.protocol = IsHttp(*protocol)               ? GatewayServer::Protocol::kHttp
                : *protocol == Protocol::kHttps ? GatewayServer::Protocol::kHttps
                : *protocol == Protocol::kTls   ? GatewayServer::Protocol::kTls
                                                : GatewayServer::Protocol::kTcp;
  to.has_tls = from.has_tls();
  if (to.has_tls && !ReadServerTls(reader, from.tls(), path + ".tls", to.tls)) return false;
  const bool needs_tls = to.protocol == GatewayServer::Protocol::kHttps || to.protocol == GatewayServer::Protocol::kTls;
  // Istio: a tls block without mode is PASSTHROUGH, its enumeration's zero.
  if (needs_tls && !to.has_tls) {
    reader.Error(path, "a server of protocol " + from.port().protocol() + " needs tls",
                 "tls: {mode: SIMPLE, credentialName: ...} or {mode: PASSTHROUGH}");
    return false;
  }
  if (to.IsTls() && !CheckCredentials(reader, to.tls, path + ".tls")) return false;
  if (from.hosts_size() == 0) {
    reader.Error(path, "hosts is missing", "for every host: hosts: [\"*\"]");
    return false;
  }
  for (const std::string& host : from.hosts()) {
    const auto slash = host.find('/');
    if (!CheckHost(reader, path + ".hosts", std::string_view(host).substr(slash == std::string::npos ? 0 : slash + 1),
                   true))
      return false;
    to.hosts.push_back(host);
  }
  return true;
}

bool ReadEntryPort(ObjectReader& reader, const net::ServicePort& from, const std::string& path, ServicePort& to) {
  if (!CheckPort(reader, path + ".number", from.number())) return false;
  if (from.target_port() != 0 && !CheckPort(reader, path + ".targetPort", from.target_port())) return false;
  to.name = from.name();
  to.port = static_cast<std::uint16_t>(from.number());
  to.target_port = static_cast<std::uint16_t>(from.target_port() != 0 ? from.target_port() : from.number());
  if (from.protocol().empty()) {
    to.protocol = ProtocolOfPort("TCP", from.name(), {}, to.port);
    return true;
  }
  const auto protocol = ParseIstioProtocol(from.protocol());
  if (!protocol)
    reader.Error(path + ".protocol", "\"" + from.protocol() + "\" is not a protocol",
                 "HTTP, HTTPS, GRPC, HTTP2, TCP or TLS");
  to.protocol = protocol.value_or(Protocol::kTcp);
  return protocol.has_value();
}

bool ReadEndpoint(ObjectReader& reader, const net::WorkloadEntry& from, const std::string& path, StaticEndpoint& to) {
  to = {.address = from.address(),
        .network = from.network(),
        .locality = from.locality(),
        .weight = from.weight(),
        .service_account = from.service_account()};
  to.labels.insert(from.labels().begin(), from.labels().end());
  for (const auto& [name, port] : from.ports()) {
    if (!CheckPort(reader, path + ".ports." + name, port)) return false;
    to.ports[name] = static_cast<std::uint16_t>(port);
  }
  if (to.address.starts_with("unix://"))
    reader.Error(path + ".address", "unix sockets are not supported", "use an IP address or a host name");
  return !to.address.starts_with("unix://");
}

bool ReadResolution(ObjectReader& reader, const net::ServiceEntry& message, ServiceEntry& entry) {
  using Resolution = ServiceEntry::Resolution;
  switch (message.resolution()) {
    case net::ServiceEntry::STATIC: entry.resolution = Resolution::kStatic; break;
    case net::ServiceEntry::DNS: entry.resolution = Resolution::kDns; break;
    case net::ServiceEntry::DNS_ROUND_ROBIN: entry.resolution = Resolution::kDnsRoundRobin; break;
    case net::ServiceEntry::DYNAMIC_DNS:
      reader.Error("spec.resolution", "the resolution DYNAMIC_DNS is not honoured yet", "use DNS or NONE");
      return false;
    default: break;
  }
  const bool dns = entry.resolution == Resolution::kDns || entry.resolution == Resolution::kDnsRoundRobin;
  for (std::size_t i = 0; i < entry.endpoints.size(); ++i) {
    const std::string path = Indexed("spec.endpoints", i) + ".address";
    if (entry.resolution == Resolution::kNone) {
      reader.Error(path, "endpoints have no effect with resolution NONE", "use resolution: STATIC or DNS");
      return false;
    }
    if (entry.resolution == Resolution::kStatic && !io::IpAddress::Parse(entry.endpoints[i].address)) {
      reader.Error(path, "\"" + entry.endpoints[i].address + "\" is not an IP address",
                   "use resolution: DNS for names");
      return false;
    }
  }
  if (entry.resolution == Resolution::kDnsRoundRobin && entry.endpoints.size() > 1) {
    reader.Error("spec.endpoints", "the resolution DNS_ROUND_ROBIN knows one endpoint alone",
                 "keep one endpoint, or use resolution: DNS");
    return false;
  }
  if (dns && entry.endpoints.empty())
    for (const std::string& host : entry.hosts)
      if (IsWildcard(host)) {
        reader.Error("spec.hosts", "the wildcard " + host + " cannot be resolved by DNS",
                     "name endpoints, or use resolution: NONE");
        return false;
      }
  if (entry.workload_selector && !entry.endpoints.empty()) {
    reader.Error("spec.workloadSelector", "workloadSelector and endpoints exclude each other", "keep one of them");
    return false;
  }
  return true;
}
}  // namespace

void DecodeGateway(ObjectReader& reader, Decoded& out) {
  yaml::Node rest = reader.Spec();
  const yaml::Node* servers = reader.Spec().Find("servers");
  std::erase_if(rest.entries, [](const yaml::Entry& entry) { return entry.key == "servers"; });
  net::Gateway message;
  if (!ReadMessage(reader, rest, message)) return;
  Gateway gateway{.meta = reader.meta(), .selector_at = {reader.At("spec.selector")}};
  gateway.selector.insert(message.selector().begin(), message.selector().end());
  if (!servers || servers->items.empty())
    return reader.Error("spec", "servers is missing", "name at least one port and its hosts");
  for (std::size_t i = 0; i < servers->items.size(); ++i) {
    const std::string path = Indexed("spec.servers", i);
    net::Server from;
    GatewayServer server;
    if (!ReadMessage(reader, servers->items[i], from)) continue;
    ReportUnhonoured(reader, from, path, Severity::kWarning);
    if (ReadServer(reader, from, path, server)) gateway.servers.push_back(std::move(server));
  }
  if (!gateway.servers.empty()) Keep(out, std::move(gateway));
}

void DecodeServiceEntry(ObjectReader& reader, Decoded& out) {
  net::ServiceEntry message;
  if (!ReadMessage(reader, reader.Spec(), message)) return;
  ReportUnhonoured(reader, message, "spec", Severity::kWarning);
  ServiceEntry entry{.meta = reader.meta(), .mesh_internal = message.location() == net::ServiceEntry::MESH_INTERNAL};
  if (message.hosts_size() == 0) return reader.Error("spec", "hosts is missing", "name at least one host");
  for (int i = 0; i < message.hosts_size(); ++i) {
    const std::string path = Indexed("spec.hosts", static_cast<std::size_t>(i));
    if (message.hosts(i) == "*")
      return reader.Error(path, "the host * is not allowed", "name the hosts, e.g. *.example.com");
    if (!CheckHost(reader, path, message.hosts(i), true)) return;
    entry.hosts.push_back(ToLower(message.hosts(i)));
  }
  for (int i = 0; i < message.addresses_size(); ++i)
    if (!CheckCidr(reader, Indexed("spec.addresses", static_cast<std::size_t>(i)), message.addresses(i),
                   &entry.addresses.emplace_back()))
      return;
  for (int i = 0; i < message.ports_size(); ++i)
    if (!ReadEntryPort(reader, message.ports(i), Indexed("spec.ports", static_cast<std::size_t>(i)),
                       entry.ports.emplace_back()))
      return;
  for (int i = 0; i < message.endpoints_size(); ++i)
    if (!ReadEndpoint(reader, message.endpoints(i), Indexed("spec.endpoints", static_cast<std::size_t>(i)),
                      entry.endpoints.emplace_back()))
      return;
  if (message.has_workload_selector())
    entry.workload_selector.emplace(message.workload_selector().labels().begin(),
                                    message.workload_selector().labels().end());
  if (entry.ports.empty()) return reader.Error("spec", "ports is missing", "name at least one port");
  entry.selector_at = {reader.At("spec.workloadSelector")};
  entry.export_to.assign(message.export_to().begin(), message.export_to().end());
  entry.subject_alt_names.assign(message.subject_alt_names().begin(), message.subject_alt_names().end());
  if (CheckExportTo(reader, entry.export_to) && ReadResolution(reader, message, entry)) Keep(out, std::move(entry));
}

}  // namespace plait::control::model
