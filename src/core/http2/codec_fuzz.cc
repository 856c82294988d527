// Server and client codec under arbitrary frames, with an owner that answers, pauses and resets inside and outside of
// events. Checked: each stream is closed exactly once and says nothing afterwards; heads are the same wherever bytes
// are cut, unless there is a limit of streams that they reach (one that is over makes room once its reset is sent).
#include <cstdint>
#include <list>
#include <string>

#include "core/base/check.h"
#include "core/http2/codec.h"

namespace {

using namespace plait;
using http::ResetReason;

http::CodecOptions OptionsWith(std::uint32_t streams) {
  http::CodecOptions options;
  options.max_header_bytes = 4096;
  options.max_header_count = 20;
  options.max_concurrent_streams = streams;
  options.high_watermark = 2000;
  return options;
}
const http::CodecOptions kOptions = OptionsWith(10'000);  // more than an input has
const http::CodecOptions kFewStreams = OptionsWith(10);

struct Recorder : http::ServerStreamEvents, http::ClientStreamEvents {
  http::OutgoingStream* stream = nullptr;
  http::ServerStream* server = nullptr;
  std::string* heads = nullptr;
  unsigned behaviour = 0;
  bool closed = false;
  bool reset = false;
  bool ended = false;

  void Alive() { PLAIT_CHECK(!closed && !reset); }
  void Act() {
    if ((behaviour & 3) == 1) stream->PauseReading(true);
    if ((behaviour & 3) == 2) {
      reset = true;
      stream->Reset(ResetReason::kCancel);
    }
  }
  void Reply() {
    if (server == nullptr || reset) return;
    http::ResponseHead head;
    head.status = 200;
    head.headers = {{"X-A", "b"}, {"Connection", "x"}};
    server->SendHead(head, (behaviour & 4) != 0);
    Buffer data(std::string(3000, 'x'));
    server->SendData(data, (behaviour & 8) != 0);
    if ((behaviour & 8) == 0) server->SendTrailers({{"t", "v"}});
  }
  void OnRequestHead(http::RequestHead head, bool end) override {
    Alive();
    *heads += head.method + " " + head.authority + " " + head.path + "\n";
    for (const http::HeaderView field : head.headers)
      heads->append(field.name).append("=").append(field.value).append("\n");
    PLAIT_CHECK(head.headers.size() <= kOptions.max_header_count);
    ended = end;
    Act();
    if (end || (behaviour & 16) != 0) Reply();
  }
  void OnInformational(http::ResponseHead) override { Alive(); }
  void OnResponseHead(http::ResponseHead head, bool end) override {
    Alive();
    PLAIT_CHECK(head.status >= 200);
    ended = end;
    Act();
  }
  void OnData(Buffer&, bool end) override {
    Alive();
    PLAIT_CHECK(!ended);
    ended = end;
    if (end) Reply();
  }
  void OnTrailers(http::Headers) override {
    Alive();
    PLAIT_CHECK(!ended);
    ended = true;
    Reply();
  }
  void OnReset(ResetReason) override {
    Alive();
    reset = true;
  }
  void OnBelowLowWatermark() override { Alive(); }
  void OnStreamClosed() override {
    PLAIT_CHECK(!closed);
    closed = true;
  }
};

struct Server : http::ServerCodecEvents {
  explicit Server(unsigned how)
      : behaviour(how),
        limited((how & 32) != 0),
        codec(http2::NewServerCodec(*this, limited ? kFewStreams : kOptions)) {}
  const unsigned behaviour;
  const bool limited;
  std::unique_ptr<http::ServerCodec> codec;
  std::list<Recorder> streams;
  std::string heads;
  http::ServerStreamEvents& OnNewStream(http::ServerStream& stream) override {
    Recorder& r = streams.emplace_back();
    r.stream = r.server = &stream;
    r.heads = &heads;
    r.behaviour = behaviour;
    return r;
  }
  void OnOutputReady() override {}
};

struct Client : http::ClientCodecEvents {
  std::unique_ptr<http::ClientCodec> codec = http2::NewClientCodec(*this, kOptions);
  void OnOutputReady() override {}
  void OnGoAway() override {}
  void OnMaxStreamsChanged() override {}
};

// False: the codec refused the bytes.
template <class Codec>
bool FeedCut(Codec& codec, std::string_view bytes, std::size_t step) {
  Buffer in;
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    in.Append(bytes.substr(at, step));
    const bool fed = codec.Feed(in).has_value();
    codec.output().Clear();
    codec.OnOutputDrained();
    if (!fed) {
      PLAIT_CHECK(codec.wants_close() && codec.active_streams() == 0);
      return false;
    }
    PLAIT_CHECK(in.empty());
  }
  return true;
}

// True: all bytes were taken and the connection goes on. A client that has said GOAWAY and has no stream open is done:
// whether its next stream is seen depends on where the bytes were cut.
bool RunServer(Server& server, std::string_view bytes, std::size_t step) {
  Buffer preface(http2::kClientPreface);
  PLAIT_CHECK(server.codec->Feed(preface).has_value());
  const bool good = FeedCut(*server.codec, bytes, step);
  for (Recorder& r : server.streams)
    if (!r.closed && !r.reset) r.stream->PauseReading(false);
  Buffer none;
  if (good) (void)server.codec->Feed(none);
  const bool goes_on = good && !server.codec->wants_close();
  server.codec->StartDrain();
  server.codec->FeedEnd();
  for (const Recorder& r : server.streams) PLAIT_CHECK(r.closed);
  return goes_on;
}

void RunClient(std::string_view bytes, std::size_t step, unsigned behaviour) {
  Client client;
  std::list<Recorder> streams;
  for (int i = 0; i < 3; ++i) {
    Recorder& r = streams.emplace_back();
    http::ClientStream* stream = client.codec->NewStream(r);
    r.stream = stream;
    r.behaviour = behaviour;
    http::RequestHead head;
    head.method = i == 1 ? "HEAD" : "GET";
    head.authority = "a";
    head.path = "/";
    stream->SendHead(head, i < 2);
  }
  Buffer none;
  PLAIT_CHECK(client.codec->Feed(none).has_value());
  FeedCut(*client.codec, bytes, step);
  client.codec->Abandon(ResetReason::kConnectionClosed);
  for (const Recorder& r : streams) PLAIT_CHECK(r.closed);
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2 || size > 64 * 1024) return 0;
  const std::size_t step = data[0] % 32 + 1U;
  const std::string_view bytes = AsText({data + 2, size - 2});
  Server whole(data[1]);
  Server cut(data[1]);
  const bool goes_on = RunServer(whole, bytes, bytes.size() + 1);
  if (RunServer(cut, bytes, step) && goes_on && !whole.limited) PLAIT_CHECK(cut.heads == whole.heads);
  RunClient(bytes, step, data[1]);
  return 0;
}
