// The same for src/cli.
#include <nlohmann/json.hpp>

#include "core.h"
