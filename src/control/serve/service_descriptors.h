#pragma once
// Reflection describes what is linked into the program. Of services whose messages are all defined elsewhere nothing
// would be: naming them here keeps their definitions.

namespace plait::control::serve {

void KeepServiceDescriptors();

}  // namespace plait::control::serve
