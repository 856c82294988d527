#include "core/xds/command_operators.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <initializer_list>
#include <utility>

#include "core/base/strings.h"
#include "core/xds/cel_attributes.h"

namespace plait::xds {
namespace {
using Argument = CommandOperator::Argument;

constexpr auto kOperators = std::to_array<CommandOperator>({
    {"START_TIME", Argument::kTime},
    {"START_TIME_LOCAL", Argument::kTime},
    {"EMIT_TIME", Argument::kTime},
    {"EMIT_TIME_LOCAL", Argument::kTime},
    {"REQ", Argument::kHeader},
    {"REQUEST_HEADER", Argument::kHeader},
    {"REQ_WITHOUT_QUERY", Argument::kHeader},
    {"RESP", Argument::kHeader},
    {"RESPONSE_HEADER", Argument::kHeader},
    {"TRAILER", Argument::kHeader},
    {"RESPONSE_TRAILER", Argument::kHeader},
    {"QUERY_PARAM", Argument::kName},
    {"QUERY_PARAMS", Argument::kQuery},
    {"PATH", Argument::kPath},
    {"PROTOCOL"},
    {"UPSTREAM_PROTOCOL"},
    {"RESPONSE_CODE"},
    {"RESPONSE_CODE_DETAILS", Argument::kWords},
    {"CONNECTION_TERMINATION_DETAILS"},
    {"RESPONSE_FLAGS"},
    {"RESPONSE_FLAGS_LONG"},
    {"BYTES_RECEIVED"},
    {"BYTES_SENT"},
    {"REQUEST_HEADERS_BYTES"},
    {"RESPONSE_HEADERS_BYTES"},
    {"RESPONSE_TRAILERS_BYTES"},
    {"UPSTREAM_WIRE_BYTES_SENT"},
    {"UPSTREAM_WIRE_BYTES_RECEIVED"},
    {"DURATION"},
    {"COMMON_DURATION", Argument::kDuration},
    {"REQUEST_DURATION"},
    {"REQUEST_TX_DURATION"},
    {"RESPONSE_DURATION"},
    {"RESPONSE_TX_DURATION"},
    {"ROUNDTRIP_DURATION"},
    {"ROUTE_NAME"},
    {"VIRTUAL_CLUSTER_NAME"},
    {"UPSTREAM_HOST"},
    {"UPSTREAM_HOST_NAME"},
    {"UPSTREAM_HOST_NAME_WITHOUT_PORT"},
    {"UPSTREAM_CLUSTER"},
    {"UPSTREAM_CLUSTER_RAW"},
    {"UPSTREAM_LOCAL_ADDRESS"},
    {"UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT", Argument::kMask},
    {"UPSTREAM_LOCAL_PORT"},
    {"UPSTREAM_REMOTE_ADDRESS"},
    {"UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT", Argument::kMask},
    {"UPSTREAM_REMOTE_PORT"},
    {"UPSTREAM_TRANSPORT_FAILURE_REASON"},
    {"DOWNSTREAM_TRANSPORT_FAILURE_REASON"},
    {"DOWNSTREAM_LOCAL_CLOSE_REASON"},
    {"DOWNSTREAM_DETECTED_CLOSE_TYPE"},
    {"UPSTREAM_DETECTED_CLOSE_TYPE"},
    {"UPSTREAM_REQUEST_ATTEMPT_COUNT"},
    {"UPSTREAM_PEER_URI_SAN"},
    {"DOWNSTREAM_REMOTE_ADDRESS"},
    {"DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT", Argument::kMask},
    {"DOWNSTREAM_REMOTE_PORT"},
    {"DOWNSTREAM_DIRECT_REMOTE_ADDRESS"},
    {"DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT", Argument::kMask},
    {"DOWNSTREAM_DIRECT_REMOTE_PORT"},
    {"DOWNSTREAM_LOCAL_ADDRESS"},
    {"DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT", Argument::kMask},
    {"DOWNSTREAM_LOCAL_PORT"},
    {"FILTER_CHAIN_NAME"},
    {"CONNECTION_ID"},
    {"STREAM_ID"},
    {"UNIQUE_ID"},
    {"TRACE_ID"},
    {"SPAN_ID"},
    {"ACCESS_LOG_TYPE"},
    {"LOCAL_REPLY_BODY"},
    {"CUSTOM_FLAGS"},
    {"REQUESTED_SERVER_NAME", Argument::kServerName},
    {"DOWNSTREAM_PEER_URI_SAN"},
    {"DOWNSTREAM_PEER_DNS_SAN"},
    {"DOWNSTREAM_PEER_SUBJECT"},
    {"DOWNSTREAM_PEER_FINGERPRINT_256"},
    {"DOWNSTREAM_LOCAL_URI_SAN"},
    {"DOWNSTREAM_TLS_VERSION"},
    {"DOWNSTREAM_TLS_CIPHER"},
    {"GRPC_STATUS", Argument::kGrpcStatus},
    {"GRPC_STATUS_NUMBER"},
    {"DYNAMIC_METADATA", Argument::kName},
    {"CLUSTER_METADATA", Argument::kName},
    {"UPSTREAM_METADATA", Argument::kName},
    {"METADATA", Argument::kMetadata},
    {"FILTER_STATE", Argument::kState},
    {"UPSTREAM_FILTER_STATE", Argument::kState},
    {"HOSTNAME"},
    {"ENVIRONMENT", Argument::kName},
});

Diagnostic Bad(std::string_view command, std::string_view why) {
  return {.code = Errc::kInvalidInput,
          .message = "format operator '%" + std::string(command) + "%': " + std::string(why),
          .hint = "see Envoy's access log operators; a literal percent sign is written %%"};
}

bool OneOf(std::string_view word, std::initializer_list<std::string_view> words) {
  return std::ranges::find(words, word) != words.end();
}

bool IsHeaderName(std::string_view name) {
  if (name.starts_with(':')) name.remove_prefix(1);
  return !name.empty() && std::ranges::all_of(name, [](unsigned char c) {
    return std::isalnum(c) != 0 ||
           std::string_view("!#$&'*+-.^_`|~").find(static_cast<char>(c)) != std::string_view::npos;
  });
}

// Why the argument of `op` cannot be; empty: it can. `text` is what stands in the parentheses.
std::string_view BadArgument(Argument kind, std::string_view text) {
  std::array<std::string_view, 3> parts;  // "a:b:c"
  std::size_t count = 0;
  for (const std::string_view part : Split(text, ':')) {
    if (count < parts.size()) parts[count] = part;
    ++count;
  }
  switch (kind) {
    case Argument::kNone: return text.empty() ? "" : "takes no argument";
    case Argument::kHeader: {
      if (std::ranges::count(text, '?') > 1) return "has more than one other header";
      const auto [first, second] = SplitOnce(text, '?');
      const std::string_view other = second.value_or("");
      if (first.empty() && other.empty()) return "needs a name in parentheses";
      const bool named = (first.empty() || IsHeaderName(first)) && (other.empty() || IsHeaderName(other));
      return named ? "" : "that is no name of a header";
    }
    case Argument::kName: return text.empty() ? "needs a name in parentheses" : "";
    case Argument::kTime: return text.find("%n") == std::string_view::npos ? "" : "a time has no line feed (%n)";
    case Argument::kDuration:
      if (count < 2 || count > 3) return "needs two points of time, e.g. (DS_RX_BEG:DS_TX_END:ms)";
      return count == 2 || OneOf(parts[2], {"ms", "us", "ns"}) ? "" : "the unit is ms, us or ns";
    case Argument::kPath:
      if (!OneOf(parts[0], {"", "WQ", "NQ"})) return "takes WQ or NQ";
      return OneOf(parts[1], {"", "ORIG", "PATH", "ORIG_OR_PATH"}) ? "" : "takes a path of ORIG, PATH or ORIG_OR_PATH";
    case Argument::kQuery: return OneOf(text, {"", "ORIG", "DECODED"}) ? "" : "takes ORIG or DECODED";
    case Argument::kServerName:
      if (!OneOf(parts[0], {"", "SNI_ONLY", "SNI_FIRST", "HOST_FIRST"}))
        return "takes SNI_ONLY, SNI_FIRST or HOST_FIRST";
      return OneOf(parts[1], {"", "ORIG", "HOST", "ORIG_OR_HOST"}) ? "" : "takes a host of ORIG, HOST or ORIG_OR_HOST";
    case Argument::kGrpcStatus:
      return OneOf(text, {"", "CAMEL_STRING", "SNAKE_STRING", "NUMBER"}) ? ""
                                                                         : "takes CAMEL_STRING, SNAKE_STRING or NUMBER";
    case Argument::kState:
      if (parts[0].empty()) return "needs a key in parentheses";
      if (!OneOf(parts[1], {"", "PLAIN", "TYPED", "FIELD"})) return "is written PLAIN, TYPED or FIELD";
      return (parts[1] == "FIELD") == !parts[2].empty() ? "" : "a name of a field goes with FIELD";
    case Argument::kMetadata:
      return OneOf(parts[0], {"DYNAMIC", "CLUSTER", "ROUTE", "UPSTREAM_HOST", "LISTENER", "VIRTUAL_HOST",
                              "LISTENER_FILTER_CHAIN"})
                 ? ""
                 : "is that of DYNAMIC, CLUSTER, ROUTE, UPSTREAM_HOST, LISTENER, VIRTUAL_HOST or LISTENER_FILTER_CHAIN";
    case Argument::kMask:
    case Argument::kWords: return "";
  }
  return "";
}

bool TakesLength(Argument kind) {
  switch (kind) {
    case Argument::kHeader:
    case Argument::kName:
    case Argument::kPath:
    case Argument::kQuery:
    case Argument::kState:
    case Argument::kMetadata: return true;
    default: return false;
  }
}

constexpr std::string_view kNoLength = "the length after ':' is no number";

// ":12"; false: it is none.
bool ReadLength(std::string_view text, FormatPiece& piece) {
  const auto most = text.starts_with(':') ? ParseUint(text.substr(1)) : std::nullopt;
  if (most) piece.most = *most;
  return most.has_value();
}

// "NAME", "NAME(argument)", "NAME(argument):12" -> a piece.
Outcome<FormatPiece> ParseCommand(std::string_view command);

// "CEL(attribute)", "TYPED_CEL(attribute):12": what gives the attribute.
Outcome<FormatPiece> ParseAttribute(std::string_view command) {
  const std::size_t open = command.find('('), close = command.rfind(')');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open)
    return std::unexpected(Bad(command, "needs an attribute in parentheses"));
  const auto attribute = CommandOfAttribute(command.substr(open + 1, close - open - 1));
  if (!attribute)
    return std::unexpected(Bad(command, "is no single attribute that is known, e.g. request.headers['x-a']"));
  Outcome<FormatPiece> piece = ParseCommand(*attribute);
  if (!piece) return std::unexpected(Bad(command, "that is no name of a header"));
  piece->as_text = command.starts_with("CEL");
  const std::string_view rest = command.substr(close + 1);
  if (!rest.empty() && !ReadLength(rest, *piece)) return std::unexpected(Bad(command, kNoLength));
  return piece;
}

Outcome<FormatPiece> ParseCommand(std::string_view command) {
  const std::size_t name_end = std::min(command.find_first_of("(:"), command.size());
  if (OneOf(command.substr(0, name_end), {"CEL", "TYPED_CEL"})) return ParseAttribute(command);
  const auto op = std::ranges::find(kOperators, command.substr(0, name_end), &CommandOperator::name);
  if (op == kOperators.end()) return std::unexpected(Bad(command, "not known"));
  FormatPiece piece{.command = &*op};
  std::string_view rest = command.substr(name_end), argument;
  if (rest.starts_with('(')) {
    const std::size_t close = rest.rfind(')');
    if (close == std::string_view::npos) return std::unexpected(Bad(command, "')' is missing"));
    argument = rest.substr(1, close - 1);
    rest.remove_prefix(close + 1);
  }
  if (const std::string_view why = BadArgument(op->argument, argument); !why.empty())
    return std::unexpected(Bad(command, why));
  piece.text = std::string(argument);
  if (op->argument == Argument::kHeader) {
    const auto [first, second] = SplitOnce(argument, '?');
    piece.text = ToLower(first.empty() ? second.value_or("") : first);
    piece.other = ToLower(second.value_or(""));
  }
  if (rest.starts_with(':')) {
    if (!TakesLength(op->argument)) return std::unexpected(Bad(command, "takes no length"));
    if (!ReadLength(rest, piece)) return std::unexpected(Bad(command, kNoLength));
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

std::span<const CommandOperator> CommandOperators() noexcept { return kOperators; }

Outcome<std::vector<FormatPiece>> ParseFormat(std::string_view text) {
  std::vector<FormatPiece> pieces;
  std::string literal;
  const auto flush = [&] {
    if (!literal.empty()) pieces.push_back({.text = std::exchange(literal, {})});
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
    Outcome<FormatPiece> piece = ParseCommand(text.substr(at + 1, end - at - 1));
    if (!piece) return std::unexpected(piece.error());
    flush();
    pieces.push_back(*std::move(piece));
    at = end;
  }
  flush();
  return pieces;
}

}  // namespace plait::xds
