// SDS as an Envoy asks for it, over a Unix socket.
#include "proxy/worker/sds_server.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <optional>

#include "core/grpc/client.h"
#include "core/xds/discovery.h"
#include "core/xds/type_url.h"

namespace plait::proxy::worker {
namespace {

constexpr Duration kLimit = std::chrono::seconds(5);

std::shared_ptr<const xds::Secret> Certificate(const std::string& chain) {
  using Kind = xds::DataSource::Kind;
  auto out = std::make_shared<xds::Secret>();
  out->name = "default";
  out->value = xds::TlsCertificate{
      .certificate_chain = {Kind::kInline, chain}, .private_key = {Kind::kInline, "key"}, .password = {}};
  return out;
}

std::shared_ptr<const xds::Secret> Roots(const std::string& pem) {
  auto out = std::make_shared<xds::Secret>();
  out->name = "ROOTCA";
  xds::ValidationContext context;
  context.trusted_ca = {xds::DataSource::Kind::kInline, pem};
  out->value = context;
  return out;
}

// One stream for one secret.
class Subscriber final : public grpc::ClientCallEvents {
 public:
  Subscriber(grpc::Channel& channel, std::string name) : name_(std::move(name)) {
    call_ = channel.Start(kStreamSecretsMethod, {}, *this);
    Ask({}, {});
  }
  void Ask(std::string nonce, std::optional<std::string> error, std::string type = "") {
    xds::DiscoveryRequest request;
    request.type_url = type.empty() ? std::string(xds::type_url::kSecret) : type;
    request.names = {name_};
    request.response_nonce = std::move(nonce);
    request.error = std::move(error);
    call_->Send(xds::EncodeDiscoveryRequest(request));
  }
  void OnInitialMetadata(const grpc::Metadata&) override {}
  void OnMessage(std::string message) override { responses.push_back(*xds::DecodeDiscoveryResponse(message)); }
  void OnFinished(const grpc::Status& end, const grpc::Metadata&) override { status = end; }

  std::vector<xds::DiscoveryResponse> responses;
  std::optional<grpc::Status> status;

 private:
  std::string name_;
  std::unique_ptr<grpc::ClientCall> call_;
};

class Sds : public testing::Test {
 protected:
  Sds() : path(std::filesystem::temp_directory_path() / ("plait-sds-" + std::to_string(getpid()))) {
    secrets.SetObserver([this] { server.SecretsChanged(); });
    EXPECT_TRUE(server.Listen(path).has_value());
    channel = std::make_unique<grpc::Channel>(
        loop, io::Connect(loop, io::SocketAddress{.ip = {}, .port = {}, .unix_path = path}),
        grpc::ChannelOptions{.authority = "sds", .authorization = {}}, [](const Error&) {});
  }
  ~Sds() override { std::filesystem::remove(path); }
  bool Wait(const std::function<bool()>& done) { return loop.RunUntil(done, kLimit); }
  // Everything that was on its way has arrived: a stream that is asked later has its answer.
  void Settle() {
    Subscriber after(*channel, "ROOTCA");
    EXPECT_TRUE(Wait([&] { return !after.responses.empty(); }));
  }

  io::Loop loop;
  Secrets secrets;
  SdsServer server{loop, secrets};
  std::string path;
  std::unique_ptr<grpc::Channel> channel;
};

TEST_F(Sds, AnswersANameOnceItIsThereAndAgainWhenItIsNew) {
  Subscriber envoy(*channel, "default");
  secrets.Put(Roots("roots"));
  Settle();
  EXPECT_TRUE(envoy.responses.empty());
  secrets.Put(Certificate("one"));
  ASSERT_TRUE(Wait([&] { return envoy.responses.size() == 1; }));
  EXPECT_EQ(envoy.responses[0].resources.size(), 1u);
  EXPECT_NE(envoy.responses[0].resources[0].find("one"), std::string::npos);
  envoy.Ask(envoy.responses[0].nonce, {});
  secrets.Put(Certificate("two"));
  ASSERT_TRUE(Wait([&] { return envoy.responses.size() == 2; }));
  EXPECT_NE(envoy.responses[1].resources[0].find("two"), std::string::npos);
  EXPECT_NE(envoy.responses[1].version, envoy.responses[0].version);
}

TEST_F(Sds, WhatWasRejectedOrHasNotChangedIsNotSentAgain) {
  secrets.Put(Roots("roots"));
  secrets.Put(Certificate("one"));
  Subscriber envoy(*channel, "default");
  ASSERT_TRUE(Wait([&] { return envoy.responses.size() == 1; }));
  envoy.Ask(envoy.responses[0].nonce, "cannot read it");
  envoy.Ask("17", {});                // of nobody's response
  secrets.Put(Roots("other roots"));  // not what this stream asked for
  Settle();
  EXPECT_EQ(envoy.responses.size(), 1u);
}

TEST_F(Sds, RefusesAnotherTypeAndWhatIsNoRequest) {
  Subscriber envoy(*channel, "default");
  envoy.Ask({}, {}, std::string(xds::type_url::kCluster));
  ASSERT_TRUE(Wait([&] { return envoy.status.has_value(); }));
  EXPECT_EQ(envoy.status->code, grpc::Code::kInvalidArgument);
}

TEST_F(Sds, TheSocketIsItsOwnersAloneAndOneThatWasLeftIsReplaced) {
  struct stat at{};
  ASSERT_EQ(stat(path.c_str(), &at), 0);
  EXPECT_EQ(at.st_mode & 0777, 0600u);
  SdsServer next(loop, secrets);
  EXPECT_TRUE(next.Listen(path).has_value());
  const auto too_long = next.Listen("/tmp/" + std::string(200, 'x'));
  ASSERT_FALSE(too_long.has_value());
  EXPECT_NE(too_long.error().message.find("longer than 107"), std::string::npos);
}

}  // namespace
}  // namespace plait::proxy::worker
