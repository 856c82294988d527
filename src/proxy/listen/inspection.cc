#include "proxy/listen/inspection.h"

#include <utility>

#include "core/base/strings.h"
#include "core/tls/client_hello.h"
#include "proxy/sniff/classify.h"

namespace plait::proxy::listen {

Inspection::Inspection(io::Loop& loop, std::unique_ptr<io::Stream> stream, Wanted wanted, OnDone done)
    : loop_(loop), stream_(std::move(stream)), wanted_(wanted), done_(std::move(done)) {
  stream_->SetEvents(this);
  if (wanted_.limit > Duration(0)) {
    limit_.SetCallback([this] {
      findings_.timed_out = true;
      Done();
    });
    limit_.Start(loop_.timers(), wanted_.limit);
  }
}

Inspection::~Inspection() = default;

void Inspection::Look() {
  if (!done_) return;
  for (;;) {
    // Larger than anything that is chosen by. Envoy looks at no more than 16 KiB, either.
    if (seen_.size() >= Buffer::kMaxLinear) return Done();
    const Result<std::size_t> read = stream_->Read(seen_, Buffer::kMaxLinear - seen_.size());
    if (!read && read.error().code != Errc::kPeerClosed) return OnFailed(read.error());
    if (Judge()) return Done();
    // Ended before it was known what it is; the rest will not come. Envoy closes such a connection, too.
    if (!read) return OnFailed(read.error());
    if (*read == 0) return;
  }
}

bool Inspection::Judge() {
  if (seen_.empty()) return false;
  const Bytes bytes = seen_.Linearize(seen_.size());
  if (wanted_.tls && !findings_.tls) {
    tls::ClientHelloPeek peek = tls::PeekClientHello(bytes);
    if (peek.status == tls::PeekStatus::kNeedMore) return false;
    if (peek.status == tls::PeekStatus::kComplete) {
      findings_.tls = true;
      findings_.server_name = std::move(peek.hello.sni);
      findings_.alpn = std::move(peek.hello.alpn);
      return true;
    }
  }
  if (!wanted_.http) return true;
  switch (sniff::Classify(bytes)) {
    case sniff::Protocol::kNeedMore: return false;
    case sniff::Protocol::kHttp2: findings_.alpn = {"h2c"}; return true;
    case sniff::Protocol::kHttp1: {
      const std::string_view line = AsText(bytes).substr(0, AsText(bytes).find('\r'));
      findings_.alpn = {line.ends_with("HTTP/1.0") ? "http/1.0" : "http/1.1"};
      return true;
    }
    default: return true;
  }
}

void Inspection::Done() {
  limit_.Cancel();
  stream_->SetEvents(nullptr);
  std::exchange(done_, nullptr)(std::move(stream_), std::move(seen_), std::move(findings_));
}

void Inspection::OnFailed(Error) {
  if (!done_) return;
  limit_.Cancel();
  loop_.DeleteLater(std::move(stream_));
  std::exchange(done_, nullptr)(nullptr, Buffer(), Findings());
}

}  // namespace plait::proxy::listen
