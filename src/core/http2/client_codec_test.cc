// What servers send that no server of ours does.
#include <gtest/gtest.h>

#include <string>

#include "core/http2/codec.h"

namespace plait::http2 {
namespace {

constexpr char kOpen = 4;
constexpr char kEnd = 5;
constexpr char kEndOfBody = 1;
const std::string kOk("\x88");                    // :status 200
const std::string kHint("\x08\x03\x31\x30\x33");  // :status 103

std::string Frame(char type, char flags, std::string_view payload, char stream = 1) {
  return std::string{'\0', '\0', static_cast<char>(payload.size()), type, flags, '\0', '\0', '\0', stream}.append(
      payload);
}
std::string Head(char flags, std::string_view block = kOk) { return Frame(1, flags, block); }
std::string Body(std::string_view text, char flags = 0) { return Frame(0, flags, text); }
std::string Reset(char code) { return Frame(3, 0, std::string{'\0', '\0', '\0', code}); }
// With ENABLE_CONNECT_PROTOCOL.
std::string Settings() { return Frame(4, 0, std::string_view("\0\x08\0\0\0\x01", 6), 0); }

struct Client final : http::ClientCodecEvents, http::ClientStreamEvents {
  Client() {
    Say(Settings());
    stream = codec->NewStream(*this);
  }
  void OnOutputReady() override {}
  void OnGoAway() override {}
  void OnMaxStreamsChanged() override {}
  void OnInformational(http::ResponseHead) override { ++hints; }
  void OnResponseHead(http::ResponseHead head, bool end) override {
    answer = std::move(head);
    log += std::to_string(answer.status) + (end ? ".end " : " ");
    if (pauses) stream->PauseReading(true);
  }
  void OnData(Buffer& data, bool end) override { log += data.ToString() + (end ? ".end " : " "); }
  void OnTrailers(http::Headers) override { log += "trailers "; }
  void OnReset(http::ResetReason reason) override {
    log += "reset:" + std::to_string(static_cast<int>(reason)) + " " + stream->details();
  }
  void OnBelowLowWatermark() override {}
  void OnStreamClosed() override { log += "closed"; }

  // A request, of which no more comes or whose body goes on.
  void Ask(std::string protocol = {}, bool end = false) {
    http::RequestHead head;
    head.method = "GET";
    head.scheme = "http";
    head.authority = "a";
    head.path = "/";
    head.protocol = std::move(protocol);
    stream->SendHead(head, end);
    Say("");
  }
  void Say(std::string_view bytes) {
    Buffer in;
    in.Append(bytes);
    EXPECT_TRUE(codec->Feed(in).has_value());
  }

  http::CodecOptions options;
  std::unique_ptr<http::ClientCodec> codec = NewClientCodec(*this, options);
  http::ClientStream* stream = nullptr;
  http::ResponseHead answer;
  std::string log;
  int hints = 0;
  bool pauses = false;
};

TEST(ClientCodec, GivesAnAnswerThatIsCompleteAlsoWhenItsServerWantsNoMoreOfTheRequest) {
  for (const char code : {'\0', '\2', '\5', '\x8', '\xb'}) {  // whatever it says
    Client client;
    client.Ask();
    client.Say(Head(kOpen) + Body("no", kEndOfBody) + Reset(code));
    EXPECT_EQ(client.log, "200 no.end closed") << int{code};

    Client head_only;
    head_only.Ask();
    head_only.Say(Head(kEnd) + Reset(code));
    EXPECT_EQ(head_only.log, "200.end closed") << int{code};

    Client paused;
    paused.pauses = true;
    paused.Ask();
    paused.Say(Head(kOpen) + Body("no", kEndOfBody) + Reset(code));
    ASSERT_EQ(paused.log, "200 ") << int{code};
    paused.stream->PauseReading(false);
    paused.Say("");
    EXPECT_EQ(paused.log, "200 no.end closed") << int{code};
  }
}

TEST(ClientCodec, GivesWhatCameOfAnAnswerBeforeItsReset) {
  Client client;
  client.Ask();
  client.Say(Head(kOpen) + Body("par") + Body("t") + Reset(2));
  EXPECT_EQ(client.log, "200 part reset:4 closed");
}

TEST(ClientCodec, TakesNoHeadForAnAnswerThatBreaksARule) {
  for (const bool whole_request : {false, true}) {
    Client client;
    client.Ask({}, whole_request);
    client.Say(Head(kEnd, "\x08\x03\x30\x39\x39"));  // :status 099
    EXPECT_EQ(client.log, "reset:3 http2.violation.of.messaging.ruleclosed") << whole_request;
  }
}

TEST(ClientCodec, TakesALimitedNumberOfInformationalHeads) {
  std::string hints;
  for (int i = 0; i < 64; ++i) hints += Head(kOpen, kHint);
  Client good;
  good.Ask();
  good.Say(hints + Head(kEnd));
  EXPECT_EQ(good.hints, 64);
  EXPECT_EQ(good.log, "200.end ");

  Client bad;
  bad.Ask();
  for (int i = 0; i < 5; ++i) bad.Say(hints);
  EXPECT_EQ(bad.hints, 64);
  EXPECT_EQ(bad.log, "reset:3 http2.violation.of.messaging.ruleclosed");
}

TEST(ClientCodec, GivesTheConsentToAnUpgradeAsHttp1SaysIt) {
  Client client;
  client.Ask("websocket");
  client.Say(Head(kOpen) + Body("hi"));
  EXPECT_EQ(client.log, "101 hi ");
  EXPECT_EQ(client.answer.headers.Get("connection"), "upgrade");
  EXPECT_EQ(client.answer.headers.Get("upgrade"), "websocket");

  Client refused;
  refused.Ask("websocket");
  refused.Say(Head(kEnd, "\x08\x03\x34\x30\x33"));  // :status 403
  EXPECT_EQ(refused.log, "403.end ");
  EXPECT_EQ(refused.answer.headers.size(), 0U);

  for (const char* status : {"\x08\x03\x32\x30\x31", "\x89", "\x8a"}) {  // :status 201, 204, 206
    Client other;
    other.Ask("websocket");
    other.Say(Head(kEnd, status));
    EXPECT_NE(other.answer.status, 101) << "only 200 is consent, as with Envoy";
    EXPECT_EQ(other.answer.status / 100, 2);
    EXPECT_EQ(other.answer.headers.size(), 0U);
  }

  Client plain;
  plain.Ask();
  plain.Say(Head(kOpen));
  EXPECT_EQ(plain.log, "200 ");
}

}  // namespace
}  // namespace plait::http2
