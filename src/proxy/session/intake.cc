#include "proxy/session/intake.h"

#include <utility>

#include "proxy/session/ended_connection.h"
#include "proxy/session/farewell.h"
#include "proxy/session/prefixed_stream.h"

namespace plait::proxy::session {

Intake::Intake(Context& context, Arrival arrival)
    : context_(context),
      info_(std::move(arrival.info)),
      stream_(std::move(arrival.stream)),
      owner_(arrival.owner),
      decided_(std::move(arrival.decided)) {
  stream_->SetEvents(this);
}

Intake::~Intake() = default;

void Intake::OnReadable() {
  if (decided() || !ReadMore()) return;
  Look();
}

bool Intake::ReadMore() {
  while (!client_ended_ && seen_.size() < sniff::kSniffLimit) {
    const Result<std::size_t> read = stream_->Read(seen_, sniff::kSniffLimit - seen_.size());
    if (!read && read.error().code == Errc::kPeerClosed) {
      client_ended_ = true;
      if (!seen_.empty()) return true;
      Refuse(false);  // came and went
      return false;
    }
    if (!read) {
      OnFailed(read.error());
      return false;
    }
    if (*read == 0) break;
  }
  return true;
}

void Intake::AwaitTheRest(Duration limit) {
  if (prefix_ == Prefix::kAwaited) return;
  prefix_ = Prefix::kAwaited;
  silence_.Start(context_.loop.timers(), limit);
}

sniff::Protocol Intake::Judge() {
  if (seen_.empty()) return sniff::Protocol::kNeedMore;
  const sniff::Protocol protocol = sniff::Classify(SeenBytes());
  // Whoever has ended its side will not send the rest.
  return protocol == sniff::Protocol::kNeedMore && client_ended_ ? sniff::Protocol::kOther : protocol;
}

void Intake::Replace(std::unique_ptr<io::Stream> stream) {
  stream_ = std::move(stream);
  stream_->SetEvents(this);
}

std::unique_ptr<io::Stream> Intake::TakeStream() {
  stream_->SetEvents(nullptr);
  return GiveAgain(context_.loop, std::move(stream_), std::move(seen_));
}

void Intake::ServeHttp(std::shared_ptr<const HttpConfig> config, HttpRouting routing) {
  Decide(std::make_unique<HttpSession>(context_, std::move(config), TakeStream(), std::move(info_), std::move(routing),
                                       owner_));
}

void Intake::ServeTcp(TcpSession::Start start) {
  start.downstream = TakeStream();
  Decide(std::make_unique<TcpSession>(context_, std::move(start), std::move(info_), owner_));
}

void Intake::Refuse(bool reset) {
  stream_->SetEvents(nullptr);
  stream_->Close(reset);
  Decide(nullptr);
}

void Intake::OnFailed(Error error) {
  if (decided()) return;
  OnStreamFailed(error);
  if (!decided()) Decide(nullptr);
}

record::StreamRecord Intake::Record() const {
  record::StreamRecord record = EndedNow(info_, context_);
  record.bytes_received = seen_.size();
  return record;
}

void Intake::RecordRefusal(const record::AccessLogs* logs, record::ResponseFlag flag, std::string details) {
  record::StreamRecord record = Record();
  record.bytes_received = 0;  // none of them was relayed
  record.flags.Set(flag);
  record.termination_details = std::move(details);
  record::TcpProgress none;
  context_.recorder.ConnectionEnded(record, none, logs);
  recorded_ = true;
}

void Intake::RefuseAsHttp(Failure failure, const record::AccessLogs* logs) {
  const FailureFacts& facts = FactsOf(failure);
  const http::RequestHead none;
  record::StreamRecord record = Record();
  record.request = &none;
  record.response_code = facts.status;
  record.flags.Set(facts.flag);
  record.response_details = facts.details;
  record.bytes_sent = facts.body.size();
  context_.recorder.RequestEnded(record, logs);
  const std::string head = "HTTP/1.1 " + std::to_string(facts.status) + " " +
                           std::string(http::ReasonPhrase(facts.status)) +
                           "\r\ncontent-length: " + std::to_string(facts.body.size()) +
                           "\r\ncontent-type: text/plain\r\nconnection: close\r\n\r\n";
  stream_->SetEvents(nullptr);
  SayFarewell(context_, std::move(stream_), head + std::string(facts.body));
  Decide(nullptr);
}

void Intake::Decide(std::unique_ptr<Session> session) {
  if (session == nullptr && !recorded_ && info_.listener_logs != nullptr) {
    context_.recorder.OtherConnectionEnded(Record(), nullptr);
  }
  std::exchange(decided_, nullptr)(std::move(session));
}

}  // namespace plait::proxy::session
