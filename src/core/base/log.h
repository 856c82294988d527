#pragma once
// Process log in Istio's text form ("<time>\t<level>\t<component>\t<message>") or JSON, to standard error.
// Levels are per component and can change at run time. Safe from every thread. Never log a secret, token or header
// value.
#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

namespace plait::log {
enum class Level : std::uint8_t { kTrace, kDebug, kInfo, kWarn, kError, kOff };

// A named source of log lines; make it `static log::Component kLog("xds");` in a .cc file. Lives for ever.
class Component {
 public:
  explicit Component(std::string_view name, Level level = Level::kInfo);
  bool Enabled(Level level) const noexcept { return level >= level_.load(std::memory_order_relaxed); }
  void Trace(std::string_view message) const { Write(Level::kTrace, message); }
  void Debug(std::string_view message) const { Write(Level::kDebug, message); }
  void Info(std::string_view message) const { Write(Level::kInfo, message); }
  void Warn(std::string_view message) const { Write(Level::kWarn, message); }
  void Error(std::string_view message) const { Write(Level::kError, message); }
  std::string_view name() const noexcept { return name_; }

 private:
  friend bool IsComponent(std::string_view name);
  friend bool SetLevels(std::string_view spec);
  friend std::string DescribeLevels();
  void Write(Level level, std::string_view message) const;
  std::string_view name_;
  std::atomic<Level> level_;
  Component* next_;
};

// "info" (all) or "xds:debug,http:trace". False, and nothing changed, when a level or component is unknown.
bool SetLevels(std::string_view spec);
bool IsLevel(std::string_view name);  // Envoy's names and Istio's: "warn" is "warning"
bool IsComponent(std::string_view name);
std::string DescribeLevels();  // "active loggers:\n  xds: info\n..." sorted by name, as Envoy's /logging
void UseJson(bool json);
// To be called once, as a program starts that must not stand still because nobody reads what it logs: lines for which
// standard error has no room are lost, and their number is told as soon as there is room.
void NeverWait();
}  // namespace plait::log
