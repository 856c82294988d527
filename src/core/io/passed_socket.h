#pragma once
// Sockets that another process opens for this one (semantics.md 8, "Outside world"): a process without a way out of its
// network namespace asks a dial helper outside, which begins to connect and passes the socket by SCM_RIGHTS. One
// SEQPACKET message a question, one an answer; the helper keeps nothing, so time limits stay with who asked.
#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>

#include "core/io/socket.h"

namespace plait::io {

struct DialQuestion {
  std::uint32_t id = 0;  // comes back with the answer
  SocketAddress to;      // TCP
  friend bool operator==(const DialQuestion&, const DialQuestion&) = default;
};
struct DialAnswer {
  std::uint32_t id = 0;
  int error = 0;  // errno; 0: a connecting or connected socket comes with the message
  friend bool operator==(const DialAnswer&, const DialAnswer&) = default;
};
std::string Encode(const DialQuestion& question);
std::string Encode(const DialAnswer& answer);
// kInvalidInput for what is no such message.
Result<DialQuestion> ParseDialQuestion(std::string_view text);
Result<DialAnswer> ParseDialAnswer(std::string_view text);

// The helper's part: a non-blocking socket whose connect(2) is under way, or errno.
std::expected<UniqueFd, int> BeginConnect(const SocketAddress& to);

// A stream on a passed socket that is connecting; otherwise as Connect. Of `options` the keep-alive and the time limit
// count: source and mark are those of who opened it.
std::unique_ptr<Stream> AdoptConnecting(Loop& loop, UniqueFd fd, const ConnectOptions& options);
// A stream that fails with what this errno of socket(2) or connect(2) means, in a later round.
std::unique_ptr<Stream> FailedStream(Loop& loop, int error);

}  // namespace plait::io
