#pragma once
// Envoy's command operators ("%RESPONSE_CODE% %REQ(X-A?:PATH):20%"), compiled once and evaluated for access logs and
// header values. Immutable; any thread. An operator that is not known is an error when compiled, never an empty text.
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/result.h"
#include "core/xds/json_format.h"
#include "proxy/record/stream_record.h"

namespace plait::proxy::record {

// Envoy's default text format.
extern const std::string_view kEnvoyFormat;

class Format {
 public:
  static Outcome<Format> Compile(std::string_view text);
  // Missing values are "-", or nothing with `omit_empty`.
  void Append(const StreamRecord& record, std::string& out, bool omit_empty = false) const;
  // A JSON value: a number or null where the whole format is one operator that gives one, else a string.
  void AppendJson(const StreamRecord& record, std::string& out, bool omit_empty = false) const;
  // Whether this is one operator and it has no value (JSON's omit_empty_values).
  bool Missing(const StreamRecord& record) const;

  struct Piece;
  // Appends the value; false when there is none.
  using Value = bool (*)(const StreamRecord& record, const Piece& piece, std::string& out);
  struct Piece {
    Value value = nullptr;  // null: `text` as it is
    bool number = false;
    std::size_t most = SIZE_MAX;  // bytes of the value that are kept
    std::string text;             // literal, header name, time format
    std::string other;            // the header that is used when the first is absent
  };

 private:
  bool AppendPiece(const Piece& piece, const StreamRecord& record, std::string& out) const;
  std::vector<Piece> pieces_;
};

// A JSON object in one line, with a line feed.
class JsonFormat {
 public:
  static Outcome<JsonFormat> Compile(const xds::JsonFormat& format, bool omit_empty);
  void Append(const StreamRecord& record, std::string& out) const;

 private:
  struct Value {
    xds::JsonFormat::Kind kind = xds::JsonFormat::Kind::kObject;
    std::string text;                // kNull, kBool, kNumber: as it is written
    Format format;                   // kText
    std::vector<Value> items;        // kList, kObject
    std::vector<std::string> names;  // kObject: of `items`, escaped, with the colon
  };
  static Outcome<Value> CompileValue(const xds::JsonFormat& from);
  void Append(const Value& value, const StreamRecord& record, std::string& out) const;
  bool Omits(const Value& value, const StreamRecord& record) const;

  Value root_;
  bool omit_empty_ = false;
};

// With quotes. Bytes above 0x7f of a text that is no UTF-8 (header values may be anything) are written as \u00XX.
void AppendJsonString(std::string_view text, std::string& out);

}  // namespace plait::proxy::record
