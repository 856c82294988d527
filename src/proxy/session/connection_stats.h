#pragma once
// What one downstream HTTP connection adds to its connection manager's http.<prefix>.downstream_cx_*, from its start to
// its end. Owned by the HttpSession, on its thread.
#include <cstddef>
#include <cstdint>
#include <memory>

#include "core/base/result.h"
#include "core/base/time.h"
#include "core/http/message.h"
#include "proxy/record/proxy_stats.h"

namespace plait::proxy::session {

class ConnectionStats {
 public:
  explicit ConnectionStats(std::shared_ptr<const record::HttpStats> stats);

  // It is known what is spoken; once.
  void Opened(http::Version version, bool tls);
  bool opened() const noexcept { return opened_; }
  // Bytes since the beginning; what was told before is not counted again.
  void Bytes(std::uint64_t read, std::uint64_t written);
  // It ends when its requests have ended, and why; the first reason counts.
  void Draining(record::HttpStat why);
  struct End {
    Error why;
    bool cut_off = false;           // requests ran
    bool handshake_failed = false;  // it was never open
    Duration lasted{};
  };
  void Ended(const End& end);

 private:
  const std::shared_ptr<const record::HttpStats> stats_;
  std::uint64_t read_ = 0;
  std::uint64_t written_ = 0;
  bool opened_ = false;
  bool http2_ = false;
  bool tls_ = false;
  bool draining_ = false;
};

}  // namespace plait::proxy::session
