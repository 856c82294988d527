#pragma once
// What `plait-demo-app load` prints: the client's own count of what it sent and what came back.
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "core/base/result.h"

namespace plait::cli {

struct LoadReport {
  std::uint64_t sent = 0;
  std::uint64_t failed = 0;                            // no answer, or 5xx
  std::map<std::string, std::uint64_t> status = {};    // "200" -> how many
  std::map<std::string, std::uint64_t> failures = {};  // without an answer, by reason
  std::map<std::string, std::uint64_t> by = {};        // answers by the header of --count-by

  std::uint64_t ok() const { return sent - failed; }
  std::uint64_t answers() const;
  std::uint64_t With(const std::string& value) const;  // of --count-by
  // "12 x 503, 1 x timed out"; "" when all was well.
  std::string WhatFailed() const;
  friend bool operator==(const LoadReport&, const LoadReport&) = default;
};

Outcome<LoadReport> ReadLoadReport(std::string_view json);

}  // namespace plait::cli
