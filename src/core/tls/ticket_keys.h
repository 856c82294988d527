#pragma once
// The keys that session tickets are encrypted with (semantics.md 3): those of the process, for all its Contexts, never
// outside its memory. A key encrypts for a day and decrypts for one more; a session lives for a day, so none outlives
// its key. Any thread. A lock for reading is held for as long as it takes to copy two pointers, as AWS-LC holds one for
// its own keys.
//
// A ticket: name of the key, nonce, and sealed with AES-256-GCM-SIV (RFC 8452: random nonces may repeat) how long it
// holds, then the session.
#include <cstdint>
#include <memory>
#include <optional>
#include <shared_mutex>

#include "core/base/bytes.h"
#include "core/base/time.h"

namespace plait::tls {

inline constexpr Duration kSessionLife = std::chrono::hours(24);
inline constexpr Duration kTicketKeyLife = std::chrono::hours(24);

class TicketKeys {
 public:
  static constexpr std::size_t kOverhead = 16 + 12 + 8 + 16;  // what a ticket is longer than its session
  static TicketKeys& OfProcess();
  TicketKeys();
  ~TicketKeys();
  TicketKeys(const TicketKeys&) = delete;
  TicketKeys& operator=(const TicketKeys&) = delete;

  // Writes the ticket of a session that holds until `until` (in whole seconds); `out` has kOverhead bytes more than
  // `session`. False: cryptography failed.
  bool Seal(const Clock& clock, Bytes session, WallTime until, MutableBytes out);
  // Writes the session of a ticket, and returns its length; `out` is as long as `ticket`. None when the ticket holds no
  // longer, is of a key that is past or of another process, or was never one.
  std::optional<std::size_t> Open(const Clock& clock, Bytes ticket, MutableBytes out);

 private:
  struct Key;
  using KeyPtr = std::shared_ptr<const Key>;
  struct Pair {
    KeyPtr current, previous;  // previous: null when it is past
  };
  Pair At(MonotonicTime now);

  std::shared_mutex mutex_;
  Pair keys_;
};

}  // namespace plait::tls
