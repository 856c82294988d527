#pragma once
// Where the checkout lies, for tests that read files of it. In a file of its own, so that no other object depends on
// the path (the compiler cache then serves every checkout).
#include <string_view>

namespace plait::testing {
std::string_view SourceDir();
}
