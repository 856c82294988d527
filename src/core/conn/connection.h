#pragma once
// One HTTP connection: a byte stream and the codec that speaks on it. It reads, feeds the codec, writes what the codec
// made (at the end of the loop's round, so that many small sends are one system call), and closes when the codec says
// so. Used downstream and upstream by the proxy, by core/grpc, and by HttpServer and Fetch of this folder.
//
// One loop thread. The owner makes it and destroys it after OnConnectionClosed, through Loop::DeleteLater when it is
// inside a callback. Nothing is buffered while a connection idles.
#include <cstddef>
#include <cstdint>
#include <memory>

#include "core/base/buffer.h"
#include "core/http/codec.h"
#include "core/io/loop.h"
#include "core/io/stream.h"
#include "core/io/timer.h"

namespace plait::conn {

// kDetect: by ALPN once the handshake is done; without a known ALPN a server looks for the HTTP/2 preface (prior
// knowledge) and a client speaks HTTP/1.1.
enum class Protocol : std::uint8_t { kDetect, kHttp1, kHttp2 };
// What an ALPN name means: h2, istio-h2; http/1.1, http/1.0, istio-http/1.1, istio-http/1.0; else kDetect.
Protocol ProtocolOfAlpn(std::string_view alpn) noexcept;

struct ConnectionOptions {
  http::CodecOptions codec;
  Protocol protocol = Protocol::kDetect;
  std::size_t read_limit = 64 * 1024;    // of input that the codec has not taken yet
  std::size_t write_limit = 256 * 1024;  // of output that the peer has not taken yet: a server reads no more above it
  Duration idle_timeout{};  // without a stream for so long: drained (a server's: announced) and closed (kTimedOut);
                            // 0: never
  Duration head_timeout{};  // server: from the first byte of a request to the end of its head, else 408; 0: no limit
  std::string_view head_timeout_body = "request header timeout";  // of that 408; static text
  // How long a connection that drains may be without a stream until it closes. Envoy's drain_timeout.
  Duration drain_timeout = std::chrono::seconds(5);
  // Once the codec wants to close: how long the peer may take nothing of the last output (a server's; a client's: how
  // long that output may take in all), and then how long its FIN may take. 0: no limit for the output, and no waiting
  // for the FIN. Envoy's delayed_close_timeout.
  Duration close_timeout = std::chrono::seconds(5);
};

class ConnectionEvents {
 public:
  virtual ~ConnectionEvents() = default;
  // The stream is open (handshake done) and the codec is there. A server that detects by preface: at the first bytes.
  virtual void OnConnectionOpen() {}
  // The first stream began or the last one ended.
  virtual void OnBusyChanged(bool /*busy*/) {}
  // Last event, exactly once, and never inside a call of the owner to the connection; all streams are over before it.
  // kPeerClosed: orderly; kCancelled: Close(); kInvalidInput and kLimit: a codec error, detail names it
  // ("http1.codec_error").
  virtual void OnConnectionClosed(const Error& why) = 0;
};

// What server and client connections share.
class Connection : private io::StreamEvents {
 public:
  ~Connection() override;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  io::Stream& stream() noexcept { return *stream_; }
  const io::Stream& stream() const noexcept { return *stream_; }
  bool open() const noexcept { return codec_ != nullptr && state_ == State::kOpen; }
  bool closed() const noexcept { return state_ == State::kClosed; }
  http::Version version() const noexcept { return codec_ ? codec_->version() : http::Version::kHttp11; }
  std::size_t active_streams() const noexcept { return codec_ ? codec_->active_streams() : 0; }
  std::uint64_t bytes_read() const noexcept { return bytes_read_; }
  std::uint64_t bytes_written() const noexcept { return bytes_written_; }

  // No new streams; closes when the last one is over (at once when there is none). An HTTP/1 server answers a request
  // of which something has come, with "Connection: close".
  void Drain();
  // As Drain, for the server of clients that could send a request just now: HTTP/1 first answers one more, with
  // "Connection: close". Closes without it after drain_timeout.
  void AnnounceDrain();
  // At the end of this round all streams are reset with `reason` and the byte stream ends (`reset`: by RST);
  // OnConnectionClosed follows.
  void Close(http::ResetReason reason, bool reset = false);

 protected:
  Connection(io::Loop& loop, std::unique_ptr<io::Stream> stream, const ConnectionOptions& options,
             ConnectionEvents& owner);
  // First call of a derived constructor, when its MakeCodec can be called.
  void Start(bool stream_is_open, Buffer&& initial);
  // First call of a derived destructor: its streams hear that the connection is gone.
  void Destroy() noexcept;
  // The codec has output or wants input again: work on it at the end of this round.
  void Schedule();
  void NoteStream() noexcept { stream_seen_ = true; }  // the connection is in use: the idle time begins anew
  const ConnectionOptions& options() const noexcept { return options_; }
  io::Loop& loop() const noexcept { return loop_; }
  bool has_input() const noexcept { return !input_.empty(); }

 private:
  friend class Round;
  enum class State : std::uint8_t {
    kOpening,    // -> kOpen at OnOpen, -> kClosed by failure or Close
    kOpen,       // -> kFlushing when the codec wants to close, -> kClosed by failure or Close
    kFlushing,   // last bytes on their way, nothing is read for the codec -> kLingering (server), kClosed
    kLingering,  // our FIN sent, input dropped until the peer's FIN, so that it reads our last answer -> kClosed
    kClosed,
  };

  void OnOpen() override;
  void OnReadable() override;
  void OnWritable() override;
  void OnFailed(Error error) override;

  virtual std::unique_ptr<http::Codec> MakeCodec(Protocol protocol) = 0;
  virtual bool is_server() const noexcept = 0;
  virtual void OnFed() {}  // the codec has seen what there is; the connection is open

  // No stream begins (HTTP/2) or the next one is the last (HTTP/1); kNow: that one need not come.
  enum class Draining : std::uint8_t { kNo, kAnnounced, kNow };

  Protocol Decide() const noexcept;  // kDetect: more bytes are needed
  bool EnsureCodec();
  void Work();
  bool Turn();
  std::size_t InputLimit() const noexcept;
  bool MayRead() const noexcept;
  bool ReadSome();
  bool FeedCodec();
  void FlushSome();
  void BeginFlushing(Error why);
  void LimitFlushing();
  void EndOfOutput();
  bool Discard();
  void Finish(Error why, http::ResetReason reason = http::ResetReason::kConnectionClosed);
  void BeginDrain(Draining how);
  bool IsDrained() const noexcept;
  void NoteBusy();
  void StartIdleTimer();
  void OnTimer();

  io::Loop& loop_;
  std::unique_ptr<io::Stream> stream_;
  std::unique_ptr<http::Codec> codec_;
  ConnectionEvents& owner_;
  const ConnectionOptions& options_;
  Buffer input_;
  std::uint64_t bytes_read_ = 0;
  std::uint64_t bytes_written_ = 0;
  Connection* next_ = nullptr;  // in the list of connections with work at the end of this round
  Connection** linked_at_ = nullptr;
  io::Timer timer_;                              // idle, or the time limit of a drain, of kFlushing and of kLingering
  Error why_{Errc::kPeerClosed, "peer closed"};  // what OnConnectionClosed will tell
  State state_ = State::kOpening;
  http::ResetReason close_reason_ = http::ResetReason::kNone;  // set: Close() was called
  bool close_by_reset_ = false;
  bool readable_ = false;  // the stream did not say "would block" since its last edge
  bool writable_ = true;
  bool peer_ended_ = false;
  bool told_codec_end_ = false;
  bool fin_sent_ = false;
  bool busy_ = false;
  Draining draining_ = Draining::kNo;
  bool stream_seen_ = false;
  bool working_ = false;  // inside Work(): a Schedule() from there needs no visit of its own
  bool again_ = false;
};

class ServerConnectionEvents : public ConnectionEvents {
 public:
  // A request begins; the returned events live until their OnStreamClosed.
  virtual http::ServerStreamEvents& OnNewStream(http::ServerStream& stream) = 0;
  // A request whose head took too long was answered by the codec (own_answer). HTTP/1: the connection ends.
  virtual void OnHeadTimedOut() {}
};

class ServerConnection final : public Connection, private http::ServerCodecEvents {
 public:
  // `options` must outlive the connection (it is shared by all of a listener). `stream_is_open`: OnOpen was told to
  // somebody else before, who read `initial` from it.
  ServerConnection(io::Loop& loop, std::unique_ptr<io::Stream> stream, const ConnectionOptions& options,
                   ServerConnectionEvents& owner, bool stream_is_open = false, Buffer initial = {});
  ~ServerConnection() override;
  // When the first byte of the request came that begins just now (OnNewStream), as far as head_timeout needs to know
  // it: of a head that came at once, now.
  MonotonicTime head_began() const noexcept { return head_timer_ ? head_began_ : loop().Now(); }
  // What the codec itself answered to a message that broke a rule.
  http::OwnAnswer own_answer() const noexcept { return server_ != nullptr ? server_->own_answer() : http::OwnAnswer{}; }

 private:
  std::unique_ptr<http::Codec> MakeCodec(Protocol protocol) override;
  bool is_server() const noexcept override { return true; }
  http::ServerStreamEvents& OnNewStream(http::ServerStream& stream) override {
    NoteStream();
    http::ServerStreamEvents& events = owner_.OnNewStream(stream);
    head_timer_.reset();  // the next head has its own time
    return events;
  }
  void OnOutputReady() override { Schedule(); }
  void OnFed() override;
  void OnHeadTimer();
  ServerConnectionEvents& owner_;
  http::ServerCodec* server_ = nullptr;    // the codec, as what it is
  std::unique_ptr<io::Timer> head_timer_;  // only while a head is arriving in pieces
  MonotonicTime head_began_{};             // with head_timer_
};

class ClientConnectionEvents : public ConnectionEvents {
 public:
  virtual void OnGoAway() {}             // no new streams (GOAWAY, or "Connection: close"); the running ones go on
  virtual void OnMaxStreamsChanged() {}  // the peer's limit changed, or a stream ended
};

class ClientConnection final : public Connection, private http::ClientCodecEvents {
 public:
  ClientConnection(io::Loop& loop, std::unique_ptr<io::Stream> stream, const ConnectionOptions& options,
                   ClientConnectionEvents& owner, bool stream_is_open = false);
  ~ClientConnection() override;
  // Null before OnConnectionOpen, when draining, and when the limit of streams is reached.
  http::ClientStream* NewStream(http::ClientStreamEvents& events);
  std::uint32_t max_streams() const noexcept { return client_ != nullptr ? client_->max_streams() : 0; }

 private:
  std::unique_ptr<http::Codec> MakeCodec(Protocol protocol) override;
  bool is_server() const noexcept override { return false; }
  void OnOutputReady() override { Schedule(); }
  void OnGoAway() override { owner_.OnGoAway(); }
  void OnMaxStreamsChanged() override { owner_.OnMaxStreamsChanged(); }
  ClientConnectionEvents& owner_;
  http::ClientCodec* client_ = nullptr;  // the codec, as what it is
};

}  // namespace plait::conn
