#pragma once
// What the next message on a Unix socket says, without its descriptors; it stays there. A process that is out of
// descriptors loses those of a message, and ReceiveFds (kLimit) its text with them: who needs that looks before.
#include <string>

namespace plait::io {

// At most `most` bytes of it; empty when nothing is there.
std::string PeekMessage(int socket, std::size_t most);

}  // namespace plait::io
