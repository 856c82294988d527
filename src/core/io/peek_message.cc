#include "core/io/peek_message.h"

#include <sys/socket.h>

#include <cerrno>

namespace plait::io {

std::string PeekMessage(int socket, std::size_t most) {
  std::string out(most, '\0');
  ssize_t n = 0;
  do n = ::recv(socket, out.data(), out.size(), MSG_PEEK | MSG_DONTWAIT);
  while (n < 0 && errno == EINTR);
  out.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
  return out;
}

}  // namespace plait::io
