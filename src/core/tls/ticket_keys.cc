#include "core/tls/ticket_keys.h"

#include <openssl/aead.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <mutex>
#include <vector>

#include "core/base/check.h"
#include "core/base/random.h"
#include "core/tls/crypto.h"

namespace plait::tls {
namespace {

constexpr std::size_t kName = 16, kNonce = 12, kUntil = 8, kTag = 16;
static_assert(TicketKeys::kOverhead == kName + kNonce + kUntil + kTag);

std::int64_t SecondsOf(WallTime time) {
  return std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
}

}  // namespace

struct TicketKeys::Key {
  explicit Key(MonotonicTime now) : until(now + kTicketKeyLife) {
    std::array<std::uint8_t, 32> secret{};
    FillSecret(secret);
    FillSecret(name);
    // The library wipes its copy when it is freed.
    aead.reset(EVP_AEAD_CTX_new(EVP_aead_aes_256_gcm_siv(), secret.data(), secret.size(), kTag));
    OPENSSL_cleanse(secret.data(), secret.size());
    PLAIT_CHECK(aead != nullptr);
  }
  bool Encrypts(MonotonicTime now) const noexcept { return now < until; }
  bool Decrypts(MonotonicTime now) const noexcept { return now < until + kSessionLife; }

  const MonotonicTime until;  // encrypts no longer
  std::array<std::uint8_t, kName> name{};
  bssl::UniquePtr<EVP_AEAD_CTX> aead;
};

TicketKeys& TicketKeys::OfProcess() {
  static TicketKeys keys;
  return keys;
}

TicketKeys::TicketKeys() = default;
TicketKeys::~TicketKeys() = default;

TicketKeys::Pair TicketKeys::At(MonotonicTime now) {
  {
    const std::shared_lock lock(mutex_);
    const bool previous_is_past = keys_.previous != nullptr && !keys_.previous->Decrypts(now);
    if (keys_.current != nullptr && keys_.current->Encrypts(now) && !previous_is_past) return keys_;
  }
  const std::unique_lock lock(mutex_);
  if (keys_.current == nullptr || !keys_.current->Encrypts(now)) {
    keys_.previous = std::move(keys_.current);
    keys_.current = std::make_shared<const Key>(now);
  }
  if (keys_.previous != nullptr && !keys_.previous->Decrypts(now)) keys_.previous = nullptr;
  return keys_;
}

bool TicketKeys::Seal(const Clock& clock, Bytes session, WallTime until, MutableBytes out) {
  PLAIT_CHECK(out.size() >= session.size() + kOverhead);
  const KeyPtr key = At(clock.Now()).current;
  std::copy(key->name.begin(), key->name.end(), out.begin());
  const MutableBytes nonce = out.subspan(kName, kNonce);
  FillSecret(nonce);
  std::vector<std::uint8_t> plain(kUntil + session.size());
  const std::int64_t seconds = SecondsOf(until);
  std::memcpy(plain.data(), &seconds, kUntil);
  std::copy(session.begin(), session.end(), plain.begin() + kUntil);
  std::size_t written = 0;
  const MutableBytes sealed = out.subspan(kName + kNonce, plain.size() + kTag);
  const bool done =
      EVP_AEAD_CTX_seal(key->aead.get(), sealed.data(), &written, sealed.size(), nonce.data(), nonce.size(),
                        plain.data(), plain.size(), key->name.data(), key->name.size()) == 1;
  OPENSSL_cleanse(plain.data(), plain.size());
  return done && written == sealed.size();
}

std::optional<std::size_t> TicketKeys::Open(const Clock& clock, Bytes ticket, MutableBytes out) {
  if (ticket.size() < kOverhead || out.size() < ticket.size()) return std::nullopt;
  const Pair keys = At(clock.Now());
  const Bytes name = ticket.first(kName);
  const Key* key = nullptr;
  for (const KeyPtr& one : {keys.current, keys.previous})
    if (one != nullptr && std::equal(name.begin(), name.end(), one->name.begin())) key = one.get();
  if (key == nullptr) return std::nullopt;
  const Bytes nonce = ticket.subspan(kName, kNonce);
  const Bytes sealed = ticket.subspan(kName + kNonce);
  std::size_t size = 0;
  const bool genuine = EVP_AEAD_CTX_open(key->aead.get(), out.data(), &size, out.size(), nonce.data(), nonce.size(),
                                         sealed.data(), sealed.size(), name.data(), name.size()) == 1;
  if (!genuine) ERR_clear_error();
  if (!genuine || size < kUntil) return std::nullopt;
  std::int64_t until = 0;
  std::memcpy(&until, out.data(), kUntil);
  if (SecondsOf(clock.Wall()) >= until) return std::nullopt;
  std::memmove(out.data(), out.data() + kUntil, size - kUntil);
  return size - kUntil;
}

}  // namespace plait::tls
