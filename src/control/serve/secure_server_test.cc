// A proxy's way to its configuration: token, certificate, then ADS with the certificate.
#include "control/serve/secure_server.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cstdlib>
#include <filesystem>

#include "control/serve/ads_server.h"
#include "control/serve/fake_provider.h"
#include "core/base/encoding.h"
#include "core/identity/grpc_ca_client.h"
#include "core/tls/stream.h"
#include "core/tls/test_pki.h"
#include "core/xds/ads_stream.h"
#include "core/xds/type_url.h"
#include "testing/sleeping_clock.h"

namespace plait::control::serve {
namespace {

constexpr Duration kLimit = std::chrono::seconds(10);
const identity::SpiffeId kWeb{"cluster.local", "default", "web"};

struct Held : xds::Subscriber {
  std::vector<xds::Rejection> OnUpdate(const xds::Update& update) override {
    for (const auto& resource : update.added) names.push_back(resource.name);
    return {};
  }
  std::vector<std::string> names;
};

class Secure : public testing::Test {
 protected:
  Secure() {
    std::string name = testing::TempDir() + "plait-serve-XXXXXX";
    directory = ::mkdtemp(name.data());
    authority = std::move(*ca::Authority::LoadOrCreate(directory, {}));
    server.emplace(loop, *authority, SecureServerOptions{});
    ca::AddCertificateService(server->grpc(), *authority, tokens, counts);
    ads.emplace(loop, server->grpc(), provider, tokens, metrics, AdsOptions{});
    ads->Ready();
    const auto bound = server->Listen(*io::SocketAddress::Parse("127.0.0.1:0"));
    EXPECT_TRUE(bound) << bound.error().ToString();
    address = *bound;
    tokens.Replace({{.sha256_hex = HexEncode(AsBytes(tls::Sha256("token"))), .pod_uid = "1", .id = kWeb}});
    provider.Set(xds::type_url::kListener, "virtualInbound", "1");
  }
  ~Secure() override { std::filesystem::remove_all(directory); }

  std::unique_ptr<io::Stream> Dial(const std::vector<tls::Identity>& identities = {},
                                   const std::string& name = "plaitd.plait-system.svc") {
    tls::ContextOptions options;
    options.identities = identities;
    options.bundle_pem = authority->bundle_pem();
    options.peer.sans = {{.type = tls::SanMatcher::Type::kDns, .value = name}};
    options.alpn = {"h2"};
    return tls::Wrap(loop, io::Connect(loop, address), *tls::Context::Make(options), {.sni = name});
  }
  xds::AdsStream::Connect Connecting(std::vector<tls::Identity> identities, std::string authorization) {
    return [this, identities, authorization]() -> Outcome<xds::AdsStream::Connection> {
      return xds::AdsStream::Connection{
          .stream = Dial(identities), .options = {.authority = "plaitd", .tls = true, .authorization = authorization}};
    };
  }
  // A certificate that this authority signed for `id`, with its key.
  tls::Identity IssuedFor(const identity::SpiffeId& id) {
    tokens.Replace({{.sha256_hex = HexEncode(AsBytes(tls::Sha256("other"))), .pod_uid = "2", .id = id}});
    identity::GrpcCaClient client(loop,
                                  [&](identity::GrpcCaClient::Proof) -> Outcome<identity::GrpcCaClient::Connection> {
                                    return identity::GrpcCaClient::Connection{
                                        .stream = Dial(), .authority = "plaitd", .authorization = "Bearer other"};
                                  });
    identity::WorkloadCertificate certificate(loop, client, {.spiffe_id = id.ToString()});
    certificate.Start();
    EXPECT_TRUE(loop.RunUntil([&] { return certificate.current() != nullptr; }, kLimit)) << certificate.problem();
    return certificate.current() ? certificate.current()->identity : tls::Identity{};
  }
  static xds::Node Node() {
    xds::Node node;
    node.id = "sidecar~10.244.0.5~web-0.default~default.svc.cluster.local";
    node.metadata_json = R"({"NAMESPACE":"default","SERVICE_ACCOUNT":"web"})";
    return node;
  }

  // By its fingerprint.
  std::string ServedCertificate();

  SleepingClock clock;
  io::Loop loop{clock};
  std::filesystem::path directory;
  std::unique_ptr<ca::Authority> authority;
  ca::TokenTable tokens;
  ca::CaCounts counts;
  FakeProvider provider;
  Metrics metrics;
  std::optional<SecureServer> server;
  std::optional<AdsServer> ads;
  io::SocketAddress address;
};

TEST_F(Secure, AProxyGetsItsCertificateByTokenAndItsConfigurationByCertificate) {
  identity::GrpcCaClient client(loop,
                                [&](identity::GrpcCaClient::Proof) -> Outcome<identity::GrpcCaClient::Connection> {
                                  return identity::GrpcCaClient::Connection{
                                      .stream = Dial(), .authority = "plaitd", .authorization = "Bearer token"};
                                });
  identity::WorkloadCertificate certificate(loop, client, {.spiffe_id = kWeb.ToString()});
  certificate.Start();
  ASSERT_TRUE(loop.RunUntil([&] { return certificate.current() != nullptr; }, kLimit)) << certificate.problem();
  EXPECT_EQ(certificate.current()->spiffe_id, kWeb.ToString());
  EXPECT_EQ(counts.issued, 1U);

  tokens.Replace({});  // from now on the certificate alone counts
  Held held;
  xds::DeltaClient configuration(Node(), held);
  configuration.SubscribeAll(xds::type_url::kListener);
  xds::AdsStream stream(loop, configuration, Connecting({certificate.current()->identity}, ""));
  stream.Start();
  EXPECT_TRUE(loop.RunUntil([&] { return !held.names.empty(); }, kLimit)) << stream.problem();
}

// As that of a workload that slept while the root was replaced.
TEST_F(Secure, AProxyWhoseCertificateIsTrustedNoMoreGetsTheNextOneByItsToken) {
  using Proof = identity::GrpcCaClient::Proof;
  const tls::TestCa former;
  for (const bool has_token : {true, false}) {
    identity::GrpcCaClient client(loop, [&](Proof proof) -> Outcome<identity::GrpcCaClient::Connection> {
      const bool by_token = proof == Proof::kToken;
      return identity::GrpcCaClient::Connection{
          .stream = Dial(by_token ? std::vector<tls::Identity>{} : std::vector{former.Issue(kWeb.ToString())}),
          .authority = "plaitd",
          .authorization = by_token ? "Bearer token" : "",
          .has_alternative = has_token};
    });
    identity::WorkloadCertificate certificate(loop, client, {.spiffe_id = kWeb.ToString()});
    certificate.Start();
    ASSERT_TRUE(loop.RunUntil([&] { return certificate.current() || !certificate.problem().empty(); }, kLimit));
    EXPECT_EQ(certificate.current() != nullptr, has_token) << certificate.problem();
  }
}

// Sockets of this process that were accepted at `address`.
std::vector<int> AcceptedAt(const io::SocketAddress& address) {
  std::vector<int> found;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    const int fd = std::atoi(entry.path().filename().c_str());
    int listens = 1;
    socklen_t size = sizeof listens;
    if (::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) != 0 || listens != 0) continue;
    if (io::LocalAddress(fd) == address) found.push_back(fd);
  }
  return found;
}

// Nothing else tells of a host that vanished: a stream of configuration may be silent for hours.
TEST_F(Secure, AsksSilentProxiesWhetherTheyAreThere) {
  Held held;
  xds::DeltaClient configuration(Node(), held);
  configuration.SubscribeAll(xds::type_url::kListener);
  xds::AdsStream stream(loop, configuration, Connecting({}, "Bearer token"));
  stream.Start();
  ASSERT_TRUE(loop.RunUntil([&] { return !held.names.empty(); }, kLimit)) << stream.problem();
  const std::vector<int> accepted = AcceptedAt(address);
  ASSERT_EQ(accepted.size(), 1U);
  int asks = 0;
  int after_seconds = 0;
  socklen_t size = sizeof asks;
  ASSERT_EQ(::getsockopt(accepted[0], SOL_SOCKET, SO_KEEPALIVE, &asks, &size), 0);
  ASSERT_EQ(::getsockopt(accepted[0], IPPROTO_TCP, TCP_KEEPIDLE, &after_seconds, &size), 0);
  EXPECT_EQ(asks, 1);
  EXPECT_EQ(after_seconds, 30);
}

TEST_F(Secure, ServesConfigurationByTokenAsWell) {
  Held held;
  xds::DeltaClient configuration(Node(), held);
  configuration.SubscribeAll(xds::type_url::kListener);
  xds::AdsStream stream(loop, configuration, Connecting({}, "Bearer token"));
  stream.Start();
  EXPECT_TRUE(loop.RunUntil([&] { return !held.names.empty(); }, kLimit)) << stream.problem();
}

TEST_F(Secure, ACertificateOfAnotherAuthorityOpensNothing) {
  const tls::TestCa foreign;
  for (const std::vector<tls::Identity>& identities : {std::vector{foreign.Issue(kWeb.ToString())}, {}}) {
    Held held;
    xds::DeltaClient configuration(Node(), held);
    configuration.SubscribeAll(xds::type_url::kListener);
    xds::AdsStream stream(loop, configuration,
                          Connecting(identities, identities.empty() ? "Bearer guess" : "Bearer token"));
    stream.Start();
    const std::string at_first = stream.problem();
    ASSERT_TRUE(loop.RunUntil([&] { return stream.problem() != at_first; }, kLimit));
    EXPECT_TRUE(held.names.empty());
    EXPECT_FALSE(stream.connected());
  }
  EXPECT_TRUE(ads->clients().empty());
}

// Sends one request and waits for the end of the stream.
struct OneCall final : grpc::ClientCallEvents {
  OneCall(io::Loop& loop, std::unique_ptr<io::Stream> to, const char* method, std::string request)
      : channel(loop, std::move(to), {.authority = "plaitd", .tls = true}), call(channel.Start(method, {}, *this)) {
    call->Send(std::move(request));
  }
  void OnMessage(std::string) override { ++messages; }
  void OnFinished(const grpc::Status& s, const grpc::Metadata&) override { status = s; }
  grpc::Channel channel;
  std::optional<grpc::Status> status;
  int messages = 0;
  std::unique_ptr<grpc::ClientCall> call;
};

TEST_F(Secure, TheCertificateOfAnotherWorkloadOpensNoNodeButItsOwn) {
  const auto wait = [&](const OneCall& call) {
    return loop.RunUntil([&] { return call.status.has_value() || call.messages > 0; }, kLimit);
  };
  const std::string url(xds::type_url::kListener);
  const std::string delta = xds::EncodeDeltaRequest({.node = Node(), .type_url = url});
  const std::string world = xds::EncodeDiscoveryRequest({.node = Node(), .type_url = url});
  for (const auto& [method, request] : {std::pair(xds::kDeltaAdsMethod, delta), std::pair(xds::kAdsMethod, world)}) {
    OneCall own(loop, Dial({IssuedFor(kWeb)}), method, request);
    ASSERT_TRUE(wait(own));
    EXPECT_EQ(own.messages, 1) << method;
    for (const identity::SpiffeId& other : {identity::SpiffeId{"cluster.local", "default", "ratings"},
                                            identity::SpiffeId{"cluster.local", "other", "web"}}) {
      OneCall forged(loop, Dial({IssuedFor(other)}), method, request);
      ASSERT_TRUE(wait(forged));
      ASSERT_TRUE(forged.status.has_value()) << method << " gave configuration to " << other.ToString();
      EXPECT_EQ(forged.status->code, grpc::Code::kPermissionDenied);
      EXPECT_NE(forged.status->message.find("but the caller was authenticated as " + other.ToString()),
                std::string::npos)
          << forged.status->message;
      EXPECT_EQ(forged.messages, 0);
    }
  }
}

struct Opened final : io::StreamEvents {
  void OnOpen() override { open = true; }
  void OnReadable() override {}
  void OnWritable() override {}
  void OnFailed(Error) override { failed = true; }
  bool open = false, failed = false;
};

TEST_F(Secure, AnswersUnderIstiosNameToo) {
  auto stream = Dial({}, "istiod.istio-system.svc");
  Opened events;
  stream->SetEvents(&events);
  EXPECT_TRUE(loop.RunUntil([&] { return events.open; }, kLimit));
}

std::string Secure::ServedCertificate() {
  auto stream = Dial();
  Opened events;
  stream->SetEvents(&events);
  EXPECT_TRUE(loop.RunUntil([&] { return events.open; }, kLimit));
  return stream->tls()->peer_certificate_sha256;
}

TEST_F(Secure, ARenewedCertificateIsForNewConnections) {
  const std::string first = ServedCertificate();
  EXPECT_EQ(ServedCertificate(), first);
  ASSERT_TRUE(server->Renew());
  EXPECT_NE(ServedCertificate(), first);
}

TEST_F(Secure, RenewsItsCertificateSoonAfterTheMachineSleptThroughHalfOfItsLife) {
  const std::string first = ServedCertificate();
  clock.Sleep(std::chrono::hours(13));
  clock.Advance(std::chrono::seconds(30));
  loop.RunOnce(Duration(0));
  EXPECT_NE(ServedCertificate(), first);
}

}  // namespace
}  // namespace plait::control::serve
