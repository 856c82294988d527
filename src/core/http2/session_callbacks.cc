// The glue between nghttp2's C callbacks and Session.
#include <cstdio>
#include <iterator>

#include "core/base/check.h"
#include "core/base/log.h"
#include "core/http/trailers.h"
#include "core/http2/session.h"

namespace plait::http2 {
namespace {

log::Component kLog("http2");

const char* NameOf(std::uint8_t type) {
  constexpr const char* kNames[] = {"DATA",         "HEADERS", "PRIORITY", "RST_STREAM",    "SETTINGS",
                                    "PUSH_PROMISE", "PING",    "GOAWAY",   "WINDOW_UPDATE", "CONTINUATION"};
  return type < std::size(kNames) ? kNames[type] : "frame";
}

constexpr std::size_t kMostOfABlock = 16 * 1024;              // in one frame, that each peer must accept
constexpr std::size_t kContinuations = 8;                     // frames of a block beyond those that its size needs
constexpr std::size_t kMostOfAHeadToSend = 16 * 1024 * 1024;  // the largest that xDS allows is 8 MiB, and we add to it

// What a frame that nghttp2 made takes. It tells a header block as one frame, but cuts it at that size, and the rest
// goes as CONTINUATION.
std::size_t WireSize(const nghttp2_frame_hd& hd) noexcept {
  const std::size_t continuations = hd.type == NGHTTP2_HEADERS && hd.length > 0 ? (hd.length - 1) / kMostOfABlock : 0;
  return hd.length + (1 + continuations) * kFrameHeader;
}

// What nghttp2 saw or sent; no field of a header block, which may be a secret.
void TraceFrame(const void* session, bool server, const char* what, const nghttp2_frame& frame) {
  if (!kLog.Enabled(log::Level::kTrace)) return;
  char text[160];
  std::snprintf(text, sizeof text, "%s %p %s %s stream=%d length=%zu flags=0x%x", server ? "server" : "client", session,
                what, NameOf(frame.hd.type), frame.hd.stream_id, frame.hd.length, frame.hd.flags);
  kLog.Trace(text);
}

}  // namespace

struct Session::Callbacks {
  static Session& Of(void* user) { return *static_cast<Session*>(user); }
  static Stream* Find(nghttp2_session* session, std::int32_t id) {
    return static_cast<Stream*>(nghttp2_session_get_stream_user_data(session, id));
  }
  static std::string_view Text(const std::uint8_t* data, std::size_t size) { return AsText({data, size}); }

  // Each frame by itself, CONTINUATION too, and whole once its header has come. As Envoy it counts the WINDOW_UPDATEs
  // that go, but none that comes. Nobody asks how much a server's stream takes.
  static int OnBeginFrame(nghttp2_session* native, const nghttp2_frame_hd* hd, void* user) {
    if (Of(user).server_ || hd->type == NGHTTP2_WINDOW_UPDATE) return 0;
    if (Stream* stream = Find(native, hd->stream_id)) stream->CountReceived(kFrameHeader + hd->length);
    return 0;
  }

  static int OnBeginHeaders(nghttp2_session* native, const nghttp2_frame* frame, void* user) {
    Session& s = Of(user);
    Stream* stream = Find(native, frame->hd.stream_id);
    if (stream == nullptr) {
      if (!s.server_ || frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
      stream = s.AddStream();
      stream->id_ = frame->hd.stream_id;
      stream->began_ = SystemClock().Now();
      nghttp2_session_set_stream_user_data(native, stream->id_, stream);
      s.open_head_ = stream->id_;
    }
    stream->block_ = std::make_unique<Stream::Block>();
    return 0;
  }

  static int OnHeader(nghttp2_session* native, const nghttp2_frame* frame, const std::uint8_t* name,
                      std::size_t name_size, const std::uint8_t* value, std::size_t value_size, std::uint8_t,
                      void* user) {
    Stream* stream = Find(native, frame->hd.stream_id);
    if (stream == nullptr || !stream->block_) return 0;
    return Of(user).AddField(*stream, Text(name, name_size), Text(value, value_size));
  }

  // nghttp2 would drop such a field and go on; what we drop others might read.
  static int OnInvalidHeader(nghttp2_session* native, const nghttp2_frame* frame, const std::uint8_t*, std::size_t,
                             const std::uint8_t*, std::size_t, std::uint8_t, void*) {
    if (Stream* stream = Find(native, frame->hd.stream_id)) stream->details_ = kInvalidHeader;
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  }

  static int OnDataChunk(nghttp2_session* native, std::uint8_t, std::int32_t id, const std::uint8_t* data,
                         std::size_t size, void* user) {
    Session& s = Of(user);
    nghttp2_session_consume_connection(native, size);
    Stream* stream = Find(native, id);
    if (stream == nullptr || stream->reset_) {
      nghttp2_session_consume_stream(native, id, size);
      return 0;
    }
    ++s.useful_frames_;
    stream->received_.Append(Bytes(data, size));
    s.Touch(*stream);
    return 0;
  }

  static bool Headers(Session& s, nghttp2_session* native, const nghttp2_frame* frame) {
    Stream* stream = Find(native, frame->hd.stream_id);
    if (frame->hd.stream_id == s.open_head_) s.open_head_ = 0;
    if (stream == nullptr || !stream->block_) return true;
    ++s.useful_frames_;
    Stream::Block& block = *stream->block_;
    if (block.cookie) block.fields.Add("cookie", *block.cookie);
    const bool end = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (stream->head_received_) {
      const std::unique_ptr<Stream::Block> trailers = std::move(stream->block_);
      if (http::HasForbiddenTrailer(trailers->fields)) return BreaksRule(native, *stream);
      stream->trailers_ = std::move(trailers->fields);
      stream->remote_ended_ = end;
      s.Touch(*stream);
      return true;
    }
    // The owner is told at the head; nothing is to follow when it ends there.
    stream->remote_ended_ = stream->end_told_ = end;
    const bool good = s.HeadComplete(*stream, end);
    return good || BreaksRule(native, *stream);
  }

  // The stream ends; the connection goes on.
  static bool BreaksRule(nghttp2_session* native, Stream& stream) {
    if (*stream.details_ == '\0') stream.details_ = kMessagingRule;
    nghttp2_submit_rst_stream(native, NGHTTP2_FLAG_NONE, stream.id_, NGHTTP2_PROTOCOL_ERROR);
    return true;
  }

  static int OnFrame(nghttp2_session* native, const nghttp2_frame* frame, void* user) {
    Session& s = Of(user);
    TraceFrame(native, s.server_, "received", *frame);
    bool good = true;
    switch (frame->hd.type) {
      case NGHTTP2_HEADERS: good = Headers(s, native, frame); break;
      case NGHTTP2_DATA:
        if (frame->hd.length == 0) good = s.NoteControlFrame();
        if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
          if (Stream* stream = Find(native, frame->hd.stream_id)) {
            stream->remote_ended_ = true;
            s.Touch(*stream);
          }
        }
        break;
      case NGHTTP2_RST_STREAM:
        if (const Stream* stream = Find(native, frame->hd.stream_id)) good = s.NotePeerReset(*stream);
        break;
      case NGHTTP2_GOAWAY: s.PeerGoAway(); break;
      case NGHTTP2_SETTINGS:
        if ((frame->hd.flags & NGHTTP2_FLAG_ACK) == 0) s.PeerSettings();
        good = s.NoteControlFrame();
        break;
      case NGHTTP2_PING:
        if ((frame->hd.flags & NGHTTP2_FLAG_ACK) != 0 && s.draining_ && s.server_ && !s.final_goaway_) {
          s.final_goaway_ = true;
          nghttp2_submit_goaway(native, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(native),
                                NGHTTP2_NO_ERROR, nullptr, 0);
        }
        good = s.NoteControlFrame();
        break;
      default: good = s.NoteControlFrame(); break;
    }
    return good ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
  }

  // Also a stream beyond the limit, of which no other event tells.
  static int OnInvalidFrame(nghttp2_session* native, const nghttp2_frame* frame, int error, void* user) {
    if (Stream* stream = Find(native, frame->hd.stream_id); stream != nullptr && *stream->details_ == '\0')
      stream->details_ =
          error == NGHTTP2_ERR_HTTP_HEADER || error == NGHTTP2_ERR_HTTP_MESSAGING ? kMessagingRule : kProtocolError;
    return Of(user).NoteControlFrame() ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
  }

  static int OnFrameSent(nghttp2_session* native, const nghttp2_frame* frame, void* user) {
    Session& s = Of(user);
    TraceFrame(native, s.server_, "sent", *frame);
    if (frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.error_code != NGHTTP2_NO_ERROR && s.fatal_ == nullptr)
      s.fatal_ = kProtocolError;
    const bool data = frame->hd.type == NGHTTP2_DATA;
    const bool message = data || frame->hd.type == NGHTTP2_HEADERS;
    const bool end = message && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (message) ++s.useful_frames_;
    if (data && !end) return 0;  // SendData has counted it
    Stream* stream = Find(native, frame->hd.stream_id);
    if (stream == nullptr) return 0;
    // A rule was broken that costs the stream: no cheaper than a reset by the peer (CVE-2025-8671).
    if (frame->hd.type == NGHTTP2_RST_STREAM && frame->rst_stream.error_code != NGHTTP2_NO_ERROR && !stream->reset_ &&
        stream->head_received_)
      s.NotePeerReset(*stream);
    const bool counted = data || (frame->hd.type == NGHTTP2_RST_STREAM && stream->reset_);
    if (!counted) stream->CountSent(WireSize(frame->hd));
    if (!end) return 0;
    stream->sent_all_ = true;
    // The answer is complete: the client need not send the rest of its request (RFC 9113 8.1).
    if (s.server_ && !stream->remote_ended_)
      nghttp2_submit_rst_stream(native, NGHTTP2_FLAG_NONE, stream->id_, NGHTTP2_NO_ERROR);
    return 0;
  }

  // A head or trailers could not be made. nghttp2 closes the stream of a request's head itself, as if the peer had
  // refused it, which is right after a GOAWAY; the others would wait without end.
  static int OnFrameNotSent(nghttp2_session* native, const nghttp2_frame* frame, int error, void*) {
    if (frame->hd.type != NGHTTP2_HEADERS) return 0;
    Stream* stream = Find(native, frame->hd.stream_id);
    if (stream == nullptr || stream->reset_) return 0;
    if (error == NGHTTP2_ERR_FRAME_SIZE_ERROR && *stream->details_ == '\0') stream->details_ = kHeadersTooLarge;
    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST)
      nghttp2_submit_rst_stream(native, NGHTTP2_FLAG_NONE, stream->id_, NGHTTP2_INTERNAL_ERROR);
    return 0;
  }

  static int OnStreamClose(nghttp2_session* native, std::int32_t id, std::uint32_t error_code, void* user) {
    Stream* stream = Find(native, id);
    if (stream == nullptr) return 0;
    nghttp2_session_set_stream_user_data(native, id, nullptr);
    Session& s = Of(user);
    // An answer that ended before its request is well when the server says so by NO_ERROR.
    if (s.server_ && stream->sent_all_ && error_code == NGHTTP2_NO_ERROR && !stream->remote_ended_) {
      stream->remote_ended_ = stream->end_told_ = true;
      stream->received_.Clear();
    }
    s.CloseStream(*stream, error_code);
    return 0;
  }

  static ssize_t ReadQueue(nghttp2_session* native, std::int32_t id, std::uint8_t*, std::size_t length,
                           std::uint32_t* flags, nghttp2_data_source* source, void*) {
    Stream& stream = *static_cast<Stream*>(source->ptr);
    const std::size_t n = std::min(length, stream.queue_.size());
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (n == stream.queue_.size() && stream.send_ended_) {
      *flags |= NGHTTP2_DATA_FLAG_EOF;
      if (stream.send_trailers_) {
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        std::vector<nghttp2_nv> fields;
        AppendFields(fields, *stream.send_trailers_);
        if (PeersTake(fields))
          nghttp2_submit_trailer(native, id, fields.data(), fields.size());
        else
          stream.session_.FailToSend(stream);
        stream.send_trailers_.reset();
      }
    } else if (n == 0) {
      stream.deferred_ = true;
      return NGHTTP2_ERR_DEFERRED;
    }
    return static_cast<ssize_t>(n);
  }

  static int SendData(nghttp2_session*, nghttp2_frame*, const std::uint8_t* header, std::size_t length,
                      nghttp2_data_source* source, void* user) {
    Session& s = Of(user);
    Stream& stream = *static_cast<Stream*>(source->ptr);
    s.output_.Append(Bytes(header, kFrameHeader));  // we never pad
    s.output_.MoveFrom(stream.queue_, length);
    stream.CountSent(kFrameHeader + length);
    if (stream.above_ && stream.queue_.size() <= s.options_.high_watermark / 2) {
      stream.above_ = false;
      stream.low_due_ = true;
      s.Touch(stream);
    }
    return 0;
  }

  static nghttp2_session_callbacks* Make() {
    nghttp2_session_callbacks* out = nullptr;
    PLAIT_CHECK(nghttp2_session_callbacks_new(&out) == 0);
    nghttp2_session_callbacks_set_on_begin_frame_callback(out, OnBeginFrame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(out, OnBeginHeaders);
    nghttp2_session_callbacks_set_on_header_callback(out, OnHeader);
    nghttp2_session_callbacks_set_on_invalid_header_callback(out, OnInvalidHeader);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(out, OnDataChunk);
    nghttp2_session_callbacks_set_on_frame_recv_callback(out, OnFrame);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(out, OnInvalidFrame);
    nghttp2_session_callbacks_set_on_frame_send_callback(out, OnFrameSent);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(out, OnFrameNotSent);
    nghttp2_session_callbacks_set_on_stream_close_callback(out, OnStreamClose);
    nghttp2_session_callbacks_set_send_data_callback(out, SendData);
    return out;
  }
};

void Session::CreateNative() {
  static const nghttp2_session_callbacks* const callbacks = Callbacks::Make();
  nghttp2_option* native_options = nullptr;
  PLAIT_CHECK(nghttp2_option_new(&native_options) == 0);
  nghttp2_option_set_no_auto_window_update(native_options, 1);
  nghttp2_option_set_no_closed_streams(native_options, 1);  // the priority tree of RFC 7540 is not used
  // What may be received (of HTTP/1, too) can be sent on.
  nghttp2_option_set_max_send_header_block_length(native_options, kMostOfAHeadToSend);
  // nghttp2's own 8 let no more than 144 KiB come. AddField knows the limit of bytes.
  nghttp2_option_set_max_continuations(native_options, kContinuations + options_.max_header_bytes / kMostOfABlock);
  const auto make = server_ ? nghttp2_session_server_new2 : nghttp2_session_client_new2;
  PLAIT_CHECK(make(&session_, callbacks, this, native_options) == 0);
  nghttp2_option_del(native_options);

  std::vector<nghttp2_settings_entry> settings{
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, options_.stream_window},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE,
       static_cast<std::uint32_t>(options_.max_header_bytes + 32 * options_.max_header_count)}};
  if (server_) {
    settings.push_back({NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, options_.max_concurrent_streams});
    if (options_.enable_connect_protocol) settings.push_back({NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1});
  } else {
    settings.push_back({NGHTTP2_SETTINGS_ENABLE_PUSH, 0});
  }
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings.data(), settings.size());
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0,
                                        static_cast<std::int32_t>(options_.connection_window));
  running_ = true;
  Produce();
  running_ = false;
}

void Session::FailToSend(Stream& stream) {
  stream.details_ = kHeadersTooLarge;
  stream.send_ended_ = true;
  if (stream.id_ < 0)
    Touch(stream);
  else
    nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream.id_, NGHTTP2_INTERNAL_ERROR);
  Wake();
}

void Session::SubmitHead(Stream& stream, const std::vector<nghttp2_nv>& fields, bool end_stream) {
  nghttp2_data_provider body{.source = {.ptr = &stream}, .read_callback = Callbacks::ReadQueue};
  nghttp2_data_provider* provider = end_stream ? nullptr : &body;
  stream.head_sent_ = true;
  stream.send_ended_ = end_stream;
  if (!PeersTake(fields)) return FailToSend(stream);
  if (server_) {
    nghttp2_submit_response(session_, stream.id_, fields.data(), fields.size(), provider);
  } else {
    stream.id_ = nghttp2_submit_request(session_, nullptr, fields.data(), fields.size(), provider, &stream);
    // No stream identifier left, or out of memory: as if it had been refused.
    if (stream.id_ < 0) stream.Reset(http::ResetReason::kRefused);
  }
  Wake();
}

}  // namespace plait::http2
