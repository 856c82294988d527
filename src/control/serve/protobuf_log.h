#pragma once

namespace plait::control::serve {

// What the protobuf library has to say (a text of a client that is no UTF-8) goes into the log from now on, instead of
// to standard error in a form of its own. For the whole process.
void LogProtobuf();

}  // namespace plait::control::serve
