// Secrets and TLS contexts.
#include "core/xds/encode/encode.h"
#include "core/xds/encode/parts.h"
#include "envoy/config/core/v3/base.pb.h"
#include "envoy/config/core/v3/config_source.pb.h"
#include "envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer.pb.h"
#include "envoy/extensions/transport_sockets/tls/v3/secret.pb.h"
#include "envoy/extensions/transport_sockets/tls/v3/tls.pb.h"

#pragma GCC diagnostic ignored "-Wdeprecated-declarations"  // fields that Envoy still reads and the structs still have

namespace plait::xds {
namespace encode {
namespace {
namespace tls = envoy::extensions::transport_sockets::tls::v3;

void FillCertificate(const TlsCertificate& in, tls::TlsCertificate& out) {
  Fill(in.certificate_chain, *out.mutable_certificate_chain());
  Fill(in.private_key, *out.mutable_private_key());
  if (in.password.kind != DataSource::Kind::kNone) Fill(in.password, *out.mutable_password());
}

void FillValidation(const ValidationContext& in, tls::CertificateValidationContext& out) {
  using San = tls::SubjectAltNameMatcher;
  constexpr San::SanType kTypes[] = {San::SAN_TYPE_UNSPECIFIED, San::EMAIL, San::DNS, San::URI,
                                     San::IP_ADDRESS};  // in the order of Type
  if (in.trusted_ca.kind != DataSource::Kind::kNone) Fill(in.trusted_ca, *out.mutable_trusted_ca());
  for (const SubjectAltNameMatcher& san : in.subject_alt_names) {
    if (san.type == SubjectAltNameMatcher::Type::kAny) {
      Fill(san.matcher, *out.add_match_subject_alt_names());
      continue;
    }
    San& to = *out.add_match_typed_subject_alt_names();
    to.set_san_type(kTypes[static_cast<std::size_t>(san.type)]);
    Fill(san.matcher, *to.mutable_matcher());
  }
  for (const std::string& spki : in.certificate_spki) out.add_verify_certificate_spki(spki);
  for (const std::string& hash : in.certificate_hashes) out.add_verify_certificate_hash(hash);
  if (in.crl.kind != DataSource::Kind::kNone) Fill(in.crl, *out.mutable_crl());
  out.set_allow_expired_certificate(in.allow_expired_certificate);
  if (in.accept_untrusted) out.set_trust_chain_verification(tls::CertificateValidationContext::ACCEPT_UNTRUSTED);
}

void FillRef(const SecretRef& in, tls::SdsSecretConfig& out) {
  out.set_name(in.name);
  switch (in.source) {
    case SecretRef::Source::kAds:
      FillAds(*out.mutable_sds_config());
      if (in.fetch_timeout) Fill(*in.fetch_timeout, *out.mutable_sds_config()->mutable_initial_fetch_timeout());
      break;
    case SecretRef::Source::kLocal: {
      // As Istio's sidecars name the agent; in plait-proxy the agent is itself.
      auto& source = *out.mutable_sds_config();
      source.set_resource_api_version(envoy::config::core::v3::V3);
      source.mutable_initial_fetch_timeout();
      auto& api = *source.mutable_api_config_source();
      api.set_api_type(envoy::config::core::v3::ApiConfigSource::GRPC);
      api.set_transport_api_version(envoy::config::core::v3::V3);
      api.set_set_node_on_first_message_only(true);
      api.add_grpc_services()->mutable_envoy_grpc()->set_cluster_name("sds-grpc");
      break;
    }
  }
}

void FillCommon(const CommonTlsContext& in, tls::CommonTlsContext& out) {
  using Parameters = tls::TlsParameters;
  constexpr Parameters::TlsProtocol kVersions[] = {Parameters::TLS_AUTO, Parameters::TLSv1_2, Parameters::TLSv1_3};
  if (in.minimum != TlsVersion::kAuto || in.maximum != TlsVersion::kAuto || !in.cipher_suites.empty() ||
      !in.ecdh_curves.empty()) {
    Parameters& parameters = *out.mutable_tls_params();
    parameters.set_tls_minimum_protocol_version(kVersions[static_cast<std::size_t>(in.minimum)]);
    parameters.set_tls_maximum_protocol_version(kVersions[static_cast<std::size_t>(in.maximum)]);
    for (const std::string& suite : in.cipher_suites) parameters.add_cipher_suites(suite);
    for (const std::string& curve : in.ecdh_curves) parameters.add_ecdh_curves(curve);
  }
  for (const std::string& protocol : in.alpn_protocols) out.add_alpn_protocols(protocol);
  for (const TlsCertificate& certificate : in.certificates) FillCertificate(certificate, *out.add_tls_certificates());
  for (const SecretRef& ref : in.certificate_secrets) FillRef(ref, *out.add_tls_certificate_sds_secret_configs());
  if (in.validation && in.validation_secret) {
    auto& combined = *out.mutable_combined_validation_context();
    FillValidation(*in.validation, *combined.mutable_default_validation_context());
    FillRef(*in.validation_secret, *combined.mutable_validation_context_sds_secret_config());
  } else if (in.validation) {
    FillValidation(*in.validation, *out.mutable_validation_context());
  } else if (in.validation_secret) {
    FillRef(*in.validation_secret, *out.mutable_validation_context_sds_secret_config());
  }
}

void FillPlain(envoy::config::core::v3::TransportSocket& out) {
  out.set_name("envoy.transport_sockets.raw_buffer");
  Pack(envoy::extensions::transport_sockets::raw_buffer::v3::RawBuffer(), *out.mutable_typed_config());
}

void FillTls(const google::protobuf::Message& context, envoy::config::core::v3::TransportSocket& out) {
  out.set_name("envoy.transport_sockets.tls");
  Pack(context, *out.mutable_typed_config());
}

}  // namespace

void Fill(const DownstreamTlsContext& in, tls::DownstreamTlsContext& out) {
  FillCommon(in.common, *out.mutable_common_tls_context());
  if (in.require_client_certificate) out.mutable_require_client_certificate()->set_value(true);
  if (in.disable_stateless_session_resumption) out.set_disable_stateless_session_resumption(true);
  out.set_disable_stateful_session_resumption(in.disable_stateful_session_resumption);
  if (in.session_timeout) Fill(*in.session_timeout, *out.mutable_session_timeout());
}

void FillSocket(const std::optional<DownstreamTlsContext>& in, envoy::config::core::v3::TransportSocket& out) {
  if (!in) return FillPlain(out);
  tls::DownstreamTlsContext context;
  Fill(*in, context);
  FillTls(context, out);
}

void FillSocket(const std::optional<UpstreamTlsContext>& in, envoy::config::core::v3::TransportSocket& out) {
  if (!in) return FillPlain(out);
  tls::UpstreamTlsContext context;
  FillCommon(in->common, *context.mutable_common_tls_context());
  context.set_sni(in->sni);
  context.set_auto_host_sni(in->auto_host_sni);
  context.set_auto_sni_san_validation(in->auto_sni_san_validation);
  if (in->max_session_keys != 1) context.mutable_max_session_keys()->set_value(in->max_session_keys);
  FillTls(context, out);
}

}  // namespace encode

std::string Encode(const Secret& secret) {
  encode::tls::Secret out;
  out.set_name(secret.name);
  if (const auto* certificate = std::get_if<TlsCertificate>(&secret.value)) {
    encode::FillCertificate(*certificate, *out.mutable_tls_certificate());
  } else {
    encode::FillValidation(std::get<ValidationContext>(secret.value), *out.mutable_validation_context());
  }
  return encode::Bytes(out);
}

}  // namespace plait::xds
