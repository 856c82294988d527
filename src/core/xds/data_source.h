#pragma once
// What a DataSource of Envoy holds: core.v3.DataSource, read where it is used.
#include <cstddef>
#include <string>

#include "core/base/result.h"
#include "core/xds/secret.h"

namespace plait::xds {

inline constexpr std::size_t kMostOfASource = std::size_t{4} << 20;  // bytes of certificates, keys, roots

// Its bytes; empty for one that is not set. Errors name the file or the variable: kNotFound, it is not there or cannot
// be read; kInvalidInput, it is no regular file; kLimit, the file has more than `most` bytes. Blocks on the file alone.
Outcome<std::string> ReadSource(const DataSource& source, std::size_t most = kMostOfASource);

}  // namespace plait::xds
