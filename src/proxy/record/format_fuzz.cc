// Formats of access logs and header values, which users write, over a record of what a client sent. The input: options,
// the format, NUL, the client's text. Checked: a format means what its two halves mean, wherever it is cut; JSON is
// JSON and says what the text says; text without operators comes out as it is.
#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "core/base/check.h"
#include "core/xds/cluster.h"
#include "proxy/cluster/host.h"
#include "proxy/record/format.h"

namespace {
using namespace plait;
using proxy::record::Format;
using Json = nlohmann::ordered_json;

// A request that was answered, or a connection, with a client's text wherever clients' texts stand.
class Record {
 public:
  Record(std::string_view text, bool http) : text_(text) {
    connection_.remote = *io::SocketAddress::Parse("10.0.0.9:5555");
    connection_.local = *io::SocketAddress::Parse("[fd00::1]:9080");
    connection_.server_name = text;
    connection_.tls = &tls_;
    tls_.peer_subject = text;
    tls_.peer_uri_sans = {text_, text_};
    head_.method = "GET";
    head_.path = text;
    head_.authority = text;
    head_.headers.Add("user-agent", text);
    head_.headers.Add("content-type", "application/grpc");
    response_.status = 200;
    response_.headers.Add("x-a", text);
    trailers_.Add("grpc-status", text);
    record_.connection = &connection_;
    record_.start = WallTime(std::chrono::milliseconds(1'795'529'580'123));
    record_.remote = connection_.remote;
    record_.response_details = text;
    record_.transport_failure = text;
    record_.total = std::chrono::microseconds(8900);
    record_.metadata = {{"a", "b", text_}};
    if (!http) return;
    record_.request = &head_;
    record_.response = &response_;
    record_.response_trailers = &trailers_;
    record_.response_code = 200;
    record_.cluster_name = "outbound|80||a";
    record_.upstream_local = *io::SocketAddress::Parse("10.244.0.4:40000");
    record_.host = std::make_shared<proxy::cluster::Host>(
        proxy::cluster::Host::Facts{.address = *io::SocketAddress::Parse("10.244.0.5:9080")}, 1,
        xds::HealthStatus::kHealthy);
  }
  Record(const Record&) = delete;
  Record& operator=(const Record&) = delete;
  const proxy::record::StreamRecord& operator*() const { return record_; }

 private:
  const std::string text_;
  proxy::record::ConnectionInfo connection_;
  io::TlsFacts tls_;
  http::RequestHead head_;
  http::ResponseHead response_;
  http::Headers trailers_;
  proxy::record::StreamRecord record_;
};

std::string TextOf(const Format& format, const Record& record, bool omit_empty) {
  std::string out;
  format.Append(*record, out, omit_empty);
  return out;
}

// What a JSON string stands for; \u00XX above 0x7f is a byte.
std::string Unescaped(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      out += text[i];
    } else if (text[++i] == 'u') {
      out += static_cast<char>(std::stoi(std::string(text.substr(i + 1, 4)), nullptr, 16));
      i += 4;
    } else {
      const std::size_t at = std::string_view("btnfr").find(text[i]);
      out += at == std::string_view::npos ? text[i] : "\b\t\n\f\r"[at];
    }
  }
  return out;
}

void CheckJson(std::string_view text, const Format& format, const Record& record, bool omit_empty) {
  xds::JsonFormat config;
  config.keys = {"a\"\x01"};
  config.items = {xds::JsonFormat::Text(std::string(text))};
  const auto json = proxy::record::JsonFormat::Compile(config, omit_empty);
  PLAIT_CHECK(json.has_value());
  std::string line;
  json->Append(*record, line);
  PLAIT_CHECK(line.ends_with("}\n") && std::count(line.begin(), line.end(), '\n') == 1);
  const Json object = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  PLAIT_CHECK(object.is_object());
  PLAIT_CHECK(object.empty() == (omit_empty && format.Missing(*record)));
  if (object.empty()) return;
  const Json& value = object.at("a\"\x01");
  const std::string written = TextOf(format, record, omit_empty);
  if (value.is_null()) PLAIT_CHECK(format.Missing(*record));
  if (value.is_number()) PLAIT_CHECK(value.dump() == written);
  if (!value.is_string()) return;
  constexpr std::string_view kBefore = "{\"a\\\"\\u0001\":\"", kAfter = "\"}\n";
  PLAIT_CHECK(line.starts_with(kBefore) && line.ends_with(kAfter));
  const std::string_view inner = line;
  PLAIT_CHECK(Unescaped(inner.substr(kBefore.size(), line.size() - kBefore.size() - kAfter.size())) == written);
}

void CheckHalves(std::string_view text, const std::string& whole, const Record& record, bool omit_empty) {
  for (std::size_t at = 1; at < text.size() && text.size() <= 256; ++at) {
    const auto first = Format::Compile(text.substr(0, at));
    const auto second = first ? Format::Compile(text.substr(at)) : first;
    if (second) PLAIT_CHECK(TextOf(*first, record, omit_empty) + TextOf(*second, record, omit_empty) == whole);
  }
}

void CheckLiteral(std::string_view text, const Record& record) {
  std::string escaped;
  for (const char c : text) escaped.append(c == '%' ? 2 : 1, c);
  const auto format = Format::Compile(escaped);
  PLAIT_CHECK(format && TextOf(*format, record, false) == text);
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0 || size > 4096) return 0;
  const bool omit_empty = (data[0] & 1) != 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::string_view text = input.substr(0, input.find('\0'));
  const std::string_view client = input.substr(std::min(text.size() + 1, input.size()));
  const Record record(client, (data[0] & 2) != 0);
  CheckLiteral(client, record);
  const auto format = Format::Compile(text);
  if (!format) {
    PLAIT_CHECK(format.error().message.starts_with("format operator '%") && !format.error().hint.empty());
    return 0;
  }
  if (text.contains("UNIQUE_ID")) return 0;  // another one each time
  const std::string whole = TextOf(*format, record, omit_empty);
  CheckHalves(text, whole, record, omit_empty);
  CheckJson(text, *format, record, omit_empty);
  return 0;
}
