#include "core/grpc/server_call.h"

#include <utility>

namespace plait::grpc {
namespace {
bool IsReserved(std::string_view name) {
  return name.starts_with("grpc-") || name == "te" || name == "content-type" || name == "user-agent" ||
         name == "content-length";
}
}  // namespace

Server::Call::Call(Server& server, http::ServerStream& stream, const conn::Peer& peer)
    : server_(server),
      stream_(&stream),
      take_request_([this] {
        Abort({.code = Code::kDeadlineExceeded, .message = "the request did not come to its end", .details = {}});
      }),
      deadline_([this] { Overdue(); }) {
  context_.remote = peer.remote;
  context_.tls = peer.tls;
}

void Server::Call::Overdue() {
  if (!finished_) return Abort({.code = Code::kDeadlineExceeded, .message = "deadline exceeded", .details = {}});
  if (stream_ != nullptr) stream_->Reset(http::ResetReason::kTimedOut);
}

// What is no gRPC request at all gets an HTTP answer (PROTOCOL-HTTP2.md, "Requests").
bool Server::Call::RefuseOther(const http::RequestHead& head) {
  if (http::IsGrpc(head.headers) && head.method == "POST") return false;
  http::ResponseHead refusal;
  refusal.status = http::IsGrpc(head.headers) ? 405 : 415;
  finished_ = head_sent_ = true;
  stream_->SendHead(refusal, true);
  return true;
}

void Server::Call::OnRequestHead(http::RequestHead head, bool end_stream) {
  if (RefuseOther(head)) return;
  Begin(std::move(head));
  if (end_stream) HalfClose();
}

void Server::Call::Begin(http::RequestHead head) {
  context_.method = std::move(head.path);
  context_.authority = std::move(head.authority);
  for (const http::HeaderView field : head.headers)
    if (!IsReserved(field.name)) context_.metadata.Add(field.name, field.value);
  if (const auto text = head.headers.Get("grpc-timeout")) {
    const auto timeout = ParseTimeout(*text);
    if (!timeout)
      return Finish({.code = Code::kInvalidArgument, .message = "grpc-timeout is malformed", .details = {}}, {});
    const MonotonicTime now = server_.loop_.Now();
    context_.deadline = *timeout > MonotonicTime::max() - now ? MonotonicTime::max() : now + *timeout;
    deadline_.Start(server_.loop_.timers(), *timeout);
  }
  Method* method = server_.Find(context_.method);
  if (method == nullptr)
    return Finish({.code = Code::kUnimplemented, .message = "unknown method " + context_.method, .details = {}}, {});
  reader_ = MessageReader(method->max_message);
  if (method->unary) take_request_.Start(server_.loop_.timers(), server_.options_.take_request);
  handler_ = method->streaming(*this);
  if (finished_) DropHandler();
}

void Server::Call::OnData(Buffer& data, bool end_stream) {
  while (!finished_) {
    auto next = reader_.Next(data);
    if (!next) {
      const bool compressed = std::string_view(next.error().detail).starts_with("compressed");
      const Code code = next.error().code == Errc::kLimit ? Code::kResourceExhausted
                        : compressed                      ? Code::kUnimplemented
                                                          : Code::kInternal;
      Metadata trailers;
      if (compressed) trailers.Add("grpc-accept-encoding", "identity");
      return Abort({.code = code, .message = next.error().detail, .details = {}}, std::move(trailers));
    }
    if (!*next) break;
    if (handler_) handler_->OnMessage(std::move(**next));
  }
  if (end_stream) HalfClose();
}

void Server::Call::OnTrailers(http::Headers /*trailers*/) { HalfClose(); }

void Server::Call::HalfClose() {
  if (std::exchange(half_closed_, true) || finished_) return;
  take_request_.Cancel();
  if (reader_.in_message())
    return Abort({.code = Code::kInternal, .message = "the request ends inside a message", .details = {}});
  if (handler_) handler_->OnHalfClose();
}

void Server::Call::OnReset(http::ResetReason /*reason*/) { Cancelled(); }

void Server::Call::OnBelowLowWatermark() {
  if (handler_ && !finished_) handler_->OnWritable();
}

void Server::Call::OnStreamClosed() {
  stream_ = nullptr;
  take_request_.Cancel();
  deadline_.Cancel();
  const std::shared_ptr<Call> keep = std::move(self_);
  Cancelled();
  DropHandler();
}

void Server::Call::Cancelled() {
  deadline_.Cancel();
  if (std::exchange(finished_, true)) return;
  if (handler_) handler_->OnCancelled();
}

void Server::Call::Abort(Status status, Metadata trailers) {
  CallHandler* handler = handler_.get();  // lives to the end of the round
  Finish(std::move(status), std::move(trailers));
  if (handler != nullptr) handler->OnCancelled();
}

// A handler often finishes inside its own callback: it dies through the loop, and the call lives as long as it.
void Server::Call::DropHandler() {
  if (!handler_) return;
  server_.dying_->list.push_back({shared_from_this(), std::move(handler_)});
  if (server_.dying_->list.size() == 1) server_.loop_.Defer([dying = server_.dying_] { dying->Bury(); });
}

void Server::Call::SendInitialMetadata(Metadata metadata) {
  if (stream_ == nullptr || finished_ || std::exchange(head_sent_, true)) return;
  http::ResponseHead head;
  head.status = 200;
  head.headers.Add("content-type", "application/grpc");
  for (const http::HeaderView field : metadata) head.headers.Add(field.name, field.value);
  stream_->SendHead(head, false);
}

void Server::Call::Send(std::string_view message) {
  if (stream_ == nullptr || finished_) return;
  SendInitialMetadata({});
  Buffer framed;
  AppendMessage(framed, message);
  stream_->SendData(framed, false);
}

void Server::Call::Finish(Status status, Metadata trailers) {
  if (stream_ == nullptr || finished_) return;
  take_request_.Cancel();
  deadline_.Cancel();
  AddStatus(trailers, status);
  finished_ = true;
  if (head_sent_) {
    stream_->SendTrailers(trailers);
  } else {
    http::ResponseHead head;
    head.status = 200;
    head.headers.Add("content-type", "application/grpc");
    for (const http::HeaderView field : trailers) head.headers.Add(field.name, field.value);
    head_sent_ = true;
    stream_->SendHead(head, true);
  }
  deadline_.Start(server_.loop_.timers(), server_.options_.take_answer);
  if (handler_) DropHandler();
}

}  // namespace plait::grpc
