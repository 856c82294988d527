#include "cli/load_report.h"

#include <nlohmann/json.hpp>

namespace plait::cli {
namespace {

using Counts = std::map<std::string, std::uint64_t>;

bool ReadNumber(const nlohmann::json& from, const char* name, std::uint64_t& to) {
  const auto found = from.find(name);
  if (found == from.end() || !found->is_number_unsigned()) return false;
  to = found->get<std::uint64_t>();
  return true;
}

bool ReadCounts(const nlohmann::json& from, const char* name, Counts& to) {
  const auto found = from.find(name);
  if (found == from.end() || found->is_null()) return true;
  if (!found->is_object()) return false;
  for (const auto& [key, count] : found->items()) {
    if (!count.is_number_unsigned()) return false;
    to[key] = count.get<std::uint64_t>();
  }
  return true;
}

}  // namespace

std::uint64_t LoadReport::answers() const {
  std::uint64_t sum = 0;
  for (const auto& [code, count] : status) sum += count;
  return sum;
}

std::uint64_t LoadReport::With(const std::string& value) const {
  const auto found = by.find(value);
  return found == by.end() ? 0 : found->second;
}

std::string LoadReport::WhatFailed() const {
  std::string text;
  const auto add = [&text](std::uint64_t count, const std::string& what) {
    text += (text.empty() ? "" : ", ") + std::to_string(count) + " x " + what;
  };
  for (const auto& [code, count] : status)
    if (code >= "500") add(count, code);
  for (const auto& [reason, count] : failures) add(count, reason);
  return text;
}

Outcome<LoadReport> ReadLoadReport(std::string_view json) {
  const nlohmann::json root = nlohmann::json::parse(json, nullptr, false);
  LoadReport report;
  if (!root.is_object() || !ReadNumber(root, "sent", report.sent) || !ReadNumber(root, "failed", report.failed) ||
      !ReadCounts(root, "status", report.status) || !ReadCounts(root, "failures", report.failures) ||
      !ReadCounts(root, "by", report.by) || report.failed > report.sent)
    return Explain(Errc::kInternal, "the load generator gave no report: " + std::string(json.substr(0, 200)));
  return report;
}

}  // namespace plait::cli
