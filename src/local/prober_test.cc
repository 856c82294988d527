#include "local/prober.h"

#include <gtest/gtest.h>

#include "core/conn/http_server.h"
#include "core/io/socket.h"
#include "core/tls/stream.h"
#include "core/tls/test_pki.h"

namespace plait::local {
namespace {
using namespace std::chrono_literals;

// A workload of one server on the loopback.
class ProberTest : public testing::Test, public ProbeTarget {
 protected:
  ProberTest() { Serve(nullptr); }

  void Serve(std::shared_ptr<const tls::Context> context) {
    server_ = std::make_unique<conn::HttpServer>(loop_, conn::HttpServerOptions{},
                                                 [this](conn::Request request, conn::Responder responder) {
                                                   seen_ = std::move(request);
                                                   if (answers_)
                                                     return responder.Send(conn::TextResponse(status_, body_));
                                                   held_.push_back(std::move(responder));
                                                 });
    context_ = std::move(context);
    socket_ = std::move(*io::ListenOn(*io::SocketAddress::Parse("127.0.0.1:0")));
    port_ = io::LocalAddress(socket_.get()).port;
    listener_ = std::make_unique<io::Listener>(loop_, socket_.get(), false, [this](io::UniqueFd fd) {
      auto stream = io::AdoptSocket(loop_, std::move(fd));
      if (context_) stream = tls::Wrap(loop_, std::move(stream), context_);
      server_->Serve(std::move(stream));
    });
  }
  std::unique_ptr<io::Stream> ConnectTo(Port port, Duration timeout) override {
    return io::Connect(loop_, {.ip = io::IpAddress::V4(0x7f000001), .port = port, .unix_path = {}},
                       {.timeout = timeout});
  }
  struct Command final : Pending::Operation {
    explicit Command(ProberTest& of) : test(of) {}
    ~Command() override { ++test.dropped_; }
    ProberTest& test;
    Pending end;
  };
  Pending RunInside(const std::string&, const std::vector<std::string>& argv,
                    std::move_only_function<void(int)> done) override {
    ++started_;
    auto command = std::make_unique<Command>(*this);
    if (argv[0] != "hang")
      command->end =
          loop_.After(0ms, [code = argv[0] == "true" ? 0 : 1, done = std::move(done)]() mutable { done(code); });
    return Pending(std::move(command));
  }
  std::string Host() const override { return "127.0.0.1"; }

  ProbeSpec Spec(ProbeSpec::Kind kind) const {
    ProbeSpec spec;
    spec.kind = kind;
    spec.port = port_;
    spec.period = 20ms;
    spec.timeout = 1s;
    return spec;
  }
  // Runs until the first verdict.
  std::string Verdict(ProbeSpec spec, bool eager = false) {
    std::string verdict;
    Prober prober(loop_, *this, std::move(spec), eager, [&](bool healthy, const std::string& why) {
      if (verdict.empty()) verdict = healthy ? "healthy" : "unhealthy: " + why;
    });
    prober.Start();
    loop_.RunUntil([&] { return !verdict.empty(); }, 5s);
    return verdict;
  }

  io::Loop loop_;
  std::unique_ptr<conn::HttpServer> server_;
  std::shared_ptr<const tls::Context> context_;
  io::UniqueFd socket_;
  std::unique_ptr<io::Listener> listener_;
  std::vector<conn::Responder> held_;
  conn::Request seen_;
  bool answers_ = true;
  std::uint16_t status_ = 200;
  std::string body_ = "ok";
  Port port_;
  int started_ = 0;
  int dropped_ = 0;
};

TEST_F(ProberTest, HttpTakes200To399AndSendsItsHeaders) {
  ProbeSpec spec = Spec(ProbeSpec::Kind::kHttp);
  spec.path = "/healthz?deep";
  spec.headers = {{"Host", "web.example"}, {"X-Probe", "1"}};
  status_ = 302;
  EXPECT_EQ(Verdict(spec), "healthy");
  EXPECT_EQ(seen_.head.path, "/healthz?deep");
  EXPECT_EQ(seen_.head.authority, "web.example");
  EXPECT_EQ(seen_.head.headers.Get("x-probe"), "1");
  status_ = 503;
  EXPECT_EQ(Verdict(spec), "unhealthy: HTTP status 503");
}

TEST_F(ProberTest, HttpsTakesAnyCertificate) {
  const auto context = tls::Context::Make({.server = true,
                                           .identities = {tls::TestCa().Issue("", "nobody.example", -1h)},
                                           .peer = {.certificate = tls::PeerPolicy::Certificate::kNone}});
  ASSERT_TRUE(context.has_value()) << context.error().ToString();
  Serve(*context);
  ProbeSpec spec = Spec(ProbeSpec::Kind::kHttp);
  EXPECT_NE(Verdict(spec), "healthy") << "plain text to a TLS port";
  spec.https = true;
  EXPECT_EQ(Verdict(spec), "healthy");
}

TEST_F(ProberTest, TcpNeedsAListener) {
  EXPECT_EQ(Verdict(Spec(ProbeSpec::Kind::kTcp)), "healthy");
  ProbeSpec nobody = Spec(ProbeSpec::Kind::kTcp);
  listener_.reset();
  socket_.Reset();
  EXPECT_TRUE(Verdict(nobody).starts_with("unhealthy"));
}

TEST_F(ProberTest, GrpcNeedsTheAnswerServing) {
  body_ = std::string("\0\0\0\0\x02\x08\x01", 7);
  ProbeSpec spec = Spec(ProbeSpec::Kind::kGrpc);
  spec.service = "x";
  EXPECT_EQ(Verdict(spec), "healthy");
  EXPECT_EQ(seen_.head.path, "/grpc.health.v1.Health/Check");
  EXPECT_EQ(seen_.body, std::string("\0\0\0\0\x03\x0a\x01x", 8));
  body_[6] = 2;
  EXPECT_EQ(Verdict(spec), "unhealthy: not serving");
}

TEST_F(ProberTest, ExecGoesByTheExitCodeAndEndsWhatHangs) {
  ProbeSpec spec = Spec(ProbeSpec::Kind::kExec);
  spec.argv = {"true"};
  EXPECT_EQ(Verdict(spec), "healthy");
  spec.argv = {"false"};
  EXPECT_EQ(Verdict(spec), "unhealthy: the command ended with exit code 1");
  spec.argv = {"hang"};
  spec.timeout = 10ms;
  EXPECT_EQ(Verdict(spec), "unhealthy: no answer within 0.01s");
  EXPECT_EQ(started_, dropped_);
}

TEST_F(ProberTest, AnAnswerThatComesTooLateIsAFailure) {
  answers_ = false;
  ProbeSpec spec = Spec(ProbeSpec::Kind::kHttp);
  spec.timeout = 10ms;
  EXPECT_EQ(Verdict(spec), "unhealthy: no answer within 0.01s");
}

TEST_F(ProberTest, EagerAttemptsDoNotUseUpTheFailures) {
  status_ = 503;
  ProbeSpec spec = Spec(ProbeSpec::Kind::kHttp);
  spec.period = 100ms;
  spec.failure_threshold = 2;
  const MonotonicTime begun = loop_.clock().Now();
  EXPECT_EQ(Verdict(spec, true), "unhealthy: HTTP status 503");
  EXPECT_GE(loop_.clock().Now() - begun, 200ms) << "two periods";
}

TEST_F(ProberTest, ToleratesFailuresBelowTheThresholdAndTellsTheLastOne) {
  ProbeSpec spec = Spec(ProbeSpec::Kind::kHttp);
  std::vector<bool> verdicts;
  Prober prober(loop_, *this, spec, true, [&](bool healthy, const std::string&) { verdicts.push_back(healthy); });
  prober.Start();
  ASSERT_TRUE(loop_.RunUntil([&] { return prober.healthy(); }, 1s));
  status_ = 500;
  ASSERT_TRUE(loop_.RunUntil([&] { return prober.last_failure() == "HTTP status 500"; }, 1s));
  EXPECT_TRUE(prober.healthy()) << "the first of three";
  ASSERT_TRUE(loop_.RunUntil([&] { return !prober.healthy(); }, 1s));
  status_ = 200;
  ASSERT_TRUE(loop_.RunUntil([&] { return prober.healthy(); }, 1s));
  EXPECT_EQ(verdicts, (std::vector<bool>{true, false, true}));
}

}  // namespace
}  // namespace plait::local
