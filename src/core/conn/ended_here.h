#pragma once
// How OnConnectionClosed (connection.h) tells an orderly end of this side, which drained or had its last request, from
// one of the peer: both are kPeerClosed, and this one has the detail below.
#include <string_view>

#include "core/base/result.h"

namespace plait::conn {

inline constexpr const char* kEndedHere = "ended by this side";

inline bool EndedHere(const Error& why) {
  return why.code == Errc::kPeerClosed && std::string_view(why.detail) == kEndedHere;
}

}  // namespace plait::conn
