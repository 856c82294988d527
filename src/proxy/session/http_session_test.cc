// What a client of HTTP/1 sees of messages that are no good, and what the log says of them: as Envoy.
#include <gtest/gtest.h>

#include "proxy/record/trace.h"
#include "proxy/session/test_http_session.h"

namespace plait::proxy::session {
namespace {

TEST_F(HttpSessions, AnswersARequestWithoutHostEmptyAndCloses) {
  Begin();
  const std::string answer = Answer("GET / HTTP/1.1\r\n\r\n");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 400 Bad Request\r\n")) << answer;
  EXPECT_NE(answer.find("content-length: 0\r\n"), std::string::npos) << answer;
  EXPECT_NE(answer.find("connection: close\r\n"), std::string::npos) << answer;
  EXPECT_EQ(LastLine(), "400 - missing_host_header ");
  EXPECT_EQ(recorder_.lines.size(), 1U);
}

TEST_F(HttpSessions, KeepsTheConnectionAfterABadRequestWhenToldTo) {
  xds::HttpConnectionManager http;
  http.http1.override_stream_error_on_invalid_http_message = true;
  Begin(std::move(http));
  Send("GET / HTTP/1.1\r\n\r\n");
  const std::string answer = ReceiveUntil("\r\n\r\n");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 400 ")) << answer;
  EXPECT_EQ(answer.find("connection: close"), std::string::npos) << answer;
}

TEST_F(HttpSessions, AnswersATargetThatIsNoPathBeforeAnyFilter) {
  xds::HttpConnectionManager http;
  xds::RbacFilter deny;
  deny.rules = xds::RbacRules{};  // allows nothing
  http.filters.push_back({"rbac", deny, false, false});
  Begin(std::move(http));
  Send("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
  const std::string answer = ReceiveUntil("\r\n\r\n");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 404 ")) << answer;
  EXPECT_EQ(LastLine(), "404 - absolute_path_rejected ");
}

TEST_F(HttpSessions, RecordsWhatTheCodecAnsweredToBytesThatAreNoRequest) {
  Begin();
  const std::string answer = Answer("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n");
  EXPECT_TRUE(answer.ends_with("\r\n\r\nNot Implemented")) << answer;
  EXPECT_NE(answer.find("server: envoy\r\n"), std::string::npos) << answer;
  EXPECT_EQ(LastLine(), "501 DPE http1.invalid_transfer_encoding ");
  EXPECT_EQ(recorder_.last_sent, std::string_view("Not Implemented").size());
}

TEST_F(HttpSessions, PutTheHeadersOfADirectResponseOnItAloneAndNotOnWhatAFilterSays) {
  direct_ = xds::DirectResponse{.status = 418};
  headers_.response_add = {{.name = "x-of-route", .value = "1"}};
  Begin();
  Send(kGet);
  const std::string direct = ReceiveUntil("\r\n\r\n");
  EXPECT_TRUE(direct.starts_with("HTTP/1.1 418 ")) << direct;
  EXPECT_TRUE(direct.contains("x-of-route: 1\r\n")) << direct;
  client_->Close(false);
  EXPECT_TRUE(loop_.RunUntil([&] { return session_ == nullptr; }, kLimit));
  xds::HttpConnectionManager http;
  xds::RbacFilter deny;
  deny.rules = xds::RbacRules{};  // allows nothing
  http.filters.push_back({"rbac", deny, false, false});
  Begin(std::move(http));
  Send(kGet);
  const std::string denied = ReceiveUntil("\r\n\r\n");
  EXPECT_TRUE(denied.starts_with("HTTP/1.1 403 ")) << denied;
  EXPECT_FALSE(denied.contains("x-of-route")) << denied;
}

TEST_F(HttpSessions, TellAClientThatTheirTimeIsOverBeforeTheyEnd) {
  xds::HttpConnectionManager http;
  http.common.max_connection_duration = std::chrono::milliseconds(250);
  Begin(std::move(http));
  Send(kGet);
  EXPECT_EQ(ReceiveUntil("\r\n\r\n").find("connection: close"), std::string::npos);
  ASSERT_TRUE(loop_.RunUntil([&] { return Counted("downstream_cx_max_duration_reached", 1); }, kLimit));
  for (int i = 0; i < 3; ++i) loop_.RunOnce(Duration(0));
  const std::string answer = Answer(kGet);
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 503 ")) << answer;
  EXPECT_NE(answer.find("connection: close\r\n"), std::string::npos) << answer;
}

TEST_F(HttpSessions, EndAfterTheDrainTimeWhenTheyDrainAndNoRequestComes) {
  xds::HttpConnectionManager http;
  http.drain_timeout = std::chrono::milliseconds(50);
  http.delayed_close_timeout = std::chrono::hours(1);
  Begin(std::move(http));
  Send(kGet);
  ReceiveUntil("\r\n\r\n");
  session_->Drain();
  const MonotonicTime begin = loop_.Now();
  EXPECT_EQ(ReceiveUntil("(never sent)"), "");
  EXPECT_GE(loop_.Now() - begin, std::chrono::milliseconds(20));
}

TEST_F(HttpSessions, AnswerARequestWhoseHeadHasBegunWhenTheProcessEnds) {
  Begin();
  Send("POST /p HTTP/1.1\r\nHost: a\r\nContent-Le");
  for (int i = 0; i < 3; ++i) loop_.RunOnce(Duration(0));
  context_.draining = true;
  session_->Drain();
  for (int i = 0; i < 3; ++i) loop_.RunOnce(Duration(0));
  const std::string answer = Answer("ngth: 2\r\n\r\nab");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 503 ")) << answer;
  EXPECT_NE(answer.find("connection: close\r\n"), std::string::npos) << answer;
}

TEST_F(HttpSessions, EndAtOnceWhenTheyIdleAsTheProcessEnds) {
  xds::HttpConnectionManager http;
  http.drain_timeout = std::chrono::hours(1);
  Begin(std::move(http));
  Send(kGet);
  ReceiveUntil("\r\n\r\n");
  context_.draining = true;
  session_->Drain();
  EXPECT_EQ(ReceiveUntil("(never sent)"), "");
  client_->ShutdownWrite();
  EXPECT_TRUE(loop_.RunUntil([&] { return session_ == nullptr; }, kLimit));
}

TEST_F(HttpSessions, RecordsARequestWhoseBodyBreaksOnce) {
  auto closed = io::ListenOn(io::SocketAddress::Parse("127.0.0.1:0").value()).value();  // accepts nobody
  AddCluster("backend", io::LocalAddress(closed.get()));
  Begin();
  const std::string answer = Answer("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n");
  EXPECT_TRUE(answer.ends_with("\r\n\r\nBad Request")) << answer;
  EXPECT_EQ(LastLine(), "400 DPE http1.codec_error backend");
  EXPECT_EQ(recorder_.last_sent, std::string_view("Bad Request").size());
  EXPECT_EQ(recorder_.lines.size(), 1U);
}

TEST_F(HttpSessions, SaysThatTheRetriesAreUsedUpWhenTheLastAttemptIsCutOff) {
  const io::UniqueFd socket = io::ListenOn(io::SocketAddress::Parse("127.0.0.1:0").value()).value();
  int connections = 0;
  const io::Listener hangs_up(loop_, socket.get(), false, [&](io::UniqueFd) { ++connections; });
  AddCluster("backend", io::LocalAddress(socket.get()));
  xds::RetryPolicy retry;
  retry.retry_on = xds::kRetryReset;
  retry.num_retries = 1;
  retry.back_off_base = std::chrono::milliseconds(1);
  Begin({}, retry);
  Send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(ReceiveUntil("\r\n\r\n").starts_with("HTTP/1.1 503 "));
  EXPECT_GE(connections, 2);
  EXPECT_TRUE(LastLine().starts_with("503 URX,U")) << LastLine();
}

// Its proxy says so, whom we know; in plaintext anybody could.
TEST_F(HttpSessions, TriesAgainWhatNeverReachedTheApplication) {
  for (const bool secure : {true, false}) {
    const tls::TestCa ca;
    tls::ContextOptions options{.identities = {ca.Issue("spiffe://cluster.local/ns/default/sa/client")},
                                .bundle_pem = ca.root_pem()};
    tls_.context = tls::Context::Make(options).value();
    options.server = true;
    options.identities = {ca.Issue("spiffe://cluster.local/ns/default/sa/server")};
    const auto server_context = tls::Context::Make(options).value();
    int requests = 0;
    conn::HttpServer server(loop_, conn::HttpServerOptions{}, [&](const conn::Request&, conn::Responder responder) {
      conn::Response answer = conn::TextResponse(++requests == 1 ? 503 : 200, "answered");
      if (requests == 1) answer.headers.Add("x-plait-undelivered", "true");
      responder.Send(std::move(answer));
    });
    conn::HttpServer::MakeStream make;
    if (secure) {
      make = [&](io::UniqueFd fd) { return tls::Wrap(loop_, io::AdoptSocket(loop_, std::move(fd)), server_context); };
    }
    AddCluster("backend", server.ListenOn(io::SocketAddress::Parse("127.0.0.1:0").value(), std::move(make)).value(),
               secure);
    xds::RetryPolicy retry;
    retry.retry_on = xds::kRetryConnectFailure;
    retry.num_retries = 1;
    retry.back_off_base = std::chrono::milliseconds(1);
    Begin({}, retry);
    Send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    const std::string answer = ReceiveUntil("answered");
    EXPECT_TRUE(answer.starts_with(secure ? "HTTP/1.1 200 " : "HTTP/1.1 503 ")) << answer;
    EXPECT_EQ(requests, secure ? 2 : 1);
    EXPECT_EQ(answer.find("x-plait"), std::string::npos) << answer;
    client_->Close(false);
    EXPECT_TRUE(loop_.RunUntil([&] { return session_ == nullptr; }, kLimit));
  }
}

TEST_F(HttpSessions, TellNothingOfAnUpstreamThatOnlyAnEarlierAttemptHasReached) {
  EXPECT_EQ(UpstreamAfterARetry([](conn::HttpServer& server) { server.Drain({}); }), "");
  EXPECT_TRUE(LastLine().starts_with("503 URX,UF ")) << LastLine();
}

TEST_F(HttpSessions, TellOfTheHostThatWasTriedLastWhenNoneIsLeft) {
  const auto empty_the_cluster = [this](conn::HttpServer&) {
    auto cluster = std::make_shared<xds::Cluster>();
    cluster->name = cluster->load_assignment.cluster_name = "backend";
    cluster->tls = xds::UpstreamTlsContext{};
    ASSERT_TRUE(store_.Put(std::move(cluster)).has_value());
  };
  EXPECT_EQ(UpstreamAfterARetry(empty_the_cluster), std::string("connected") + kServer + kClient);
  EXPECT_TRUE(LastLine().starts_with("503 UH ")) << LastLine();
}

TEST_F(HttpSessions, TakesTheMarkOfWhatNeverReachedTheApplicationOutOfAnyAnswer) {
  conn::HttpServer server(loop_, conn::HttpServerOptions{}, [](const conn::Request&, conn::Responder responder) {
    conn::Response answer = conn::TextResponse(200, "answered");
    answer.headers.Add("x-plait-undelivered", "true");
    responder.Send(std::move(answer));
  });
  AddCluster("backend", server.ListenOn(io::SocketAddress::Parse("127.0.0.1:0").value()).value());
  Begin();
  Send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  const std::string answer = ReceiveUntil("answered");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 ")) << answer;
  EXPECT_EQ(answer.find("x-plait"), std::string::npos) << answer;
}

TEST_F(HttpSessions, NamesTheClusterOfARequestThatAFilterRefuses) {
  AddCluster("backend", io::SocketAddress::Parse("127.0.0.1:1").value());
  xds::HttpConnectionManager http;
  xds::RbacFilter deny;
  deny.rules = xds::RbacRules{};  // allows nothing
  http.filters.push_back({"rbac", deny, false, false});
  Begin(std::move(http));
  Send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(ReceiveUntil("\r\n\r\n").starts_with("HTTP/1.1 403 "));
  EXPECT_EQ(LastLine(), "403 - rbac_access_denied_matched_policy[none] backend");
}

TEST_F(HttpSessions, GiveARequestATraceContextWhereTracingIsConfigured) {
  Backend backend(loop_, 200);
  AddCluster("backend", backend.Listen());
  Begin();
  Send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(ReceiveUntil("\r\n\r\n").starts_with("HTTP/1.1 200 "));
  EXPECT_EQ(backend.traceparent, "");
  xds::HttpConnectionManager http;
  http.tracing = xds::Tracing{.random_sampling = 100};
  Begin(std::move(http));
  Send("GET /b HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(ReceiveUntil("\r\n\r\n").starts_with("HTTP/1.1 200 "));
  EXPECT_TRUE(record::ValidTraceparent(backend.traceparent));
  EXPECT_TRUE(backend.traceparent.ends_with("-01")) << backend.traceparent;
}

constexpr char kOperation[] = "x-envoy-decorator-operation";

TEST_F(HttpSessions, AgreeOnTheNameOfASpanWithTheProxyOnTheOtherSideWhereTracingIsConfigured) {
  using Direction = record::Direction;
  const struct {
    Direction direction;
    bool tracing;
    std::string client_says, upstream_sees, client_is_told;
  } kCases[] = {
      {Direction::kInbound, true, "", "", "the route's"},     {Direction::kInbound, true, "mine", "", "theirs"},
      {Direction::kUnspecified, true, "", "", "the route's"}, {Direction::kUnspecified, true, "mine", "", "theirs"},
      {Direction::kOutbound, true, "", "the route's", ""},    {Direction::kOutbound, true, "mine", "the route's", ""},
      {Direction::kInbound, false, "", "", "theirs"},         {Direction::kInbound, false, "mine", "mine", "theirs"},
      {Direction::kOutbound, false, "", "", "theirs"},        {Direction::kOutbound, false, "mine", "mine", "theirs"},
  };
  std::string seen;
  conn::HttpServer server(loop_, {}, [&](const conn::Request& request, conn::Responder responder) {
    seen = request.head.headers.Get(kOperation).value_or("");
    conn::Response answer = conn::TextResponse(200, "answered");
    answer.headers.Add(kOperation, "theirs");
    responder.Send(std::move(answer));
  });
  AddCluster("backend", server.ListenOn(*io::SocketAddress::Parse("127.0.0.1:0")).value());
  operation_ = "the route's";
  for (const auto& one : kCases) {
    SCOPED_TRACE(std::to_string(&one - kCases));
    info_.direction = one.direction;
    xds::HttpConnectionManager http;
    if (one.tracing) http.tracing = xds::Tracing{};
    Begin(std::move(http));
    const std::string given = one.client_says.empty() ? "" : std::string(kOperation) + ": " + one.client_says + "\r\n";
    Send("GET / HTTP/1.1\r\nHost: a\r\n" + given + "\r\n");
    const std::string answer = ReceiveUntil("answered");
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 ")) << answer;
    EXPECT_EQ(seen, one.upstream_sees);
    const std::string told = one.client_is_told.empty() ? "" : std::string(kOperation) + ": " + one.client_is_told;
    EXPECT_NE(answer.find(told), std::string::npos) << answer;
    EXPECT_EQ(answer.find(kOperation), answer.rfind(kOperation)) << answer;
    EXPECT_EQ(answer.find(kOperation) == std::string::npos, told.empty()) << answer;
  }
}

TEST_F(HttpSessions, TellTheOperationInAnAnswerOfTheirOwnOnceTheRouteIsKnown) {
  info_.direction = record::Direction::kInbound;
  operation_ = "the route's";
  xds::HttpConnectionManager http;
  http.tracing = xds::Tracing{};
  xds::RbacFilter deny;
  deny.rules = xds::RbacRules{};  // allows nothing
  http.filters.push_back({"rbac", deny, false, false});
  Begin(std::move(http));
  Send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  const std::string refused = ReceiveUntil("RBAC: access denied");
  EXPECT_TRUE(refused.starts_with("HTTP/1.1 403 ")) << refused;
  EXPECT_NE(refused.find("x-envoy-decorator-operation: the route's\r\n"), std::string::npos) << refused;
  Send("GET /#f HTTP/1.1\r\nHost: a\r\n\r\n");  // refused before any route is looked for
  const std::string broken = ReceiveUntil("\r\n\r\n");
  EXPECT_TRUE(broken.starts_with("HTTP/1.1 400 ")) << broken;
  EXPECT_EQ(broken.find(kOperation), std::string::npos) << broken;
}

TEST_F(HttpSessions, SendsACopyToTheMirrorAndDropsItsAnswer) {
  Backend backend(loop_, 200);
  Backend mirror(loop_, 500);
  AddCluster("backend", backend.Listen());
  AddCluster("mirror", mirror.Listen());
  Begin({}, {}, {{.cluster = "mirror"}, {.cluster = "not there"}});
  Send("POST /p HTTP/1.1\r\nHost: a:80\r\nContent-Length: 4\r\n\r\nbody");
  EXPECT_TRUE(ReceiveUntil("\r\n\r\n").starts_with("HTTP/1.1 200 "));
  EXPECT_TRUE(loop_.RunUntil([&] { return !mirror.asked.empty() && orphans_.size() == 0; }, kLimit));
  EXPECT_EQ(mirror.asked, std::vector<std::string>{"a-shadow:80/p body"});
  EXPECT_EQ(backend.asked, std::vector<std::string>{"a:80/p body"});
}

TEST_F(HttpSessions, EndsTheMirrorOfARequestThatNeverEnds) {
  Backend backend(loop_, 200);
  Backend mirror(loop_, 200);
  AddCluster("backend", backend.Listen());
  AddCluster("mirror", mirror.Listen());
  Begin({}, {}, {{.cluster = "mirror"}});
  Send("POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf");
  ASSERT_TRUE(loop_.RunUntil([&] { return mirror.server.active_streams() == 1; }, kLimit));
  client_->Close(true);
  EXPECT_TRUE(loop_.RunUntil([&] { return session_ == nullptr && orphans_.size() == 0; }, kLimit));
  EXPECT_TRUE(mirror.asked.empty());
}

TEST_F(HttpSessions, SendsABodyOfManyPiecesThatWaitedForItsCluster) {
  context_.static_only = false;
  on_demand_.keep_waiting = true;
  xds::RetryPolicy retry;
  retry.retry_on = xds::kRetry5xx;  // the body is kept, and a copy of it is sent
  Begin({}, retry);
  constexpr std::size_t kPieces = 100;
  const std::string piece(5000, 'x');  // too big to be copied together
  Send("POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(kPieces * piece.size()) + "\r\n\r\n");
  for (std::size_t i = 0; i < kPieces; ++i) Send(piece);
  ASSERT_TRUE(loop_.RunUntil([&] { return on_demand_.waiting != nullptr; }, kLimit));
  Backend backend(loop_, 200);
  AddCluster("backend", backend.Listen());
  on_demand_.waiting(true);
  EXPECT_TRUE(ReceiveUntil("\r\n\r\n").starts_with("HTTP/1.1 200 "));
  ASSERT_EQ(backend.asked.size(), 1U);
  EXPECT_EQ(backend.asked[0].size(), std::string("a/p ").size() + kPieces * piece.size());
}

TEST_F(HttpSessions, CountsTheMessagesOfGrpcInBothDirectionsAndOfNothingElse) {
  using namespace std::string_literals;
  const std::string empty = "\0\0\0\0\0"s, short_one = "\0\0\0\0\2hi"s,
                    long_one = "\1\0\1\0\0"s + std::string(65536, 'x');
  std::string type = "application/grpc+proto";
  conn::HttpServer server(loop_, {}, [&](conn::Request, conn::Responder responder) {
    responder.Send(conn::TextResponse(200, long_one + empty + short_one, type));
  });
  AddCluster("backend", server.ListenOn(*io::SocketAddress::Parse("127.0.0.1:0")).value());
  Begin();
  const auto call = [&](const std::string& content_type, const std::string& body) {
    Send("POST /p.S/M HTTP/1.1\r\nHost: a\r\nContent-Type: " + content_type +
         "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n");
    const std::size_t ended = recorder_.lines.size() + 1;
    for (std::size_t at = 0; at < body.size(); at += 3) Send(body.substr(at, 3));
    ReceiveUntil(short_one);
    EXPECT_TRUE(loop_.RunUntil([&] { return recorder_.lines.size() == ended; }, kLimit));
    return recorder_.last_messages;
  };
  using Messages = std::pair<std::uint64_t, std::uint64_t>;
  EXPECT_EQ(call("application/grpc", short_one + empty), Messages(2, 3));
  EXPECT_EQ(call("application/octet-stream", short_one + empty), Messages(0, 0));
  type = "text/plain";  // what an application that is none answers is no message
  EXPECT_EQ(call("application/grpc", short_one), Messages(1, 0));
}

TEST_F(HttpSessions, TellFieldsThatTheyAddTheAttemptAndTheTimeSoFar) {
  Server server(loop_);
  AddCluster("backend", io::LocalAddress(server.socket.get()));
  headers_.request_add = {{.name = "x-attempt", .value = "%UPSTREAM_REQUEST_ATTEMPT_COUNT%"},
                          {.name = "x-took", .value = "%DURATION%"}};
  headers_.response_add = {{.name = "x-attempts", .value = "%UPSTREAM_REQUEST_ATTEMPT_COUNT%"},
                           {.name = "x-took", .value = "%DURATION%"},
                           {.name = "x-tx", .value = "%RESPONSE_TX_DURATION%"}};
  Begin();
  Send("GET / HTTP/1.1\r\nHost: a\r\nx-envoy-upstream-stream-duration-ms: 90\r\n\r\n");
  ASSERT_TRUE(server.Got("\r\n\r\n"));
  const std::string request = server.got.ToString();
  EXPECT_TRUE(request.contains("x-attempt: 1\r\nx-took: ")) << request;
  EXPECT_FALSE(request.contains("stream-duration")) << "is for this proxy only";
  server.Say("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
  const std::string answer = ReceiveUntil("\r\n\r\n");
  EXPECT_TRUE(answer.contains("x-attempts: 1\r\nx-took: ")) << answer;
  EXPECT_FALSE(answer.contains("x-tx")) << answer;
}

TEST_F(HttpSessions, TakeWhatOnlyProxiesSayOutOfTrailers) {
  std::string seen;
  conn::HttpServer server(loop_, {}, [&](const conn::Request& request, conn::Responder responder) {
    for (const http::HeaderView field : request.trailers) seen.append(field.name).append(" ");
    responder.Begin(200, {});
    responder.End({{"x-plait-undelivered", "true"}, {"x-end", "1"}});
  });
  auto cluster = std::make_shared<xds::Cluster>();
  cluster->name = cluster->load_assignment.cluster_name = "backend";
  cluster->http.http1.enable_trailers = true;
  cluster->load_assignment.localities.emplace_back().endpoints.emplace_back().address =
      *server.ListenOn(*io::SocketAddress::Parse("127.0.0.1:0"));
  ASSERT_TRUE(store_.Put(std::move(cluster)).has_value());
  xds::HttpConnectionManager http;
  http.http1.enable_trailers = true;
  Begin(std::move(http));
  Send(
      "POST /p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n"
      "X-Plait-Undelivered: true\r\nX-End: 1\r\n\r\n");
  const std::string answer = ReceiveUntil("x-end: 1\r\n\r\n");
  EXPECT_TRUE(answer.ends_with("\r\n0\r\nx-end: 1\r\n\r\n")) << answer;
  EXPECT_EQ(seen, "X-End ");
}

TEST_F(HttpSessions, SendsNothingOnThatWasAnsweredWhileAFilterHeldItBack) {
  Backend backend(loop_, 200);
  AddCluster("backend", backend.Listen());
  xds::HttpConnectionManager http;
  http.stream_idle_timeout = std::chrono::milliseconds(5);
  http.http1.override_stream_error_on_invalid_http_message = true;
  xds::FaultPolicy slow;
  slow.delay = xds::FaultPolicy::Delay{.fixed = std::chrono::milliseconds(30)};
  http.filters.push_back({"fault", slow, false, false});
  Begin(std::move(http));
  Send("POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbo");
  EXPECT_TRUE(ReceiveUntil("\r\n\r\n").starts_with("HTTP/1.1 408 "));
  loop_.RunUntil([] { return false; }, std::chrono::milliseconds(60));
  EXPECT_EQ(backend.server.connections(), 0U);
}

// It would hold the answer for as long as it likes.
TEST_F(HttpSessions, EndsTheStreamOfAClientThatGivesNoRoomForItsAnswer) {
  conn::HttpServer backend(loop_, {}, [](conn::Request, conn::Responder responder) {
    responder.Send(conn::TextResponse(200, "an answer"));
  });
  AddCluster("backend", *backend.ListenOn(*io::SocketAddress::Parse("127.0.0.1:0")));
  xds::HttpConnectionManager http;
  http.stream_idle_timeout = std::chrono::milliseconds(30);
  Begin(std::move(http));
  const std::string settings(
      "\0\0\x06\x04\0\0\0\0\0"
      "\0\x04\0\0\0\0",
      15);  // no window for any stream
  const std::string get(
      "\0\0\x06\x01\x05\0\0\0\x01"
      "\x82\x86\x84\x41\x01"
      "a",
      15);
  Send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + settings + get);
  const std::string reset("\0\0\x04\x03\0\0\0\0\x01", 9);
  const std::string got = ReceiveUntil(reset);
  EXPECT_NE(got.find(reset), std::string::npos);
  EXPECT_EQ(got.find("an answer"), std::string::npos);
  EXPECT_EQ(LastLine(), "200 - via_upstream backend");
  EXPECT_EQ(recorder_.lines.size(), 1U);
}

TEST_F(HttpSessions, ClosesAConnectionThatANetworkFilterForbids) {
  auto deny = filters::NetworkRbac::Compile({.rules = xds::RbacRules{}, .stat_prefix = "tcp."}, registry_);
  Begin({}, {}, {}, {*deny});
  EXPECT_EQ(Answer("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), "");
  EXPECT_TRUE(recorder_.lines.empty());
}

TEST_F(HttpSessions, ShowsNoClusterThatDoesNotExistAndWaitsForNone) {
  Begin();
  // The body has not come: only an answer at once can say that it is not wanted.
  const std::string answer = Answer("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 503 ")) << answer;
  EXPECT_NE(answer.find("connection: close\r\n"), std::string::npos) << answer;
  EXPECT_EQ(LastLine(), "503 NC cluster_not_found ");
}

}  // namespace
}  // namespace plait::proxy::session
