// Secrets and TLS contexts.
#include "core/xds/tls_codec.h"

#include "core/xds/common_codec.h"
#include "envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer.pb.h"
#include "envoy/extensions/transport_sockets/tls/v3/secret.pb.h"
#include "envoy/extensions/transport_sockets/tls/v3/tls.pb.h"

namespace plait::xds {
namespace {
namespace tls = envoy::extensions::transport_sockets::tls::v3;
using At = DecodeContext::At;

TlsCertificate DecodeCertificate(const tls::TlsCertificate& in, DecodeContext& context) {
  context.Honours(in, {"certificate_chain", "private_key", "password"});
  if (!in.has_certificate_chain() || !in.has_private_key())
    context.Reject("certificate_chain and private_key must be set");
  return {.certificate_chain = DecodeDataSource(in.certificate_chain(), context),
          .private_key = DecodeDataSource(in.private_key(), context),
          .password = DecodeDataSource(in.password(), context)};
}

SubjectAltNameMatcher DecodeSan(const tls::SubjectAltNameMatcher& in, DecodeContext& context) {
  context.Honours(in, {"san_type", "matcher"});
  using Type = SubjectAltNameMatcher::Type;
  SubjectAltNameMatcher out;
  switch (in.san_type()) {
    case tls::SubjectAltNameMatcher::EMAIL: out.type = Type::kEmail; break;
    case tls::SubjectAltNameMatcher::DNS: out.type = Type::kDns; break;
    case tls::SubjectAltNameMatcher::URI: out.type = Type::kUri; break;
    case tls::SubjectAltNameMatcher::IP_ADDRESS: out.type = Type::kIpAddress; break;
    default: context.Reject("san_type is not implemented");
  }
  out.matcher = DecodeStringMatcher(in.matcher(), context);
  return out;
}

ValidationContext DecodeValidation(const tls::CertificateValidationContext& in, DecodeContext& context) {
  context.Honours(in,
                  {"trusted_ca", "match_typed_subject_alt_names", "match_subject_alt_names", "verify_certificate_spki",
                   "verify_certificate_hash", "crl", "allow_expired_certificate", "trust_chain_verification"});
  ValidationContext out;
  out.trusted_ca = DecodeDataSource(in.trusted_ca(), context);
  for (const auto& san : in.match_typed_subject_alt_names()) out.subject_alt_names.push_back(DecodeSan(san, context));
  for (const auto& san : in.match_subject_alt_names())
    out.subject_alt_names.push_back(
        {.type = SubjectAltNameMatcher::Type::kAny, .matcher = DecodeStringMatcher(san, context)});
  out.certificate_spki = {in.verify_certificate_spki().begin(), in.verify_certificate_spki().end()};
  out.certificate_hashes = {in.verify_certificate_hash().begin(), in.verify_certificate_hash().end()};
  out.crl = DecodeDataSource(in.crl(), context);
  out.allow_expired_certificate = in.allow_expired_certificate();
  out.accept_untrusted = in.trust_chain_verification() == tls::CertificateValidationContext::ACCEPT_UNTRUSTED;
  return out;
}

SecretRef DecodeSecretRef(const tls::SdsSecretConfig& in, DecodeContext& context) {
  context.Honours(in, {"name", "sds_config"});
  SecretRef out{.name = in.name(), .source = SecretRef::Source::kLocal};
  if (!in.has_sds_config()) return out;
  const At at(context, "sds_config");
  const auto& source = in.sds_config();
  if (source.has_path_config_source() || !source.path().empty()) {
    context.Reject("secret \"" + in.name() +
                   "\" out of a file is not implemented; name the files of certificate and key in tls_certificates, "
                   "or give the secret in static_resources");
    return out;
  }
  context.Honours(source, {"ads", "api_config_source", "resource_api_version", "initial_fetch_timeout"});
  if (source.has_ads()) {
    out.source = SecretRef::Source::kAds;
    out.fetch_timeout = FetchTimeoutOf(source, context);
  }
  if (source.has_api_config_source()) {
    // Istio's sidecars name the agent's socket here; in plait-proxy the agent is itself.
    const auto& api = source.api_config_source();
    context.Honours(api, {"api_type", "transport_api_version", "grpc_services", "set_node_on_first_message_only"});
    for (const auto& service : api.grpc_services()) {
      context.Honours(service, {"envoy_grpc"});
      context.Honours(service.envoy_grpc(), {"cluster_name"});
    }
    const auto& services = api.grpc_services();
    if (services.size() != 1 || services[0].envoy_grpc().cluster_name() != "sds-grpc")
      context.Reject("only ads and the cluster sds-grpc are implemented");
  }
  return out;
}

TlsVersion DecodeVersion(tls::TlsParameters::TlsProtocol in, DecodeContext& context) {
  switch (in) {
    case tls::TlsParameters::TLS_AUTO: return TlsVersion::kAuto;
    case tls::TlsParameters::TLSv1_2: return TlsVersion::kTls12;
    case tls::TlsParameters::TLSv1_3: return TlsVersion::kTls13;
    default: context.Reject("TLS versions before 1.2 are not supported"); return TlsVersion::kAuto;
  }
}

CommonTlsContext DecodeCommon(const tls::CommonTlsContext& in, DecodeContext& context) {
  context.Honours(in, {"tls_params", "tls_certificates", "tls_certificate_sds_secret_configs", "validation_context",
                       "validation_context_sds_secret_config", "combined_validation_context", "alpn_protocols"});
  CommonTlsContext out;
  if (in.has_tls_params()) {
    const At at(context, "tls_params");
    context.Honours(in.tls_params(),
                    {"tls_minimum_protocol_version", "tls_maximum_protocol_version", "cipher_suites", "ecdh_curves"});
    out.minimum = DecodeVersion(in.tls_params().tls_minimum_protocol_version(), context);
    out.maximum = DecodeVersion(in.tls_params().tls_maximum_protocol_version(), context);
    out.cipher_suites = {in.tls_params().cipher_suites().begin(), in.tls_params().cipher_suites().end()};
    out.ecdh_curves = {in.tls_params().ecdh_curves().begin(), in.tls_params().ecdh_curves().end()};
  }
  out.alpn_protocols = {in.alpn_protocols().begin(), in.alpn_protocols().end()};
  for (int i = 0; i < in.tls_certificates_size(); ++i) {
    const At at(context, "tls_certificates", i);
    out.certificates.push_back(DecodeCertificate(in.tls_certificates(i), context));
  }
  if (in.tls_certificates_size() > 0 && in.tls_certificate_sds_secret_configs_size() > 0)
    context.Reject("tls_certificates and tls_certificate_sds_secret_configs exclude each other");
  for (int i = 0; i < in.tls_certificate_sds_secret_configs_size(); ++i) {
    const At at(context, "tls_certificate_sds_secret_configs", i);
    out.certificate_secrets.push_back(DecodeSecretRef(in.tls_certificate_sds_secret_configs(i), context));
  }
  if (in.has_validation_context()) {
    const At at(context, "validation_context");
    out.validation = DecodeValidation(in.validation_context(), context);
  }
  if (in.has_validation_context_sds_secret_config()) {
    const At at(context, "validation_context_sds_secret_config");
    out.validation_secret = DecodeSecretRef(in.validation_context_sds_secret_config(), context);
  }
  if (in.has_combined_validation_context()) {
    const At at(context, "combined_validation_context");
    const auto& combined = in.combined_validation_context();
    context.Honours(combined, {"default_validation_context", "validation_context_sds_secret_config"});
    {
      const At part(context, "default_validation_context");
      out.validation = DecodeValidation(combined.default_validation_context(), context);
    }
    const At part(context, "validation_context_sds_secret_config");
    out.validation_secret = DecodeSecretRef(combined.validation_context_sds_secret_config(), context);
  }
  return out;
}

}  // namespace

DownstreamTlsContext DecodeDownstreamTls(const tls::DownstreamTlsContext& in, DecodeContext& context) {
  context.Honours(in, {"common_tls_context", "require_client_certificate", "disable_stateless_session_resumption"});
  const At at(context, "common_tls_context");
  DownstreamTlsContext out;
  out.common = DecodeCommon(in.common_tls_context(), context);
  out.require_client_certificate = in.require_client_certificate().value();
  out.disable_stateless_session_resumption = in.disable_stateless_session_resumption();
  out.disable_stateful_session_resumption = in.disable_stateful_session_resumption();
  if (in.has_session_timeout()) out.session_timeout = DecodeDuration(in.session_timeout(), context);
  return out;
}

UpstreamTlsContext DecodeUpstreamTls(const tls::UpstreamTlsContext& in, DecodeContext& context) {
  context.Honours(in, {"common_tls_context", "sni", "auto_host_sni", "auto_sni_san_validation", "max_session_keys"});
  const At at(context, "common_tls_context");
  UpstreamTlsContext out;
  out.common = DecodeCommon(in.common_tls_context(), context);
  out.sni = in.sni();
  out.auto_host_sni = in.auto_host_sni();
  out.auto_sni_san_validation = in.auto_sni_san_validation();
  if (in.has_max_session_keys()) out.max_session_keys = in.max_session_keys().value();
  return out;
}

std::optional<DownstreamTlsContext> DecodeDownstreamSocket(const envoy::config::core::v3::TransportSocket& in,
                                                           DecodeContext& context) {
  const At at(context, "transport_socket");
  context.Honours(in, {"name", "typed_config"});
  const std::string_view type = TypeOf(in.typed_config());
  if (type == "envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer") return std::nullopt;
  tls::DownstreamTlsContext message;
  if (type != message.GetTypeName()) {
    context.Reject("transport socket of type \"" + std::string(type) + "\" is not implemented");
    return std::nullopt;
  }
  if (!Unpack(in.typed_config(), message, context)) return std::nullopt;
  return DecodeDownstreamTls(message, context);
}

std::optional<UpstreamTlsContext> DecodeUpstreamSocket(const envoy::config::core::v3::TransportSocket& in,
                                                       DecodeContext& context) {
  const At at(context, "transport_socket");
  context.Honours(in, {"name", "typed_config"});
  const std::string_view type = TypeOf(in.typed_config());
  if (type == "envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer") return std::nullopt;
  tls::UpstreamTlsContext message;
  if (type != message.GetTypeName()) {
    context.Reject("transport socket of type \"" + std::string(type) + "\" is not implemented");
    return std::nullopt;
  }
  if (!Unpack(in.typed_config(), message, context)) return std::nullopt;
  return DecodeUpstreamTls(message, context);
}

Secret DecodeSecretMessage(const tls::Secret& in, DecodeContext& context) {
  context.Honours(in, {"name", "tls_certificate", "validation_context"});
  Secret out{.name = in.name(), .value = {}};
  if (in.has_tls_certificate())
    out.value = DecodeCertificate(in.tls_certificate(), context);
  else if (in.has_validation_context())
    out.value = DecodeValidation(in.validation_context(), context);
  else
    context.Reject("the secret has neither certificate nor validation context");
  return out;
}

}  // namespace plait::xds
