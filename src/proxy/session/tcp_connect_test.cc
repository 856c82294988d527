// Where a TCP session connects to, and what is left of the attempt when the session ends.
#include "proxy/session/tcp_connect.h"

#include <gtest/gtest.h>

#include "proxy/session/chain.h"
#include "proxy/session/inbound.h"
#include "proxy/session/tcp_session.h"
#include "proxy/session/test_context.h"
#include "proxy/session/test_index.h"

namespace plait::proxy::session {
namespace {

class TcpConnects : public SessionTest {
 protected:
  static io::SocketAddress At(const char* text) { return io::SocketAddress::Parse(text).value(); }
  void AddWorkload(const char* ip, xds::TlsMode mode) {
    xds::Workload workload;
    workload.uid = std::string("k//Pod/default/") + ip;
    workload.addresses = {io::IpAddress::Parse(ip).value()};
    workload.tls_mode = mode;
    Add(index_, workload);
  }
  lb::PickContext PickAt(const char* destination, const xds::Cluster& config) {
    return PickForDestination(index_, config, At(destination), identity_);
  }
  static xds::Cluster OriginalDst() {
    xds::Cluster cluster;
    cluster.type = xds::Cluster::Type::kOriginalDst;
    return cluster;
  }
  std::string identity_;
};

TEST_F(TcpConnects, NamesTheClusterOfASessionThatIsClosedWhileItConnects) {
  const std::string name = "outbound|3306||a-database.of-a-long-name.svc.cluster.local";
  on_demand_.keep_waiting = true;
  auto [client, server] = io::StreamPair(loop_);
  client_ = std::move(client);
  TcpSession::Start start{.config = CompileTcp({}, {registry_, logs_}).value(), .rbac = {}, .cluster = name};
  start.downstream = std::move(server);
  session_ = std::make_unique<TcpSession>(context_, std::move(start), record::ConnectionInfo{}, *this);
  ASSERT_TRUE(loop_.RunUntil([&] { return on_demand_.waiting != nullptr; }, kLimit));
  session_->Close("a_policy");
  ASSERT_TRUE(loop_.RunUntil([&] { return !recorder_.lines.empty(); }, kLimit));
  EXPECT_EQ(recorder_.lines.back(), "0 LR a_policy " + name);
}

// A connection that was handed to another worker is followed before it tells that it is open.
TEST_F(TcpConnects, AreDeniedInTheWordsOfTheRulesThatTheyBeganUnder) {
  auto [client, server] = io::StreamPair(loop_);
  client_ = std::move(client);
  auto inbound = std::make_shared<InboundConfig>();
  inbound->xds.ports = {{.port = 80, .mode = xds::MtlsMode::kDisable}};
  inbound->rbac = {filters::NetworkRbac::Compile({.rules = xds::RbacRules{}}, registry_).value()};
  Chain chain;
  chain.terminal = std::shared_ptr<const InboundConfig>(inbound);
  TcpSession::Start start{
      .config = CompileTcp({}, {registry_, logs_}).value(), .rbac = inbound->rbac, .cluster = "inbound|80||"};
  start.downstream = std::move(server);
  session_ = std::make_unique<TcpSession>(context_, std::move(start), record::ConnectionInfo{}, *this);
  EXPECT_EQ(session_->Follow(chain), "");
  ASSERT_TRUE(loop_.RunUntil([&] { return !recorder_.lines.empty(); }, kLimit));
  EXPECT_EQ(recorder_.lines.back(), "0 - rbac_access_denied_matched_policy[none] inbound|80||");
}

TEST_F(TcpConnects, LeaveNoIdentityOfTheAttemptBeforeInTheRecordOfAPlaintextConnection) {
  record::StreamRecord record;
  record.upstream_tls = true;
  record.upstream_identity = "spiffe://cluster.local/ns/default/sa/before";
  record.own_identity = "spiffe://cluster.local/ns/default/sa/own";
  const auto [client, server] = io::StreamPair(loop_);
  NoteUpstream(record, *client);
  EXPECT_FALSE(record.upstream_tls);
  EXPECT_EQ(record.upstream_identity, "");
  EXPECT_EQ(record.own_identity, "");
}

TEST_F(TcpConnects, GoNowhereInPlaintextWhereTheIndexDecidesAndKnowsNobody) {
  xds::Cluster cluster = OriginalDst();
  cluster.transport_socket_matches = {
      {.name = "tlsMode-istio", .match = {{"tlsMode", "istio"}}, .tls = xds::UpstreamTlsContext{}},
      {.name = "tlsMode-disabled", .match = {}, .tls = std::nullopt}};
  AddWorkload("10.244.0.1", xds::TlsMode::kIstio);
  AddWorkload("10.244.0.2", xds::TlsMode::kDisabled);
  EXPECT_FALSE(PickAt("10.244.0.1:80", cluster).original_dst_plaintext);
  EXPECT_TRUE(PickAt("10.244.0.2:80", cluster).original_dst_plaintext);
  EXPECT_EQ(PickAt("10.244.0.2:80", cluster).original_dst, At("10.244.0.2:80"));
  EXPECT_FALSE(PickAt("10.244.0.3:80", cluster).original_dst.has_value());
}

TEST_F(TcpConnects, GoNowhereInPlaintextWhereTheIndexDecidesAndKnowsAServiceOnly) {
  xds::Cluster cluster = OriginalDst();
  cluster.transport_socket_matches = {
      {.name = "tlsMode-istio", .match = {{"tlsMode", "istio"}}, .tls = xds::UpstreamTlsContext{}},
      {.name = "tlsMode-disabled", .match = {}, .tls = std::nullopt}};
  xds::Service service{.name = "web", .name_space = "default", .hostname = "web.default.svc.cluster.local"};
  service.addresses.push_back({"", io::Cidr::Parse("10.96.0.7/32").value()});
  Add(index_, service);
  EXPECT_FALSE(PickAt("10.96.0.7:80", cluster).original_dst.has_value());
}

TEST_F(TcpConnects, SpeakTheTlsOfAClusterWhoeverIsThere) {
  xds::Cluster cluster = OriginalDst();
  cluster.tls = xds::UpstreamTlsContext{};
  const lb::PickContext pick = PickAt("192.0.2.1:443", cluster);
  EXPECT_EQ(pick.original_dst, At("192.0.2.1:443"));
  EXPECT_FALSE(pick.original_dst_plaintext);
}

TEST_F(TcpConnects, SpeakTheTlsOfAClusterToAWorkloadOfTheMeshToo) {
  xds::Workload named{.uid = "k//Pod/default/named", .trust_domain = "td", .service_account = "web"};
  named.name_space = "default";
  named.addresses = {At("10.244.0.1:1").ip};
  cluster::IndexUpdate update;
  update.put.emplace_back(named.uid, std::make_shared<xds::Address>(xds::Address{named}));
  index_.Apply(update);
  AddWorkload("10.244.0.2", xds::TlsMode::kDisabled);
  xds::Cluster cluster = OriginalDst();
  xds::CommonTlsContext& tls = cluster.tls.emplace().common;
  for (const char* to : {"10.244.0.1:80", "10.244.0.2:80"}) {
    const lb::PickContext own = PickAt(to, cluster);
    EXPECT_FALSE(own.original_dst_plaintext) << to;
    EXPECT_EQ(own.original_dst_identity, "") << "the certificate is the application's";
  }
  tls.validation_secret = xds::SecretRef{.name = "ROOTCA"};
  EXPECT_NE(PickAt("10.244.0.1:80", cluster).original_dst_identity, "");
  tls.validation.emplace().subject_alt_names.emplace_back();
  EXPECT_EQ(PickAt("10.244.0.1:80", cluster).original_dst_identity, "") << "the configuration says who it is";
}

TEST_F(TcpConnects, PassThroughInPlaintextWhereTheClusterHasNoTls) {
  const lb::PickContext pick = PickAt("192.0.2.1:80", OriginalDst());
  EXPECT_EQ(pick.original_dst, At("192.0.2.1:80"));
  EXPECT_TRUE(pick.original_dst_plaintext);
}

TEST_F(TcpConnects, KnowTheAddressOfAWorkloadInItsOtherFamily) {
  xds::Workload workload{.uid = "k//Pod/default/two"};
  workload.addresses = {At("10.244.0.1:1").ip, At("[fd00::1]:1").ip};
  Add(index_, workload);
  EXPECT_EQ(PickAt("[fd00::1]:80", OriginalDst()).original_dst_other, At("10.244.0.1:1").ip);
  EXPECT_EQ(PickAt("10.244.0.1:80", OriginalDst()).original_dst_other, At("[fd00::1]:1").ip);
  AddWorkload("10.244.0.2", xds::TlsMode::kIstio);
  EXPECT_FALSE(PickAt("10.244.0.2:80", OriginalDst()).original_dst_other.has_value());
}

// A cluster "app" whose host has an address in each family, where nobody listens unless the test does.
class TcpConnectsToTwoAddresses : public TcpConnects {
 protected:
  void SetUp() override {
    v6_ = io::LocalAddress(io::ListenOn(At("[::1]:0")).value().get());
    v4_ = io::LocalAddress(io::ListenOn(At("127.0.0.1:0")).value().get());
    auto cluster = std::make_shared<xds::Cluster>();
    cluster->name = cluster->load_assignment.cluster_name = "app";
    xds::Endpoint& endpoint = cluster->load_assignment.localities.emplace_back().endpoints.emplace_back();
    endpoint.address = v6_;
    endpoint.additional_addresses = {v4_};
    ASSERT_TRUE(store_.Put(std::move(cluster)).has_value());
    loop_.RunOnce(Duration(0));
  }
  // Where a connection comes about; why not.
  std::expected<io::SocketAddress, Failure> Connect() {
    const record::ConnectionInfo info;
    record::StreamRecord record;
    record.connection = &info;
    std::optional<std::expected<UpstreamConnection, Failure>> result;
    TcpConnect connect(context_, {.cluster = "app"}, record, [&](auto done) { result = std::move(done); });
    EXPECT_TRUE(loop_.RunUntil([&] { return result.has_value(); }, kLimit));
    EXPECT_EQ(record.attempts, 1u);
    failure_ = record.transport_failure;
    if (!result || !*result) return std::unexpected(result ? result->error() : Failure::kConnectTimeout);
    return (*result)->stream().remote();
  }
  const cluster::Host& host() { return *clusters_.Find("app")->cluster()->priorities[0].all[0]; }
  io::SocketAddress v4_, v6_;
  std::string failure_;
};

TEST_F(TcpConnectsToTwoAddresses, GoToTheSecondWhereTheFirstRefusesAndCountOnce) {
  const io::UniqueFd listening = io::ListenOn(v4_).value();
  EXPECT_EQ(Connect(), v4_);
  EXPECT_EQ(host().stats().cx_total, 1u);
  EXPECT_EQ(host().stats().cx_connect_fail, 0u);
  EXPECT_EQ(host().stats().cx_active, 0u);
  EXPECT_EQ(context_.clusters.Find("app")->cluster()->state->limits[0].connections.used(), 0u);
}

TEST_F(TcpConnectsToTwoAddresses, AreLoadOfTheirHostAsLongAsTheyLast) {
  const io::UniqueFd listening = io::ListenOn(v4_).value();
  const record::ConnectionInfo info;
  record::StreamRecord record;
  record.connection = &info;
  std::optional<std::expected<UpstreamConnection, Failure>> result;
  TcpConnect connect(context_, {.cluster = "app"}, record, [&](auto done) { result = std::move(done); });
  ASSERT_TRUE(loop_.RunUntil([&] { return result.has_value(); }, kLimit));
  EXPECT_EQ(host().stats().rq_active, 1u);
  result.reset();
  EXPECT_EQ(host().stats().rq_active, 0u);
}

TEST_F(TcpConnectsToTwoAddresses, BeginWithTheOneThatWasOpenedUntilThatRefuses) {
  io::UniqueFd second = io::ListenOn(v4_).value();
  EXPECT_EQ(Connect(), v4_);
  const io::UniqueFd first = io::ListenOn(v6_).value();
  EXPECT_EQ(Connect(), v4_);
  second.Reset();
  EXPECT_EQ(Connect(), v6_);
  second = io::ListenOn(v4_).value();
  EXPECT_EQ(Connect(), v6_);
}

TEST_F(TcpConnectsToTwoAddresses, FailOnceWhereBothRefuse) {
  EXPECT_EQ(Connect(), std::unexpected(Failure::kConnectFailure));
  EXPECT_EQ(failure_, "delayed connect error: Connection refused");
  EXPECT_EQ(host().stats().cx_total, 1u);
  EXPECT_EQ(host().stats().cx_connect_fail, 1u);
}

}  // namespace
}  // namespace plait::proxy::session
