#pragma once
// Writes JSON text piece by piece; commas and quotes are its own business. Numbers are written as they are, 64-bit ones
// as strings where protobuf's JSON form does (Text).
#include <cstdint>
#include <string>
#include <string_view>

namespace plait::proxy::admin {

class Json {
 public:
  Json& Open(char bracket) {  // '{' or '['
    Separate();
    text_ += bracket;
    first_ = true;
    return *this;
  }
  Json& Close(char bracket) {
    text_ += bracket;
    first_ = false;
    return *this;
  }
  Json& Key(std::string_view key) {
    Separate();
    Quote(key);
    text_ += ':';
    after_key_ = true;
    return *this;
  }
  Json& Text(std::string_view value) {
    Separate();
    Quote(value);
    return *this;
  }
  Json& Text(std::uint64_t value) { return Text(std::to_string(value)); }
  Json& Number(std::uint64_t value) { return Raw(std::to_string(value)); }
  Json& Bool(bool value) { return Raw(value ? "true" : "false"); }
  Json& Null() { return Raw("null"); }
  Json& Raw(std::string_view json) {  // a whole value
    Separate();
    text_ += json;
    return *this;
  }
  std::string Take() { return std::move(text_); }

 private:
  void Separate() {
    if (!first_ && !after_key_) text_ += ',';
    first_ = after_key_ = false;
  }
  void Quote(std::string_view value) {
    constexpr char kHex[] = "0123456789abcdef";
    text_ += '"';
    for (const char c : value) {
      const auto byte = static_cast<unsigned char>(c);
      if (c == '"' || c == '\\') text_ += '\\';
      if (byte < 0x20) {
        text_ += "\\u00";
        text_ += kHex[byte >> 4];
        text_ += kHex[byte & 15];
      } else {
        text_ += c;
      }
    }
    text_ += '"';
  }
  std::string text_;
  bool first_ = true;
  bool after_key_ = false;
};

}  // namespace plait::proxy::admin
