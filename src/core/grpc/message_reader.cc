#include "core/grpc/message_reader.h"

#include <algorithm>
#include <array>
#include <utility>

namespace plait::grpc {

Result<std::optional<std::string>> MessageReader::Next(Buffer& in) {
  while (header_size_ < sizeof header_) {
    if (in.empty()) return std::nullopt;
    header_[header_size_++] = in.Front()[0];
    in.Drain(1);
    if (header_size_ == 1 && header_[0] > 1) return Fail(Errc::kInvalidInput, "unknown flag of a gRPC message");
    if (header_size_ == 1 && header_[0] == 1) return Fail(Errc::kInvalidInput, "compressed gRPC message");
    if (header_size_ < sizeof header_) continue;
    wanted_ = static_cast<std::size_t>(header_[1]) << 24 | static_cast<std::size_t>(header_[2]) << 16 |
              static_cast<std::size_t>(header_[3]) << 8 | header_[4];
    if (wanted_ > max_message_) return Fail(Errc::kLimit, "gRPC message is longer than the limit");
  }
  // Grows with what has come, not with what the header promises.
  const std::size_t n = std::min(in.size(), wanted_ - message_.size());
  const std::size_t at = message_.size();
  message_.resize(at + n);
  in.CopyOut({reinterpret_cast<std::uint8_t*>(message_.data()) + at, n});
  in.Drain(n);
  if (message_.size() < wanted_) return std::nullopt;
  header_size_ = 0;
  return std::exchange(message_, {});
}

void AppendMessage(Buffer& out, std::string_view message) {
  const auto size = static_cast<std::uint32_t>(message.size());
  const std::array<std::uint8_t, 5> header = {0, static_cast<std::uint8_t>(size >> 24),
                                              static_cast<std::uint8_t>(size >> 16),
                                              static_cast<std::uint8_t>(size >> 8), static_cast<std::uint8_t>(size)};
  out.Append(Bytes(header));
  out.Append(message);
}

}  // namespace plait::grpc
