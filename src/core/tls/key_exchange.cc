#include "core/tls/key_exchange.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <string>

namespace plait::tls {

bool IsKeyExchangeGroup(std::string_view name) {
  if (name.empty() || name.find(':') != std::string_view::npos) return false;  // a colon separates names
  const bssl::UniquePtr<SSL_CTX> context(SSL_CTX_new(TLS_method()));
  const bool known = SSL_CTX_set1_groups_list(context.get(), std::string(name).c_str()) == 1;
  ERR_clear_error();
  return known;
}

}  // namespace plait::tls
