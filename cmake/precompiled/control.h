// The same for src/control, and its model.
#include <nlohmann/json.hpp>

#include "control/model/snapshot.h"
#include "core.h"
