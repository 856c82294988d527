#pragma once
// SHA-1, for protocols that are defined with it (MySQL's mysql_native_password). Nothing of the mesh's own trust uses
// it.
#include <string>
#include <string_view>

namespace plait::tls {
std::string Sha1(std::string_view bytes);  // 20 raw bytes
}  // namespace plait::tls
