#pragma once
// Encoders of parts that several resources use, and how messages become bytes. Internal to core/xds/encode.
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/time.h"
#include "core/xds/access_log.h"
#include "core/xds/endpoint.h"
#include "core/xds/http_connection_manager.h"
#include "core/xds/listener.h"
#include "core/xds/tls_context.h"

namespace google::protobuf {
class Any;
class Duration;
class Message;
class Struct;
}  // namespace google::protobuf
namespace envoy::config::accesslog::v3 {
class AccessLog;
}
namespace envoy::config::core::v3 {
class Address;
class CidrRange;
class ConfigSource;
class DataSource;
class Http1ProtocolOptions;
class Http2ProtocolOptions;
class HttpProtocolOptions;
class Locality;
class Metadata;
class RuntimeFractionalPercent;
class TransportSocket;
}  // namespace envoy::config::core::v3
namespace envoy::config::endpoint::v3 {
class ClusterLoadAssignment;
}
namespace envoy::config::listener::v3 {
class Filter;
}
namespace envoy::config::rbac::v3 {
class RBAC;
}
namespace envoy::config::route::v3 {
class HeaderMatcher;
class RouteConfiguration;
}  // namespace envoy::config::route::v3
namespace envoy::extensions::filters::network::http_connection_manager::v3 {
class HttpConnectionManager;
class HttpFilter;
}  // namespace envoy::extensions::filters::network::http_connection_manager::v3
namespace envoy::extensions::filters::network::tcp_proxy::v3 {
class TcpProxy;
}
namespace envoy::extensions::transport_sockets::tls::v3 {
class DownstreamTlsContext;
}
namespace envoy::type::matcher::v3 {
class RegexMatchAndSubstitute;
class StringMatcher;
}  // namespace envoy::type::matcher::v3
namespace envoy::type::v3 {
class FractionalPercent;
}

namespace plait::xds::encode {

std::string Bytes(const google::protobuf::Message& message);  // deterministic
void Pack(const google::protobuf::Message& message, google::protobuf::Any& out);

void Fill(Duration in, google::protobuf::Duration& out);
void Fill(const io::SocketAddress& in, envoy::config::core::v3::Address& out);
void Fill(const io::Cidr& in, envoy::config::core::v3::CidrRange& out);
void Fill(const DataSource& in, envoy::config::core::v3::DataSource& out);  // kNone: leaves it empty
void Fill(const Locality& in, envoy::config::core::v3::Locality& out);
void Fill(const StringMatcher& in, envoy::type::matcher::v3::StringMatcher& out);
void Fill(const RegexRewrite& in, envoy::type::matcher::v3::RegexMatchAndSubstitute& out);
void Fill(const HeaderMatcher& in, envoy::config::route::v3::HeaderMatcher& out);
void Fill(Fraction in, envoy::type::v3::FractionalPercent& out);
void Fill(Fraction in, envoy::config::core::v3::RuntimeFractionalPercent& out);
void FillAds(envoy::config::core::v3::ConfigSource& out);
// metadata[filter][key] = text
void SetMetadata(envoy::config::core::v3::Metadata& out, const char* filter, const std::string& key,
                 const std::string& text);
google::protobuf::Struct& MetadataOf(envoy::config::core::v3::Metadata& out, const char* filter);

void Fill(const AccessLog& in, envoy::config::accesslog::v3::AccessLog& out);
void Fill(const RbacRules& in, envoy::config::rbac::v3::RBAC& out);
void Fill(const RouteConfiguration& in, envoy::config::route::v3::RouteConfiguration& out);
void Fill(const ClusterLoadAssignment& in, envoy::config::endpoint::v3::ClusterLoadAssignment& out);

void Fill(const HttpFilter& in, envoy::extensions::filters::network::http_connection_manager::v3::HttpFilter& out);
void Pack(const HttpFilterOverride& in, google::protobuf::Any& out);
void Fill(const Http1Options& in, envoy::config::core::v3::Http1ProtocolOptions& out);
void Fill(const Http2Options& in, envoy::config::core::v3::Http2ProtocolOptions& out);
void Fill(const CommonHttpOptions& in, envoy::config::core::v3::HttpProtocolOptions& out);
void Fill(const HttpConnectionManager& in,
          envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager& out);
void Fill(const TcpProxy& in, envoy::extensions::filters::network::tcp_proxy::v3::TcpProxy& out);
void Fill(const NetworkFilter& in, envoy::config::listener::v3::Filter& out);
void Pack(const Outbound& in, google::protobuf::Any& out);
void Pack(const Inbound& in, google::protobuf::Any& out);

void Fill(const DownstreamTlsContext& in, envoy::extensions::transport_sockets::tls::v3::DownstreamTlsContext& out);
// nullopt: raw_buffer.
void FillSocket(const std::optional<DownstreamTlsContext>& in, envoy::config::core::v3::TransportSocket& out);
void FillSocket(const std::optional<UpstreamTlsContext>& in, envoy::config::core::v3::TransportSocket& out);

}  // namespace plait::xds::encode
