#include "proxy/record/format.h"

#include "core/base/check.h"
#include "core/xds/command_operators.h"
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
    piece.number = op->number || (op->name == "GRPC_STATUS" && piece.text == "NUMBER");
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
