#include "proxy/record/format.h"

#include <algorithm>

#include "core/base/strings.h"
#include "proxy/record/operators.h"

namespace plait::proxy::record {

const std::string_view kEnvoyFormat =
    "[%START_TIME%] \"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%\" %RESPONSE_CODE% %RESPONSE_FLAGS% "
    "%BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% \"%REQ(X-FORWARDED-FOR)%\" "
    "\"%REQ(USER-AGENT)%\" \"%REQ(X-REQUEST-ID)%\" \"%REQ(:AUTHORITY)%\" \"%UPSTREAM_HOST%\"\n";

const std::string_view kIstioFormat =
    "[%START_TIME%] \"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%\" %RESPONSE_CODE% %RESPONSE_FLAGS% "
    "%RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% \"%UPSTREAM_TRANSPORT_FAILURE_REASON%\" %BYTES_RECEIVED% "
    "%BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% \"%REQ(X-FORWARDED-FOR)%\" \"%REQ(USER-AGENT)%\" "
    "\"%REQ(X-REQUEST-ID)%\" \"%REQ(:AUTHORITY)%\" \"%UPSTREAM_HOST%\" %UPSTREAM_CLUSTER_RAW% %UPSTREAM_LOCAL_ADDRESS% "
    "%DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS% %REQUESTED_SERVER_NAME% %ROUTE_NAME%\n";

const std::vector<std::pair<std::string, std::string>>& IstioJsonFormat() {
  static const std::vector<std::pair<std::string, std::string>> kKeys = {
      {"authority", "%REQ(:AUTHORITY)%"},
      {"bytes_received", "%BYTES_RECEIVED%"},
      {"bytes_sent", "%BYTES_SENT%"},
      {"connection_termination_details", "%CONNECTION_TERMINATION_DETAILS%"},
      {"downstream_local_address", "%DOWNSTREAM_LOCAL_ADDRESS%"},
      {"downstream_remote_address", "%DOWNSTREAM_REMOTE_ADDRESS%"},
      {"duration", "%DURATION%"},
      {"method", "%REQ(:METHOD)%"},
      {"path", "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%"},
      {"protocol", "%PROTOCOL%"},
      {"request_id", "%REQ(X-REQUEST-ID)%"},
      {"requested_server_name", "%REQUESTED_SERVER_NAME%"},
      {"response_code", "%RESPONSE_CODE%"},
      {"response_code_details", "%RESPONSE_CODE_DETAILS%"},
      {"response_flags", "%RESPONSE_FLAGS%"},
      {"route_name", "%ROUTE_NAME%"},
      {"start_time", "%START_TIME%"},
      {"upstream_cluster", "%UPSTREAM_CLUSTER%"},
      {"upstream_host", "%UPSTREAM_HOST%"},
      {"upstream_local_address", "%UPSTREAM_LOCAL_ADDRESS%"},
      {"upstream_service_time", "%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%"},
      {"upstream_transport_failure_reason", "%UPSTREAM_TRANSPORT_FAILURE_REASON%"},
      {"user_agent", "%REQ(USER-AGENT)%"},
      {"x_forwarded_for", "%REQ(X-FORWARDED-FOR)%"},
  };
  return kKeys;
}

namespace {

Diagnostic Bad(std::string_view command, std::string_view why) {
  return {.code = Errc::kInvalidInput,
          .message = "format operator '%" + std::string(command) + "%': " + std::string(why),
          .hint = "see Envoy's access log operators; a literal percent sign is written %%"};
}

// "NAME", "NAME(argument)", "NAME(argument):12" -> a piece.
Outcome<Format::Piece> CompileCommand(std::string_view command) {
  const std::size_t name_end = std::min(command.find_first_of("(:"), command.size());
  const Operator* op = FindOperator(command.substr(0, name_end));
  if (op == nullptr) return std::unexpected(Bad(command, "not known"));
  Format::Piece piece{.value = op->value, .number = op->number};
  std::string_view rest = command.substr(name_end);
  if (rest.starts_with('(')) {
    const std::size_t close = rest.rfind(')');
    if (close == std::string_view::npos) return std::unexpected(Bad(command, "')' is missing"));
    const std::string_view argument = rest.substr(1, close - 1);
    rest.remove_prefix(close + 1);
    if (op->argument == Operator::Argument::kNone) return std::unexpected(Bad(command, "takes no argument"));
    if (op->argument == Operator::Argument::kHeader) {
      const auto [first, second] = SplitOnce(argument, '?');
      piece.text = ToLower(first);
      piece.other = second ? ToLower(*second) : "";
    } else {
      piece.text = std::string(argument);
    }
  }
  const bool needs = op->argument == Operator::Argument::kHeader || op->argument == Operator::Argument::kName;
  if (needs && piece.text.empty()) return std::unexpected(Bad(command, "needs a name in parentheses"));
  if (rest.starts_with(':')) {
    const auto most = ParseUint(rest.substr(1));
    if (!most || *most == 0) return std::unexpected(Bad(command, "the length after ':' is no number"));
    piece.most = *most;
  } else if (!rest.empty()) {
    return std::unexpected(Bad(command, "text after ')'"));
  }
  return piece;
}

// The '%' that ends a command that begins at `at`: one outside of its parentheses (START_TIME's argument holds some).
std::size_t CommandEnd(std::string_view text, std::size_t at) {
  int depth = 0;
  for (; at < text.size(); ++at) {
    if (text[at] == '(') ++depth;
    if (text[at] == ')') --depth;
    if (text[at] == '%' && depth <= 0) return at;
  }
  return std::string_view::npos;
}

}  // namespace

Outcome<Format> Format::Compile(std::string_view text) {
  Format format;
  std::string literal;
  const auto flush = [&] {
    if (!literal.empty()) format.pieces_.push_back({.text = std::exchange(literal, {})});
  };
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '%') {
      literal += text[at];
      continue;
    }
    if (text.substr(at).starts_with("%%")) {
      literal += '%';
      ++at;
      continue;
    }
    const std::size_t end = CommandEnd(text, at + 1);
    if (end == std::string_view::npos) return std::unexpected(Bad(text.substr(at + 1), "the closing '%' is missing"));
    Outcome<Piece> piece = CompileCommand(text.substr(at + 1, end - at - 1));
    if (!piece) return std::unexpected(piece.error());
    flush();
    format.pieces_.push_back(*std::move(piece));
    at = end;
  }
  flush();
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

void Format::AppendJson(const StreamRecord& record, std::string& out, bool omit_empty) const {
  std::string value;
  if (pieces_.size() == 1 && pieces_[0].value != nullptr) {
    if (!AppendPiece(pieces_[0], record, value)) {
      out += "null";
    } else if (pieces_[0].number) {
      out += value;
    } else {
      AppendJsonString(value, out);
    }
    return;
  }
  Append(record, value, omit_empty);
  AppendJsonString(value, out);
}

void AppendJsonString(std::string_view text, std::string& out) {
  constexpr char kHex[] = "0123456789abcdef";
  out += '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      out += "\\u00";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    } else if (byte >= 0x80) {  // header values may hold any bytes; ISO 8859-1 keeps the line valid JSON
      out += static_cast<char>(0xC0 | (byte >> 6));
      out += static_cast<char>(0x80 | (byte & 0x3F));
    } else {
      out += c;
    }
  }
  out += '"';
}

Outcome<JsonFormat> JsonFormat::Compile(const std::vector<std::pair<std::string, std::string>>& keys, bool omit_empty) {
  JsonFormat json;
  json.omit_empty_ = omit_empty;
  for (const auto& [key, text] : keys) {
    Outcome<Format> format = Format::Compile(text);
    if (!format) return std::unexpected(format.error());
    std::string escaped;
    AppendJsonString(key, escaped);
    json.keys_.emplace_back(std::move(escaped), *std::move(format));
  }
  return json;
}

void JsonFormat::Append(const StreamRecord& record, std::string& out) const {
  out += '{';
  bool first = true;
  for (const auto& [key, format] : keys_) {
    if (omit_empty_ && format.Missing(record)) continue;
    if (!first) out += ',';
    first = false;
    out.append(key).append(":");
    format.AppendJson(record, out, omit_empty_);
  }
  out += "}\n";
}

}  // namespace plait::proxy::record
