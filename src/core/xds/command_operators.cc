#include "core/xds/command_operators.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/base/strings.h"

namespace plait::xds {
namespace {
using Argument = CommandOperator::Argument;

constexpr auto kOperators = std::to_array<CommandOperator>({
    {"START_TIME", Argument::kOptional},
    {"REQ", Argument::kHeader},
    {"RESP", Argument::kHeader},
    {"TRAILER", Argument::kHeader},
    {"PROTOCOL"},
    {"UPSTREAM_PROTOCOL"},
    {"RESPONSE_CODE"},
    {"RESPONSE_CODE_DETAILS"},
    {"CONNECTION_TERMINATION_DETAILS"},
    {"RESPONSE_FLAGS"},
    {"RESPONSE_FLAGS_LONG"},
    {"BYTES_RECEIVED"},
    {"BYTES_SENT"},
    {"REQUEST_HEADERS_BYTES"},
    {"RESPONSE_HEADERS_BYTES"},
    {"UPSTREAM_WIRE_BYTES_SENT"},
    {"UPSTREAM_WIRE_BYTES_RECEIVED"},
    {"DURATION"},
    {"REQUEST_DURATION"},
    {"REQUEST_TX_DURATION"},
    {"RESPONSE_DURATION"},
    {"RESPONSE_TX_DURATION"},
    {"ROUTE_NAME"},
    {"VIRTUAL_CLUSTER_NAME"},
    {"UPSTREAM_HOST"},
    {"UPSTREAM_HOST_NAME"},
    {"UPSTREAM_HOST_NAME_WITHOUT_PORT"},
    {"UPSTREAM_CLUSTER"},
    {"UPSTREAM_CLUSTER_RAW"},
    {"UPSTREAM_LOCAL_ADDRESS"},
    {"UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT"},
    {"UPSTREAM_LOCAL_PORT"},
    {"UPSTREAM_REMOTE_ADDRESS"},
    {"UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT"},
    {"UPSTREAM_REMOTE_PORT"},
    {"UPSTREAM_TRANSPORT_FAILURE_REASON"},
    {"DOWNSTREAM_TRANSPORT_FAILURE_REASON"},
    {"UPSTREAM_REQUEST_ATTEMPT_COUNT"},
    {"UPSTREAM_PEER_URI_SAN"},
    {"DOWNSTREAM_REMOTE_ADDRESS"},
    {"DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT"},
    {"DOWNSTREAM_REMOTE_PORT"},
    {"DOWNSTREAM_DIRECT_REMOTE_ADDRESS"},
    {"DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT"},
    {"DOWNSTREAM_DIRECT_REMOTE_PORT"},
    {"DOWNSTREAM_LOCAL_ADDRESS"},
    {"DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT"},
    {"DOWNSTREAM_LOCAL_PORT"},
    {"FILTER_CHAIN_NAME"},
    {"CONNECTION_ID"},
    {"REQUESTED_SERVER_NAME"},
    {"DOWNSTREAM_PEER_URI_SAN"},
    {"DOWNSTREAM_PEER_DNS_SAN"},
    {"DOWNSTREAM_PEER_SUBJECT"},
    {"DOWNSTREAM_PEER_FINGERPRINT_256"},
    {"DOWNSTREAM_LOCAL_URI_SAN"},
    {"DOWNSTREAM_TLS_VERSION"},
    {"DOWNSTREAM_TLS_CIPHER"},
    {"GRPC_STATUS", Argument::kOptional},
    {"GRPC_STATUS_NUMBER"},
    {"DYNAMIC_METADATA", Argument::kName},
    {"HOSTNAME"},
    {"ENVIRONMENT", Argument::kName},
});

Diagnostic Bad(std::string_view command, std::string_view why) {
  return {.code = Errc::kInvalidInput,
          .message = "format operator '%" + std::string(command) + "%': " + std::string(why),
          .hint = "see Envoy's access log operators; a literal percent sign is written %%"};
}

// "NAME", "NAME(argument)", "NAME(argument):12" -> a piece.
Outcome<FormatPiece> ParseCommand(std::string_view command) {
  const std::size_t name_end = std::min(command.find_first_of("(:"), command.size());
  const auto op = std::ranges::find(kOperators, command.substr(0, name_end), &CommandOperator::name);
  if (op == kOperators.end()) return std::unexpected(Bad(command, "not known"));
  FormatPiece piece{.command = &*op};
  std::string_view rest = command.substr(name_end);
  if (rest.starts_with('(')) {
    const std::size_t close = rest.rfind(')');
    if (close == std::string_view::npos) return std::unexpected(Bad(command, "')' is missing"));
    const std::string_view argument = rest.substr(1, close - 1);
    rest.remove_prefix(close + 1);
    if (op->argument == Argument::kNone) return std::unexpected(Bad(command, "takes no argument"));
    if (op->argument == Argument::kHeader) {
      const auto [first, second] = SplitOnce(argument, '?');
      piece.text = ToLower(first);
      piece.other = second ? ToLower(*second) : "";
    } else {
      piece.text = std::string(argument);
    }
  }
  const bool needs = op->argument == Argument::kHeader || op->argument == Argument::kName;
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
