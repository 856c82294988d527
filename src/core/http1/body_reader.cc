#include "core/http1/body_reader.h"

#include <algorithm>
#include <utility>

namespace plait::http1 {
namespace {

int HexDigit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// chunk-size [ BWS ";" chunk-ext ]. Sizes above 2^60 do not occur and would overflow sums.
Checked<std::uint64_t> ParseChunkLine(std::string_view line, std::size_t& digits) {
  constexpr std::size_t kMaxDigits = 15;
  std::uint64_t size = 0;
  for (digits = 0; digits < line.size(); ++digits) {
    const int value = HexDigit(line[digits]);
    if (value < 0) break;
    if (digits >= kMaxDigits) return Refuse(400, kCodecError);
    size = size * 16 + static_cast<std::uint64_t>(value);
  }
  if (digits == 0) return Refuse(400, kCodecError);
  std::string_view rest = line.substr(digits);
  if (rest.empty()) return size;
  const std::size_t begin = rest.find_first_not_of(" \t");
  if (begin == std::string_view::npos || rest[begin] != ';' || !IsFieldValue(rest)) return Refuse(400, kCodecError);
  return size;
}
}  // namespace

void BodyReader::Begin(const Framing& framing) noexcept {
  kind_ = framing.kind;
  remaining_ = framing.length;
  extension_bytes_ = 0;
  scanner_.Reset();
  step_ = Step::kSize;
}

void BodyReader::MoveData(Buffer& in, Buffer& out, std::size_t max) {
  const std::size_t n = static_cast<std::size_t>(std::min<std::uint64_t>(remaining_, std::min(in.size(), max)));
  out.MoveFrom(in, n);
  remaining_ -= n;
}

Checked<bool> BodyReader::Read(Buffer& in, Buffer& out, std::size_t max, const http::CodecOptions& options,
                               http::Headers& trailers) {
  switch (kind_) {
    case BodyKind::kNone: return true;
    case BodyKind::kLength: MoveData(in, out, max); return remaining_ == 0;
    case BodyKind::kUntilEnd: out.MoveFrom(in, max); return false;
    case BodyKind::kChunked: return ReadChunked(in, out, max, options, trailers);
  }
  return true;
}

Checked<bool> BodyReader::ReadChunked(Buffer& in, Buffer& out, std::size_t max, const http::CodecOptions& options,
                                      http::Headers& trailers) {
  while (true) {
    switch (step_) {
      case Step::kSize: {
        const auto known = ReadChunkSize(in);
        if (!known) return std::unexpected(known.error());
        if (!*known) return false;
        step_ = remaining_ == 0 ? Step::kTrailers : Step::kData;
        break;
      }
      case Step::kData:
        if (out.size() >= max) return false;
        MoveData(in, out, max - out.size());
        if (remaining_ > 0) return false;
        step_ = Step::kDataEnd;
        break;
      case Step::kDataEnd: {
        std::uint8_t end[2] = {};
        const std::size_t n = in.CopyOut(end);
        if ((n > 0 && end[0] != '\r') || (n > 1 && end[1] != '\n')) return Refuse(400, kCodecError);
        if (n < 2) return false;
        in.Drain(2);
        step_ = Step::kSize;
        break;
      }
      case Step::kTrailers: return ReadTrailers(in, options, trailers);
    }
  }
}

Checked<bool> BodyReader::ReadChunkSize(Buffer& in) {
  // The line is short (a few bytes), so that looking again at its beginning costs nothing.
  const std::size_t end = in.Find("\n");
  if (end == SIZE_MAX ? in.size() > kMaxChunkLine : end > kMaxChunkLine) return Refuse(400, kCodecError);
  if (end == SIZE_MAX) return false;
  const std::string_view line = AsText(in.Linearize(end + 1));
  if (end == 0 || line[end - 1] != '\r') return Refuse(400, kCodecError);
  std::size_t digits = 0;
  const auto size = ParseChunkLine(line.substr(0, end - 1), digits);
  if (!size) return std::unexpected(size.error());
  extension_bytes_ += static_cast<std::uint32_t>(end - 1 - digits);
  if (extension_bytes_ > kMaxExtensionBytes) return Refuse(400, kCodecError);
  in.Drain(end + 1);
  remaining_ = *size;
  return true;
}

Checked<bool> BodyReader::ReadTrailers(Buffer& in, const http::CodecOptions& options, http::Headers& trailers) {
  const auto size = scanner_.Scan(in, options.max_header_bytes, kTrailersTooLarge);
  if (!size) return std::unexpected(size.error());
  if (*size == 0) return false;
  if (*size > 2) {
    std::string scratch;
    if (auto parsed = ParseTrailerBlock(Contiguous(in, *size, scratch), options, trailers); !parsed)
      return std::unexpected(parsed.error());
    if (!options.enable_trailers) trailers.Clear();
  }
  in.Drain(*size);
  return true;
}

Checked<bool> TellBody(const Checked<bool>& ended, Buffer& data, http::Headers trailers, http::StreamEvents& stream,
                       const bool& aborted) {
  if (!ended) {
    if (!data.empty()) stream.OnData(data, false);
    return std::unexpected(ended.error());
  }
  if (data.empty() && !*ended) return false;
  if (trailers.empty()) {
    stream.OnData(data, *ended);
  } else {
    if (!data.empty()) stream.OnData(data, false);
    if (!aborted) stream.OnTrailers(std::move(trailers));
  }
  return true;
}

}  // namespace plait::http1
