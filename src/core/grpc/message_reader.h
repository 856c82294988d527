#pragma once
// Cuts the byte stream of one gRPC direction into messages: a flag byte, a length of four bytes, the message.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/buffer.h"
#include "core/base/result.h"

namespace plait::grpc {

class MessageReader {
 public:
  explicit MessageReader(std::size_t max_message) : max_message_(max_message) {}
  // Takes bytes from `in`: a whole message, or nullopt when more are needed (all were taken).
  // Errors: kLimit (longer than the limit), kInvalidInput (compressed, or an unknown flag).
  Result<std::optional<std::string>> Next(Buffer& in);
  bool in_message() const noexcept { return header_size_ > 0; }  // an end now would cut a message

 private:
  std::size_t max_message_;
  std::uint8_t header_[5] = {};
  std::size_t header_size_ = 0;
  std::size_t wanted_ = 0;
  std::string message_;
};
// Prefix and message, to the end of `out`.
void AppendMessage(Buffer& out, std::string_view message);

}  // namespace plait::grpc
