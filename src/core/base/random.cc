#include "core/base/random.h"

#include <sys/random.h>

#include <array>
#include <cerrno>

#include "core/base/check.h"
#include "core/base/encoding.h"

namespace plait {

void FillSecret(MutableBytes out) {
  while (!out.empty()) {
    const ssize_t n = getrandom(out.data(), out.size(), 0);
    if (n < 0 && errno == EINTR) continue;
    PLAIT_CHECK(n > 0);
    out = out.subspan(static_cast<std::size_t>(n));
  }
}

namespace {
std::uint64_t SystemSeed() {
  std::uint64_t seed = 0;
  FillSecret({reinterpret_cast<std::uint8_t*>(&seed), sizeof seed});
  return seed;
}
}  // namespace

Random::Random() : Random(SystemSeed()) {}

std::string NewUuid() {
  // One system call for 64 identifiers: request ids are made on the data path.
  thread_local std::array<std::uint8_t, 1024> pool;
  thread_local std::size_t used = pool.size();
  if (used == pool.size()) {
    FillSecret(pool);
    used = 0;
  }
  std::uint8_t* raw = pool.data() + used;
  used += 16;
  raw[6] = static_cast<std::uint8_t>((raw[6] & 0x0fU) | 0x40U);
  raw[8] = static_cast<std::uint8_t>((raw[8] & 0x3fU) | 0x80U);
  std::string text = HexEncode({raw, 16});
  for (const std::size_t at : {20U, 16U, 12U, 8U}) text.insert(at, 1, '-');
  return text;
}

}  // namespace plait
