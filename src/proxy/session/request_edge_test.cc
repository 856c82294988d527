#include "proxy/session/request_edge.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace plait::proxy::session {
namespace {
using Hcm = xds::HttpConnectionManager;

EdgePeer PeerAt(const char* address, const io::TlsFacts* tls = nullptr) {
  return {io::SocketAddress::Parse(address).value(), tls};
}

http::RequestHead Request(http::Headers headers = {}) {
  http::RequestHead head;
  head.method = "GET";
  head.authority = "a";
  head.path = "/";
  head.headers = std::move(headers);
  return head;
}

std::string Names(const http::Headers& headers) {
  std::string names;
  for (const http::HeaderView field : headers) names.append(names.empty() ? "" : " ").append(field.name);
  return names;
}

TEST(PrepareRequest, AppendsTheDirectPeerAndOverwritesTheSchemeAtTheEdge) {
  const Hcm options{.use_remote_address = true};
  http::RequestHead head = Request({{"X-Forwarded-For", "1.2.3.4"}, {"x-forwarded-proto", "https"}});
  const EdgeResult result = PrepareRequest(options, PeerAt("9.9.9.9:1"), head);
  EXPECT_EQ(head.headers.Get("x-forwarded-for"), "1.2.3.4,9.9.9.9");
  EXPECT_EQ(head.headers.Get("x-forwarded-proto"), "http");
  EXPECT_EQ(head.headers.Get("x-envoy-external-address"), "9.9.9.9");
  EXPECT_FALSE(result.internal);
}

TEST(PrepareRequest, TrustsAsManyHopsAsConfigured) {
  const Hcm options{.use_remote_address = true, .xff_num_trusted_hops = 1};
  http::RequestHead head = Request({{"x-forwarded-for", "1.2.3.4,5.6.7.8"}, {"x-forwarded-proto", "https"}});
  const EdgeResult result = PrepareRequest(options, PeerAt("10.0.0.1:1"), head);
  EXPECT_EQ(result.remote.ToString(), "5.6.7.8");
  EXPECT_EQ(head.headers.Get("x-forwarded-proto"), "https");
}

TEST(PrepareRequest, JoinsRepeatedForwardedForToOneList) {
  http::RequestHead head = Request({{"x-forwarded-for", "1.2.3.4"}, {"x-forwarded-for", "5.6.7.8"}});
  const EdgeResult result = PrepareRequest({}, PeerAt("9.9.9.9:1"), head);
  EXPECT_EQ(head.headers.GetJoined("x-forwarded-for"), "1.2.3.4,5.6.7.8");
  EXPECT_EQ(result.remote.ToString(), "5.6.7.8");
}

TEST(PrepareRequest, TellsThePortThatTheClientConnectedTo) {
  const Hcm options{.use_remote_address = true, .append_x_forwarded_port = true};
  http::RequestHead head = Request({{"x-forwarded-port", "1"}});
  EdgePeer peer = PeerAt("9.9.9.9:1");
  peer.local_port = 8443;
  PrepareRequest(options, peer, head);
  EXPECT_EQ(head.headers.Get("x-forwarded-port"), "8443");
}

TEST(PrepareRequest, TellsThePortAlsoInsideUnlessItIsKnown) {
  const Hcm options{.append_x_forwarded_port = true};
  EdgePeer peer = PeerAt("9.9.9.9:1");
  peer.local_port = 8443;
  http::RequestHead head = Request();
  PrepareRequest(options, peer, head);
  EXPECT_EQ(head.headers.Get("x-forwarded-port"), "8443");
  http::RequestHead known = Request({{"x-forwarded-port", "1"}});
  PrepareRequest(options, peer, known);
  EXPECT_EQ(known.headers.GetJoined("x-forwarded-port"), "1");
}

TEST(PrepareRequest, TakesOnlyASchemeForOneFromWhoForwarded) {
  for (const auto& [said, scheme] : {std::pair{"https", "https"},
                                     {"HTTPS", "https"},
                                     {"javascript", "http"},
                                     {"https,http", "http"},
                                     {"ftp", "http"}}) {
    http::RequestHead head = Request({{"x-forwarded-proto", said}});
    PrepareRequest({}, PeerAt("9.9.9.9:1"), head);
    EXPECT_EQ(head.scheme, scheme) << said;
  }
  http::RequestHead twice = Request({{"x-forwarded-proto", "https"}, {"x-forwarded-proto", "http"}});
  PrepareRequest({}, PeerAt("9.9.9.9:1"), twice);
  EXPECT_EQ(twice.scheme, "http") << "two fields are one list";
}

TEST(PrepareRequest, StripsOnlyThePortOfTheListenerWhenAsked) {
  const Hcm options{.strip_matching_host_port = true};
  EdgePeer peer = PeerAt("9.9.9.9:1");
  peer.local_port = 8080;
  for (const auto& [before, after] : {std::pair{"a:8080", "a"}, std::pair{"a:81", "a:81"}, std::pair{"a:", "a:"}}) {
    http::RequestHead head = Request();
    head.authority = before;
    PrepareRequest(options, peer, head);
    EXPECT_EQ(head.authority, after);
  }
}

TEST(PrepareRequest, RefusesAFragmentInThePath) {
  http::RequestHead head = Request();
  head.path = "/a?b#c";
  EXPECT_EQ(PrepareRequest({}, PeerAt("9.9.9.9:1"), head).verdict, EdgeVerdict::kBadPath);
}

TEST(PrepareRequest, KeepsTheSchemeOfAnAbsoluteTarget) {
  http::RequestHead head = Request({{"x-forwarded-proto", "http"}});
  head.scheme = "https";
  PrepareRequest({}, PeerAt("9.9.9.9:1"), head);
  EXPECT_EQ(head.scheme, "https");
}

TEST(PrepareRequest, RemovesProxyFieldsThatComeFromOutside) {
  const Hcm options{.use_remote_address = true};
  http::RequestHead head = Request({{"x-envoy-retry-on", "5xx"},
                                    {"x-envoy-decorator-operation", "forged"},
                                    {"x-envoy-internal", "true"},
                                    {"x-plait-head", "forged"}});
  PrepareRequest(options, PeerAt("9.9.9.9:1"), head);
  EXPECT_FALSE(head.headers.Has("x-envoy-retry-on"));
  EXPECT_FALSE(head.headers.Has("x-envoy-decorator-operation"));
  EXPECT_FALSE(head.headers.Has("x-envoy-internal"));
  EXPECT_FALSE(head.headers.Has("x-plait-head"));
}

Hcm EdgeWithInside() {
  return {.use_remote_address = true,
          .internal_addresses = xds::InternalAddressConfig{.ranges = {io::Cidr::Parse("10.0.0.0/8").value()}}};
}

TEST(PrepareRequest, CallsNobodyInternalUnlessTheConfigurationSaysWho) {
  http::RequestHead head = Request();
  EXPECT_FALSE(PrepareRequest({.use_remote_address = true}, PeerAt("10.1.1.1:1"), head).internal);
  EXPECT_FALSE(head.headers.Has("x-envoy-internal"));
  EXPECT_EQ(head.headers.Get("x-envoy-external-address"), "10.1.1.1");
}

TEST(PrepareRequest, CallsASingleAddressOfTheInsideInternal) {
  const Hcm options = EdgeWithInside();
  http::RequestHead head = Request();
  EXPECT_TRUE(PrepareRequest(options, PeerAt("10.1.1.1:1"), head).internal);
  EXPECT_EQ(head.headers.Get("x-envoy-internal"), "true");
}

TEST(PrepareRequest, KeepsARequestIdFromInsideAndReplacesOneFromOutside) {
  const Hcm edge = EdgeWithInside();
  http::RequestHead inside = Request({{"x-request-id", "mine"}});
  PrepareRequest(edge, PeerAt("10.1.1.1:1"), inside);
  EXPECT_EQ(inside.headers.Get("x-request-id"), "mine");
  http::RequestHead outside = Request({{"x-request-id", "mine"}});
  PrepareRequest(edge, PeerAt("9.9.9.9:1"), outside);
  EXPECT_NE(outside.headers.Get("x-request-id"), "mine");
  EXPECT_EQ(outside.headers.Get("x-request-id")->size(), 36u);
}

TEST(PrepareRequest, ReplacesAForgedClientCertificateHeader) {
  Hcm options{.forward_client_cert = Hcm::ForwardClientCert::kAppendForward,
              .client_cert_details = {.subject = true, .uri = true}};
  http::RequestHead plain = Request({{"x-forwarded-client-cert", "URI=spiffe://forged"}});
  PrepareRequest(options, PeerAt("10.0.0.2:1"), plain);
  EXPECT_FALSE(plain.headers.Has("x-forwarded-client-cert"));

  io::TlsFacts tls;
  tls.peer_certificate = true;
  tls.peer_uri_sans = {"spiffe://td/ns/a/sa/b"};
  tls.peer_certificate_sha256 = "ab";
  tls.local_identity = "spiffe://td/ns/c/sa/d";
  options.forward_client_cert = Hcm::ForwardClientCert::kSanitizeSet;
  http::RequestHead mutual = Request({{"x-forwarded-client-cert", "URI=spiffe://forged"}});
  PrepareRequest(options, PeerAt("10.0.0.2:1", &tls), mutual);
  EXPECT_EQ(mutual.headers.Get("x-forwarded-client-cert"),
            "By=spiffe://td/ns/c/sa/d;Hash=ab;Subject=\"\";URI=spiffe://td/ns/a/sa/b");
}

TEST(RemoveHopByHop, RemovesWhatConnectionNamesButNotWhatMustArrive) {
  http::Headers headers{{"Connection", "close, X-Drop, Authorization"},
                        {"X-Drop", "1"},
                        {"Authorization", "a"},
                        {"TE", "gzip, trailers"},
                        {"Keep-Alive", "5"},
                        {"Upgrade", "h2c"}};
  RemoveHopByHop(headers, false);
  EXPECT_FALSE(headers.Has("x-drop"));
  EXPECT_FALSE(headers.Has("connection"));
  EXPECT_FALSE(headers.Has("upgrade"));
  EXPECT_EQ(headers.Get("authorization"), "a");
  EXPECT_EQ(headers.Get("te"), "trailers");
}

TEST(PrepareResponse, OverwritesServerAndKeepsTheDateOfTheApplication) {
  http::ResponseHead head;
  head.status = 200;
  head.headers = {{"Server", "app"}, {"Date", "then"}};
  PrepareResponse(Hcm{.server_name = "istio-envoy"}, "", "now", head);
  EXPECT_EQ(head.headers.Get("server"), "istio-envoy");
  EXPECT_EQ(head.headers.Get("date"), "then");
}

TEST(PrepareRequest, AddsItsFieldsInEnvoysOrder) {
  const Hcm options{.use_remote_address = true, .via = "1.1 me", .append_x_forwarded_port = true};
  http::RequestHead head = Request({{"a", "1"}});
  PrepareRequest(options, PeerAt("9.9.9.9:1"), head);
  EXPECT_EQ(Names(head.headers),
            "a x-forwarded-for x-forwarded-proto x-forwarded-port via x-envoy-external-address x-request-id");
}

TEST(PrepareResponse, AddsItsFieldsInEnvoysOrder) {
  const Hcm options{.server_name = "istio-envoy", .via = "1.1 me", .always_set_request_id_in_response = true};
  http::ResponseHead head;
  head.status = 200;
  head.headers = {{"a", "1"}};
  PrepareResponse(options, "id", "now", head);
  EXPECT_EQ(Names(head.headers), "a date server x-request-id via");
}

TEST(PreparePath, RefusesOrRedirectsEscapedSlashes) {
  Hcm options{.escaped_slashes = Hcm::EscapedSlashes::kReject};
  http::RequestHead head = Request();
  head.path = "/a%2Fb?q=%2f";
  EXPECT_EQ(PrepareRequest(options, PeerAt("10.0.0.1:1"), head).verdict, EdgeVerdict::kBadPath);
  options.escaped_slashes = Hcm::EscapedSlashes::kUnescapeAndRedirect;
  head.path = "/a%2Fb?q=%2f";
  EXPECT_EQ(PrepareRequest(options, PeerAt("10.0.0.1:1"), head).verdict, EdgeVerdict::kRedirectPath);
  EXPECT_EQ(head.path, "/a/b?q=%2f");
}

// The header of a request with these fields of it, joined by '|', and what its answer has in place of the upstream's.
std::string Operations(bool outbound, const xds::Route* route, const std::vector<std::string>& given) {
  http::Headers request;
  for (const std::string& value : given) request.Add("X-Envoy-Decorator-Operation", value);
  http::Headers response = {{"x-envoy-decorator-operation", "theirs"}};
  AnswerOperation(PrepareOperation(outbound, route, request), route, response);
  std::string out;
  for (const http::HeaderView field : request) out.append(out.empty() ? "" : "|").append(field.value);
  out += " -> ";
  for (const http::HeaderView field : response) out += field.value;
  return out;
}

TEST(PrepareOperation, TellsTheClientOfAnInboundRequestTheRoutesUnlessItNamedOne) {
  xds::Route route;
  route.operation = "ours";
  EXPECT_EQ(Operations(false, &route, {}), " -> ours");
  EXPECT_EQ(Operations(false, &route, {"mine"}), " -> theirs");
  EXPECT_EQ(Operations(false, &route, {"", "mine"}), " -> theirs");
  EXPECT_EQ(Operations(false, &route, {""}), " -> ours");
  EXPECT_EQ(Operations(false, &route, {"", ""}), " -> ours");
}

TEST(PrepareOperation, SendsTheRoutesWithAnOutboundRequestAndKeepsTheAnswers) {
  xds::Route route;
  route.operation = "ours";
  EXPECT_EQ(Operations(true, &route, {}), "ours -> ");
  EXPECT_EQ(Operations(true, &route, {"mine", "too"}), "ours -> ");
}

TEST(PrepareOperation, TellsNobodyOfARouteThatHasNoneOrDoesNotPropagateIt) {
  xds::Route bare;
  xds::Route kept;
  kept.operation = "ours";
  kept.propagate_operation = false;
  for (const xds::Route* route : std::vector<const xds::Route*>{&bare, &kept, nullptr}) {
    EXPECT_EQ(Operations(false, route, {"mine"}), " -> theirs");
    EXPECT_EQ(Operations(false, route, {}), " -> theirs");
    EXPECT_EQ(Operations(true, route, {"mine"}), "mine -> ");
    EXPECT_EQ(Operations(true, route, {}), " -> ");
  }
}

}  // namespace
}  // namespace plait::proxy::session
