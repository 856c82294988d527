#pragma once
// The AWS-LC objects behind core/tls' types. Included by .cc files of this folder only.
#include <openssl/base.h>
#include <openssl/bio.h>
#include <openssl/digest.h>
#include <openssl/ec_key.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/mem.h>
#include <openssl/nid.h>
#include <openssl/pem.h>
#include <openssl/pool.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <string>

#include "core/tls/certificate.h"

namespace plait::tls {

struct PrivateKey::Native {
  bssl::UniquePtr<EVP_PKEY> key;
};
struct Certificate::Native {
  bssl::UniquePtr<X509> x509;
};
struct Csr::Native {
  bssl::UniquePtr<EVP_PKEY> public_key;
};

// The newest reason on the library's error queue, in words; empties the queue.
std::string LastReason();
// For every reader of PEM, which else asks on the terminal, and waits there, once a block says that it is encrypted.
int NoPassword(char* out, int size, int writing, void* user);
WallTime ToWallTime(const ASN1_TIME* time);
std::vector<std::string> SansOf(const GENERAL_NAMES* names, int type);

}  // namespace plait::tls
