#include "testing/source_dir.h"

namespace plait::testing {
std::string_view SourceDir() { return PLAIT_SOURCE_DIR; }
}  // namespace plait::testing
