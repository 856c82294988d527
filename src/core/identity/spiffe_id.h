#pragma once
// Names of workloads: spiffe://<trust domain>/ns/<namespace>/sa/<service account> (SPIFFE-ID 2, Istio's path form).
#include <compare>
#include <string>
#include <string_view>

#include "core/base/result.h"

namespace plait::identity {

struct SpiffeId {
  std::string trust_domain;  // lower case letters, digits, dots, dashes, underscores
  std::string name_space;
  std::string service_account;

  std::string ToString() const;
  // What AuthorizationPolicy calls a principal: without the scheme.
  std::string principal() const { return ToString().substr(sizeof("spiffe://") - 1); }
  // Strict: no empty part, no further path, no query, port or percent-encoding. Errors: kInvalidInput.
  static Result<SpiffeId> Parse(std::string_view uri);
  friend auto operator<=>(const SpiffeId&, const SpiffeId&) = default;
};

}  // namespace plait::identity
