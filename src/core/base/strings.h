#pragma once
// Small text operations on views. ASCII only, no locale, nothing allocates unless it returns a string or vector.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace plait {
constexpr char ToLower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }
constexpr bool IsDigit(char c) noexcept { return c >= '0' && c <= '9'; }
constexpr bool IsAlpha(char c) noexcept { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

bool EqualsIgnoreCase(std::string_view a, std::string_view b) noexcept;
std::string ToLower(std::string_view text);
std::string_view Trim(std::string_view text) noexcept;  // spaces, tabs, CR, LF
// "a,b,,c" -> a b "" c. An empty text gives one empty part.
std::vector<std::string_view> Split(std::string_view text, char separator);
// Splits at the first separator; second is nullopt when there is none.
std::pair<std::string_view, std::optional<std::string_view>> SplitOnce(std::string_view text, char separator) noexcept;
std::string Join(const std::vector<std::string>& parts, std::string_view separator);
// Whole text as an unsigned decimal; nullopt when empty, not digits or too large.
std::optional<std::uint64_t> ParseUint(std::string_view text) noexcept;
std::optional<std::int64_t> ParseInt(std::string_view text) noexcept;
std::optional<double> ParseDouble(std::string_view text) noexcept;

// Hash and equality that let unordered maps of string be searched with a view.
struct StringHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>{}(text); }
};
}  // namespace plait
