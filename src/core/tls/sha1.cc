#include "core/tls/sha1.h"

#include "core/tls/crypto.h"

namespace plait::tls {

std::string Sha1(std::string_view bytes) {
  std::string out(SHA_DIGEST_LENGTH, '\0');
  SHA1(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size(), reinterpret_cast<std::uint8_t*>(out.data()));
  return out;
}

}  // namespace plait::tls
