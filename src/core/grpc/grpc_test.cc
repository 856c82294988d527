// Client and server against each other over sockets.
#include <gtest/gtest.h>

#include <functional>
#include <optional>

#include "core/conn/http_client.h"
#include "core/grpc/client.h"
#include "core/grpc/server.h"

namespace plait::grpc {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
constexpr Duration kLimit = seconds(5);

// Sends back each message, a trailer at the end; "bye" ends with an error.
class Echo final : public CallHandler {
 public:
  explicit Echo(ServerCall& call) : call_(call) {
    if (const auto value = call.context().metadata.Get("x-in")) call.SendInitialMetadata({{"x-out", *value}});
  }
  void OnMessage(std::string message) override {
    if (message == "bye") return call_.Finish({.code = Code::kAborted, .message = "100% \xc3\xbc\n"});
    call_.Send(message);
  }
  void OnHalfClose() override { call_.Finish({}, {{"x-end", "1"}}); }

 private:
  ServerCall& call_;
};

struct Collector final : ClientCallEvents {
  std::vector<std::string> messages;
  Metadata initial, trailers;
  std::optional<Status> status;
  void OnInitialMetadata(const Metadata& metadata) override { initial = metadata; }
  void OnMessage(std::string message) override { messages.push_back(std::move(message)); }
  void OnFinished(const Status& s, const Metadata& t) override {
    EXPECT_FALSE(status);
    status = s;
    trailers = t;
  }
};

class Grpc : public testing::Test {
 protected:
  Grpc() {
    grpc.AddUnary("/test.Echo/Upper", [](const CallContext& context, std::string message, UnaryReply reply) {
      for (char& c : message) c = static_cast<char>(std::toupper(c));
      if (message == "FAIL") return reply.Fail({.code = Code::kNotFound, .message = "no such thing"});
      reply.Send(message, {{"x-authorization", context.metadata.Get("authorization").value_or("none")}});
    });
    grpc.AddUnary("/test.Echo/Hang",
                  [this](const CallContext&, std::string, UnaryReply reply) { hanging.emplace(std::move(reply)); });
    grpc.AddUnary("/test.Echo/Forget", [](const CallContext&, std::string, UnaryReply) {});
    grpc.AddStreaming("/test.Echo/Stream", [](ServerCall& call) { return std::make_unique<Echo>(call); });
    grpc.AddHealthService();
    grpc.AddReflectionService();
    address = *http->ListenOn(*io::SocketAddress::Parse("127.0.0.1:0"));
    channel = MakeChannel();
  }
  std::unique_ptr<Channel> MakeChannel() {
    return std::make_unique<Channel>(loop, io::Connect(loop, address),
                                     ChannelOptions{.authority = "test", .authorization = "Bearer t"},
                                     [this](const Error&) { down = true; });
  }
  UnaryResult Call(std::string_view method, std::string_view message, CallOptions options = {}) {
    std::optional<UnaryResult> got;
    Pending pending =
        channel->Unary(method, std::move(options), message, [&](UnaryResult result) { got = std::move(result); });
    EXPECT_FALSE(got);
    EXPECT_TRUE(loop.RunUntil([&] { return got.has_value(); }, kLimit));
    return got ? *got : UnaryResult{};
  }
  bool Wait(const std::function<bool()>& done) { return loop.RunUntil(done, kLimit); }

  io::Loop loop;
  Server grpc{loop};
  std::optional<UnaryReply> hanging;
  std::unique_ptr<conn::HttpServer> http = std::make_unique<conn::HttpServer>(loop, conn::HttpServerOptions{}, grpc);
  io::SocketAddress address;
  std::unique_ptr<Channel> channel;
  bool down = false;
};

TEST_F(Grpc, CallsUnaryMethods) {
  const UnaryResult good = Call("/test.Echo/Upper", "hello");
  EXPECT_EQ(good.status, Status{});
  EXPECT_EQ(good.message, "HELLO");
  EXPECT_EQ(good.trailers.Get("x-authorization"), "Bearer t");
  EXPECT_EQ(Call("/test.Echo/Upper", "").message, "");
  const std::string large(3'000'000, 'A');
  EXPECT_EQ(Call("/test.Echo/Upper", large).message, large);
  const UnaryResult bad = Call("/test.Echo/Upper", "fail");
  EXPECT_EQ(bad.status.code, Code::kNotFound);
  EXPECT_EQ(bad.status.message, "no such thing");
}

TEST_F(Grpc, AnswersWhatItCannotServe) {
  EXPECT_EQ(Call("/test.Echo/None", "x").status.code, Code::kUnimplemented);
  EXPECT_EQ(Call("/test.Echo/Forget", "x").status.code, Code::kUnknown);
  EXPECT_EQ(Call("/test.Echo/Upper", std::string(4 * 1024 * 1024 + 1, 'x')).status.code, Code::kResourceExhausted);
  EXPECT_EQ(Call("/test.Echo/Upper", std::string(4 * 1024 * 1024, 'x')).status.code, Code::kOk);
}

TEST_F(Grpc, StreamsBothWays) {
  Collector events;
  CallOptions options;
  options.metadata = {{"x-in", "7"}};
  auto call = channel->Start("/test.Echo/Stream", options, events);
  call->Send("one");
  ASSERT_TRUE(Wait([&] { return events.messages.size() == 1; }));
  call->Send("two");
  call->Send(std::string(200'000, 'x'));
  call->HalfClose();
  ASSERT_TRUE(Wait([&] { return events.status.has_value(); }));
  EXPECT_TRUE(events.status->ok()) << events.status->ToString();
  ASSERT_EQ(events.messages.size(), 3U);
  EXPECT_EQ(events.messages[2].size(), 200'000U);
  EXPECT_EQ(events.initial.Get("x-out"), "7");
  EXPECT_EQ(events.trailers.Get("x-end"), "1");
}

TEST_F(Grpc, CarriesStatusMessagesOfAnyBytes) {
  Collector events;
  auto call = channel->Start("/test.Echo/Stream", {}, events);
  call->Send("bye");
  ASSERT_TRUE(Wait([&] { return events.status.has_value(); }));
  EXPECT_EQ(events.status->code, Code::kAborted);
  EXPECT_EQ(events.status->message, "100% \xc3\xbc\n");
}

TEST_F(Grpc, EndsCallsAtTheirDeadline) {
  CallOptions options;
  options.timeout = milliseconds(30);
  EXPECT_EQ(Call("/test.Echo/Hang", "x", options).status.code, Code::kDeadlineExceeded);
  ASSERT_TRUE(hanging);
  ASSERT_TRUE(Wait([&] { return !hanging->alive(); }));
  hanging->Send("late");
}

TEST_F(Grpc, CancelsWhenTheHandleIsDropped) {
  Pending pending = channel->Unary("/test.Echo/Hang", {}, "x", [](UnaryResult) { FAIL(); });
  ASSERT_TRUE(Wait([&] { return hanging.has_value(); }));
  EXPECT_TRUE(hanging->alive());
  pending.Cancel();
  ASSERT_TRUE(Wait([&] { return !hanging->alive(); }));
}

TEST_F(Grpc, ForgetsACallWhoseClientDoesNotTakeItsAnswer) {
  Server impatient(loop, {.take_answer = milliseconds(50)});
  impatient.AddStreaming("/test.Flood/Run", [](ServerCall& call) -> std::unique_ptr<CallHandler> {
    call.Send(std::string(4'000'000, 'x'));
    call.Finish({});
    return nullptr;
  });
  conn::HttpServer own(loop, {}, impatient);
  address = *own.ListenOn(*io::SocketAddress::Parse("127.0.0.1:0"));
  const auto to = MakeChannel();
  Collector events;
  const auto call = to->Start("/test.Flood/Run", {}, events);
  call->PauseReading(true);
  ASSERT_TRUE(Wait([&] { return own.active_streams() == 1; }));
  EXPECT_TRUE(Wait([&] { return own.active_streams() == 0; }));
}

TEST_F(Grpc, EndsAUnaryCallWhoseRequestDoesNotEnd) {
  Server impatient(loop, {.take_request = milliseconds(50)});
  impatient.AddUnary("/test.Echo/Upper",
                     [](const CallContext&, std::string message, UnaryReply reply) { reply.Send(message); });
  impatient.AddStreaming("/test.Echo/Stream", [](ServerCall& call) { return std::make_unique<Echo>(call); });
  conn::HttpServer own(loop, {}, impatient);
  address = *own.ListenOn(*io::SocketAddress::Parse("127.0.0.1:0"));
  const auto to = MakeChannel();
  Collector streaming, unary;
  const auto lasting = to->Start("/test.Echo/Stream", {}, streaming);
  const auto call = to->Start("/test.Echo/Upper", {}, unary);
  call->Send("never ends");
  ASSERT_TRUE(Wait([&] { return unary.status.has_value(); }));
  EXPECT_EQ(unary.status->code, Code::kDeadlineExceeded);
  EXPECT_FALSE(streaming.status) << "a stream lasts as long as it is wanted";
}

TEST_F(Grpc, LimitsMessagesByMethod) {
  Server narrow(loop, {.max_message = 1000});
  narrow.AddUnary("/test.Echo/Upper",
                  [](const CallContext&, std::string message, UnaryReply reply) { reply.Send(message); });
  narrow.AddStreaming("/test.Echo/Stream", [](ServerCall& call) { return std::make_unique<Echo>(call); }, 10'000);
  conn::HttpServer own(loop, {}, narrow);
  address = *own.ListenOn(*io::SocketAddress::Parse("127.0.0.1:0"));
  channel = MakeChannel();
  EXPECT_EQ(Call("/test.Echo/Upper", std::string(1000, 'x')).status.code, Code::kOk);
  EXPECT_EQ(Call("/test.Echo/Upper", std::string(1001, 'x')).status.code, Code::kResourceExhausted);
  Collector events;
  const auto call = channel->Start("/test.Echo/Stream", {}, events);
  call->Send(std::string(10'000, 'x'));
  ASSERT_TRUE(Wait([&] { return events.messages.size() == 1; }));
  call->Send(std::string(10'001, 'x'));
  ASSERT_TRUE(Wait([&] { return events.status.has_value(); }));
  EXPECT_EQ(events.status->code, Code::kResourceExhausted);
}

TEST_F(Grpc, AnswersHealthChecks) {
  const std::string all_serving("\x08\x01", 2);
  EXPECT_EQ(Call("/grpc.health.v1.Health/Check", "").message, all_serving);
  const std::string named("\x0a\x01s", 3);
  EXPECT_EQ(Call("/grpc.health.v1.Health/Check", named).status.code, Code::kNotFound);
  grpc.SetServing("s", false);
  EXPECT_EQ(Call("/grpc.health.v1.Health/Check", named).message, std::string("\x08\x02", 2));
  Collector watch;
  auto call = channel->Start("/grpc.health.v1.Health/Watch", {}, watch);
  call->Send(named);
  call->HalfClose();
  ASSERT_TRUE(Wait([&] { return watch.messages.size() == 1; }));
  grpc.SetServing("s", true);
  ASSERT_TRUE(Wait([&] { return watch.messages.size() == 2; }));
  EXPECT_EQ(watch.messages[1], all_serving);
}

TEST_F(Grpc, ARegisteredServiceIsAsHealthyAsTheWholeServerUntilItIsSet) {
  const std::string health = "grpc.health.v1.Health";
  const std::string asked = std::string("\x0a") + static_cast<char>(health.size()) + health;
  const std::string serving("\x08\x01", 2);
  EXPECT_EQ(Call("/grpc.health.v1.Health/Check", asked).message, serving);
  grpc.SetServing("", false);
  EXPECT_EQ(Call("/grpc.health.v1.Health/Check", asked).message, std::string("\x08\x02", 2));
  grpc.SetServing(health, true);
  EXPECT_EQ(Call("/grpc.health.v1.Health/Check", asked).message, serving);
  const std::string list = Call("/grpc.health.v1.Health/List", "").message;
  EXPECT_NE(list.find(asked + "\x12\x02" + serving), std::string::npos);  // an entry of the map: its key and value
  EXPECT_NE(list.find(std::string("\x0a\x00\x12\x02\x08\x02", 6)), std::string::npos);
}

TEST_F(Grpc, ListsItsServicesByReflection) {
  for (const char* method : {"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
                             "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"}) {
    Collector events;
    auto call = channel->Start(method, {}, events);
    call->Send(std::string_view("\x3a\x01*", 3));  // list_services
    call->HalfClose();
    ASSERT_TRUE(Wait([&] { return events.status.has_value(); }));
    EXPECT_TRUE(events.status->ok()) << events.status->ToString();
    ASSERT_EQ(events.messages.size(), 1U);
    EXPECT_NE(events.messages[0].find("test.Echo"), std::string::npos);
    EXPECT_NE(events.messages[0].find("grpc.health.v1.Health"), std::string::npos);
  }
}

TEST_F(Grpc, TellsWhenTheConnectionIsLost) {
  Collector events;
  auto call = channel->Start("/test.Echo/Stream", {}, events);
  call->Send("one");
  ASSERT_TRUE(Wait([&] { return events.messages.size() == 1; }));
  http.reset();
  ASSERT_TRUE(Wait([&] { return events.status.has_value() && down; }));
  EXPECT_EQ(events.status->code, Code::kUnavailable);
  EXPECT_FALSE(channel->up());
  EXPECT_EQ(Call("/test.Echo/Upper", "x").status.code, Code::kUnavailable);
}

TEST_F(Grpc, FinishesRunningCallsWhenTheServerDrains) {
  Pending pending;
  std::optional<UnaryResult> got;
  pending = channel->Unary("/test.Echo/Hang", {}, "x", [&](UnaryResult result) { got = std::move(result); });
  ASSERT_TRUE(Wait([&] { return hanging.has_value(); }));
  bool drained = false;
  http->Drain([&] { drained = true; });
  ASSERT_TRUE(Wait([&] { return down; }));
  hanging->Send("done");
  ASSERT_TRUE(Wait([&] { return got.has_value() && drained; }));
  EXPECT_EQ(got->message, "done");
}

TEST_F(Grpc, MayDestroyTheChannelInsideItsCallbacks) {
  bool told = false;
  Pending pending = channel->Unary("/test.Echo/Upper", {}, "x", [&](UnaryResult) {
    channel.reset();
    told = true;
  });
  ASSERT_TRUE(Wait([&] { return told; }));
  channel = MakeChannel();
  EXPECT_EQ(Call("/test.Echo/Upper", "x").message, "X");
}

TEST_F(Grpc, QueuesCallsOverTheLimitOfStreams) {
  conn::HttpServerOptions options;
  options.connection.codec.max_concurrent_streams = 2;
  conn::HttpServer small(loop, options, grpc);
  address = *small.ListenOn(*io::SocketAddress::Parse("127.0.0.1:0"));
  channel = MakeChannel();
  EXPECT_EQ(Call("/test.Echo/Upper", "x").message, "X");
  int done = 0;
  std::vector<Pending> pending;
  for (int i = 0; i < 10; ++i)
    pending.push_back(
        channel->Unary("/test.Echo/Upper", {}, "x", [&](UnaryResult r) { done += r.status.ok() ? 1 : 0; }));
  ASSERT_TRUE(Wait([&] { return done == 10; }));
}

TEST_F(Grpc, RefusesPlainHttpUnlessAFallbackTakesIt) {
  std::optional<Result<conn::FetchResponse>> got;
  const auto fetch = [&] {
    conn::FetchRequest get;
    get.to = address;
    get.head.method = "GET";
    got.reset();
    Pending pending = conn::Fetch(loop, std::move(get), [&](Result<conn::FetchResponse> r) { got = std::move(r); });
    EXPECT_TRUE(Wait([&] { return got.has_value(); }));
    return got && *got ? (*got)->head.status : 0;
  };
  EXPECT_EQ(fetch(), 415);
}

}  // namespace
}  // namespace plait::grpc
