#include "proxy/record/format.h"

#include <algorithm>
#include <charconv>

#include "core/base/check.h"
#include "core/base/utf8.h"
#include "core/xds/command_operators.h"
#include "proxy/record/operators.h"

namespace plait::proxy::record {
namespace {
using Kind = xds::JsonFormat::Kind;

void AppendEscaped(std::string_view text, std::string& out) {
  constexpr char kHex[] = "0123456789abcdef";
  constexpr std::string_view kControls = "\b\t\n\f\r", kLetters = "btnfr";
  const bool utf8 = IsUtf8(text);
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out.append({'\\', c});
    } else if (const std::size_t at = kControls.find(c); at != std::string_view::npos) {
      out.append({'\\', kLetters[at]});
    } else if (byte < 0x20 || (byte >= 0x80 && !utf8)) {
      out.append({'\\', 'u', '0', '0', kHex[byte >> 4], kHex[byte & 15]});
    } else {
      out += c;
    }
  }
}
}  // namespace

const std::string_view kEnvoyFormat =
    "[%START_TIME%] \"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%\" %RESPONSE_CODE% %RESPONSE_FLAGS% "
    "%BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% \"%REQ(X-FORWARDED-FOR)%\" "
    "\"%REQ(USER-AGENT)%\" \"%REQ(X-REQUEST-ID)%\" \"%REQ(:AUTHORITY)%\" \"%UPSTREAM_HOST%\"\n";

Outcome<Format> Format::Compile(std::string_view text) {
  auto parsed = xds::ParseFormat(text);
  if (!parsed) return std::unexpected(std::move(parsed).error());
  Format format;
  for (xds::FormatPiece& from : *parsed) {
    Piece& piece = format.pieces_.emplace_back(
        Piece{.most = from.most, .text = std::move(from.text), .other = std::move(from.other)});
    if (from.command == nullptr) continue;
    const Operator* op = FindOperator(from.command->name);
    PLAIT_CHECK(op != nullptr);  // the two tables have the same names
    piece.value = op->value;
    piece.number = !from.as_text && (op->number || (op->name == "GRPC_STATUS" && piece.text == "NUMBER"));
    if (piece.number) piece.most = SIZE_MAX;  // a number is not cut
  }
  return format;
}

bool Format::AppendPiece(const Piece& piece, const StreamRecord& record, std::string& out) const {
  if (piece.value == nullptr) {
    out += piece.text;
    return true;
  }
  const std::size_t before = out.size();
  const bool has = piece.value(record, piece, out);
  if (has && out.size() - before > piece.most) out.resize(before + piece.most);
  return has;
}

void Format::Append(const StreamRecord& record, std::string& out, bool omit_empty) const {
  for (const Piece& piece : pieces_) {
    if (!AppendPiece(piece, record, out) && !omit_empty) out += '-';
  }
}

bool Format::Missing(const StreamRecord& record) const {
  if (pieces_.size() != 1) return false;
  std::string ignored;
  return !AppendPiece(pieces_[0], record, ignored);
}

// A text of several pieces is a string; in it only what has no UTF-8 of its own is escaped byte by byte.
void Format::AppendJson(const StreamRecord& record, std::string& out, bool omit_empty) const {
  std::string value;
  if (pieces_.size() == 1 && pieces_[0].value != nullptr && pieces_[0].number) {
    if (!AppendPiece(pieces_[0], record, out)) out += "null";
    return;
  }
  out += '"';
  for (const Piece& piece : pieces_) {
    value.clear();
    if (AppendPiece(piece, record, value)) {
      AppendEscaped(value, out);
    } else if (pieces_.size() == 1) {
      out.pop_back();
      out += "null";
      return;
    } else if (!omit_empty) {
      out += '-';
    }
  }
  out += '"';
}

void AppendJsonString(std::string_view text, std::string& out) {
  out += '"';
  AppendEscaped(text, out);
  out += '"';
}

Outcome<JsonFormat::Value> JsonFormat::CompileValue(const xds::JsonFormat& from) {
  Value value{.kind = from.kind};
  switch (from.kind) {
    case Kind::kNull: value.text = "null"; break;
    case Kind::kBool: value.text = from.boolean ? "true" : "false"; break;
    case Kind::kNumber: {
      char text[32];
      value.text.assign(text, std::to_chars(text, text + sizeof text, from.number).ptr);
      break;
    }
    case Kind::kText: {
      Outcome<Format> format = Format::Compile(from.text);
      if (!format) return std::unexpected(format.error());
      value.format = *std::move(format);
      break;
    }
    case Kind::kList:
    case Kind::kObject: break;
  }
  for (const xds::JsonFormat& item : from.items) {
    Outcome<Value> compiled = CompileValue(item);
    if (!compiled) return std::unexpected(compiled.error());
    value.items.push_back(*std::move(compiled));
  }
  for (const std::string& key : from.keys) {
    std::string& name = value.names.emplace_back();
    AppendJsonString(key, name);
    name += ':';
  }
  return value;
}

Outcome<JsonFormat> JsonFormat::Compile(const xds::JsonFormat& format, bool omit_empty) {
  Outcome<Value> root = CompileValue(format);
  if (!root) return std::unexpected(root.error());
  JsonFormat out;
  out.root_ = *std::move(root);
  out.omit_empty_ = omit_empty;
  return out;
}

// As in Envoy an object of which nothing is left goes too; a list stays.
bool JsonFormat::Omits(const Value& value, const StreamRecord& record) const {
  switch (value.kind) {
    case Kind::kNull: return true;
    case Kind::kText: return value.format.Missing(record);
    case Kind::kObject: return std::ranges::all_of(value.items, [&](const Value& item) { return Omits(item, record); });
    default: return false;
  }
}

void JsonFormat::Append(const Value& value, const StreamRecord& record, std::string& out) const {
  switch (value.kind) {
    case Kind::kText: return value.format.AppendJson(record, out, omit_empty_);
    case Kind::kList:
    case Kind::kObject: break;
    default: out += value.text; return;
  }
  const bool object = value.kind == Kind::kObject;
  out += object ? '{' : '[';
  bool first = true;
  for (std::size_t i = 0; i < value.items.size(); ++i) {
    if (omit_empty_ && Omits(value.items[i], record)) continue;
    if (!first) out += ',';
    first = false;
    if (object) out += value.names[i];
    Append(value.items[i], record, out);
  }
  out += object ? '}' : ']';
}

void JsonFormat::Append(const StreamRecord& record, std::string& out) const {
  Append(root_, record, out);
  out += '\n';
}

}  // namespace plait::proxy::record
