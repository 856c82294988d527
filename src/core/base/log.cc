#include "core/base/log.h"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "core/base/outlet.h"
#include "core/base/readable.h"
#include "core/base/strings.h"
#include "core/base/time.h"

namespace plait::log {
namespace {
constexpr std::size_t kMaxMessage = 16 * 1024;  // what others say may be endless
constexpr std::array<std::string_view, 6> kNames = {"trace", "debug", "info", "warn", "error", "off"};
constexpr int kPatience = 100;  // milliseconds, for a reader that is only busy
std::atomic<bool> json_form = false;
std::atomic<const Outlet*> outlet = nullptr;  // nullptr: standard error as it is
std::atomic<std::uint64_t> lost = 0;          // lines, since it was told last
std::atomic<bool> cut = false;                // the last line that was taken lacks its end

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

std::string Line(Level level, std::string_view component, std::string_view message) {
  const std::string time = FormatRfc3339(SystemClock().Wall());
  const std::string_view name = kNames[static_cast<std::size_t>(level)];
  std::string line;
  if (json_form.load(std::memory_order_relaxed)) {
    line = "{\"time\":\"" + time + "\",\"level\":\"" + std::string(name) + "\",\"scope\":\"" + std::string(component) +
           "\",\"msg\":\"";
    AppendJsonText(line, message);
    line += "\"}\n";
  } else {
    line.append(time).append("\t").append(name).append("\t").append(component).append("\t");
    AppendReadable(line, message, LineBreaks::kIndented);
    line += '\n';
  }
  return line;
}

// Returns whether all of it was taken. One write a line, so lines of several threads and processes do not mix; only
// what is longer than PIPE_BUF may be taken in part.
bool Put(std::string_view text, int patience) {
  const Outlet* const to = outlet.load(std::memory_order_acquire);
  const bool was_cut = cut.exchange(false, std::memory_order_relaxed);
  std::string ended;
  if (was_cut) text = ended.append("\n").append(text);
  std::string_view rest = text;
  while (!rest.empty()) {
    const ssize_t taken = to != nullptr ? to->Write(rest) : ::write(STDERR_FILENO, rest.data(), rest.size());
    if (taken > 0) {
      rest.remove_prefix(static_cast<std::size_t>(taken));
      continue;
    }
    if (taken < 0 && errno == EINTR) continue;
    if (taken == 0 || errno != EAGAIN || patience == 0) break;
    pollfd room{.fd = to != nullptr ? to->fd() : STDERR_FILENO, .events = POLLOUT, .revents = 0};
    ::poll(&room, 1, std::exchange(patience, 0));
  }
  if (!rest.empty() && (was_cut || rest.size() < text.size())) cut = true;
  return rest.empty();
}

void PutOrCount(std::string_view line) {
  // Who has missed lines is not waited for.
  if (const std::uint64_t missed = lost.exchange(0, std::memory_order_relaxed); missed != 0) {
    const std::string told = Line(Level::kWarn, "log",
                                  "lines lost before this one: " + std::to_string(missed) +
                                      "; standard error took no more (is its reader stuck, or the disk full?)");
    if (!Put(told, 0)) {
      lost.fetch_add(missed + 1, std::memory_order_relaxed);
      return;
    }
    if (!Put(line, 0)) lost.fetch_add(1, std::memory_order_relaxed);
  } else if (!Put(line, kPatience)) {
    lost.fetch_add(1, std::memory_order_relaxed);
  }
}
}  // namespace

// Components are static objects: they register before main and are never removed, so the list needs no lock.
Component::Component(std::string_view name, Level level) : name_(name), level_(level), next_(Head()) { Head() = this; }

void Component::Write(Level level, std::string_view message) const {
  if (!Enabled(level)) return;
  if (message.size() <= kMaxMessage) return PutOrCount(Line(level, name_, message));
  PutOrCount(Line(level, name_,
                  std::string(message.substr(0, kMaxMessage)) + "... (" + std::to_string(message.size() - kMaxMessage) +
                      " more bytes)"));
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

// What was there before stays: another thread may be writing to it.
void NeverWait() { outlet.store(std::make_unique<Outlet>(STDERR_FILENO).release(), std::memory_order_release); }

}  // namespace plait::log
