#include "core/base/log.h"

#include <unistd.h>

#include <array>
#include <atomic>
#include <map>
#include <optional>
#include <vector>

#include "core/base/readable.h"
#include "core/base/strings.h"
#include "core/base/time.h"

namespace plait::log {
namespace {
constexpr std::size_t kMaxMessage = 16 * 1024;  // what others say may be endless
constexpr std::array<std::string_view, 6> kNames = {"trace", "debug", "info", "warn", "error", "off"};
std::atomic<bool> json_form = false;

Component*& Head() {
  static Component* head = nullptr;
  return head;
}

std::optional<Level> ParseLevel(std::string_view name) {
  if (name == "warning") name = "warn";
  if (name == "critical") name = "error";
  for (std::size_t i = 0; i < kNames.size(); ++i)
    if (kNames[i] == name) return static_cast<Level>(i);
  return std::nullopt;
}

void AppendJsonText(std::string& out, std::string_view text) {
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      constexpr std::string_view kHex = "0123456789abcdef";
      out += "\\u00";
      out += kHex[static_cast<unsigned char>(c) >> 4];
      out += kHex[static_cast<unsigned char>(c) & 15];
    } else {
      out += c;
    }
  }
}
}  // namespace

// Components are static objects: they register before main and are never removed, so the list needs no lock.
Component::Component(std::string_view name, Level level) : name_(name), level_(level), next_(Head()) { Head() = this; }

void Component::Write(Level level, std::string_view message) const {
  if (!Enabled(level)) return;
  const std::string time = FormatRfc3339(SystemClock().Wall());
  const std::string_view name = kNames[static_cast<std::size_t>(level)];
  std::string line;
  std::string cut;
  if (message.size() > kMaxMessage) {
    cut = std::string(message.substr(0, kMaxMessage)) + "... (" + std::to_string(message.size() - kMaxMessage) +
          " more bytes)";
    message = cut;
  }
  if (json_form.load(std::memory_order_relaxed)) {
    line = "{\"time\":\"" + time + "\",\"level\":\"" + std::string(name) + "\",\"scope\":\"" + std::string(name_) +
           "\",\"msg\":\"";
    AppendJsonText(line, message);
    line += "\"}\n";
  } else {
    line.append(time).append("\t").append(name).append("\t").append(name_).append("\t");
    AppendReadable(line, message, LineBreaks::kIndented);
    line += '\n';
  }
  // One write a line, so lines of several threads and processes do not mix; a full pipe drops the line.
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
}

bool IsLevel(std::string_view name) { return ParseLevel(name).has_value(); }

bool IsComponent(std::string_view name) {
  for (const Component* c = Head(); c != nullptr; c = c->next_)
    if (c->name_ == name) return true;
  return false;
}

bool SetLevels(std::string_view spec) {
  std::vector<std::pair<std::string_view, Level>> wanted;  // empty name: every component
  for (const std::string_view part : Split(spec, ',')) {
    const auto [name, level_text] = SplitOnce(part, ':');
    const auto level = ParseLevel(level_text ? *level_text : name);
    if (!level) return false;
    if (level_text && !IsComponent(name)) return false;
    wanted.emplace_back(level_text ? name : std::string_view{}, *level);
  }
  for (const auto& [name, level] : wanted)
    for (Component* c = Head(); c != nullptr; c = c->next_)
      if (name.empty() || c->name_ == name) c->level_.store(level, std::memory_order_relaxed);
  return true;
}

std::string DescribeLevels() {
  std::map<std::string_view, Level> all;
  for (const Component* c = Head(); c != nullptr; c = c->next_)
    all.emplace(c->name_, c->level_.load(std::memory_order_relaxed));
  std::string out = "active loggers:\n";
  for (const auto& [name, level] : all)
    out.append("  ")
        .append(name)
        .append(": ")
        .append(level == Level::kWarn ? "warning" : kNames[static_cast<std::size_t>(level)])
        .append("\n");
  return out;
}

void UseJson(bool json) { json_form = json; }

}  // namespace plait::log
