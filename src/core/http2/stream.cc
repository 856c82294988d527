#include "core/http2/stream.h"

#include <charconv>

#include "core/http2/session.h"

namespace plait::http2 {
namespace {
// Reused: a head is submitted at once and nghttp2 copies it.
std::vector<nghttp2_nv>& Scratch() {
  thread_local std::vector<nghttp2_nv> fields;
  fields.clear();
  return fields;
}

struct StatusText {
  char text[3];
  explicit StatusText(std::uint16_t status) { std::to_chars(text, text + 3, status); }
  operator std::string_view() const { return {text, 3}; }
};
}  // namespace

void Stream::SendInformational(const http::ResponseHead& head) {
  if (!can_send() || head_sent_ || head.status >= 200 || head.status == 101) return;
  const StatusText status(head.status);
  auto& fields = Scratch();
  fields.push_back(Field(":status", status));
  AppendFields(fields, head.headers);
  if (!PeersTake(fields)) return;
  nghttp2_submit_headers(session_.session_, NGHTTP2_FLAG_NONE, id_, nullptr, fields.data(), fields.size(), nullptr);
  session_.Wake();
}

void Stream::SendHead(const http::ResponseHead& head, bool end_stream) {
  if (!can_send() || head_sent_) return;
  // RFC 8441: the switch of protocols that HTTP/1 says by 101 is a plain success here.
  const StatusText status(tunnel_ && head.status == 101 ? std::uint16_t{200} : head.status);
  auto& fields = Scratch();
  fields.push_back(Field(":status", status));
  AppendFields(fields, head.headers);
  session_.SubmitHead(*this, fields, end_stream);
}

void Stream::SendHead(const http::RequestHead& head, bool end_stream) {
  if (!can_send() || head_sent_) return;
  auto& fields = Scratch();
  const bool extended = !head.protocol.empty();
  const bool connect = head.method == "CONNECT" && !extended;
  fields.push_back(Field(":method", extended ? std::string_view("CONNECT") : std::string_view(head.method)));
  if (!connect) {
    fields.push_back(Field(":scheme", head.scheme.empty() ? std::string_view("http") : std::string_view(head.scheme)));
    fields.push_back(Field(":path", head.path));
  }
  fields.push_back(Field(":authority", head.authority));
  if (extended) {
    fields.push_back(Field(":protocol", head.protocol));
    upgrade_ = head.protocol;
  }
  AppendFields(fields, head.headers);
  session_.SubmitHead(*this, fields, end_stream);
}

void Stream::SendData(Buffer& data, bool end_stream) {
  if (!Sendable()) return data.Clear();
  queue_.MoveFrom(data);
  send_ended_ = end_stream;
  if (queue_.size() > session_.options_.high_watermark) above_ = true;
  if (std::exchange(deferred_, false)) nghttp2_session_resume_data(session_.session_, id_);
  session_.Wake();
}

void Stream::SendTrailers(const http::Headers& trailers) {
  if (!Sendable()) return;
  if (!trailers.empty()) send_trailers_ = trailers;
  send_ended_ = true;
  if (std::exchange(deferred_, false)) nghttp2_session_resume_data(session_.session_, id_);
  session_.Wake();
}

void Stream::Reset(http::ResetReason reason) {
  if (reset_) return;
  reset_ = true;
  queue_.Clear();
  received_.Clear();
  if (id_ < 0 || over_) {
    session_.Touch(*this);
  } else {
    nghttp2_submit_rst_stream(session_.session_, NGHTTP2_FLAG_NONE, id_, CodeOfReason(reason));
    // Counted now, for the owner does not look again. A request that nghttp2 has not opened yet is dropped unsent.
    if (session_.IsOpen(*this)) CountSent(kResetFrame);
  }
  session_.Wake();
}

void Stream::PauseReading(bool paused) {
  const bool resumed = paused_ && !paused;
  paused_ = paused;
  if (!resumed) return;
  session_.Touch(*this);
  session_.Wake();
}

}  // namespace plait::http2
