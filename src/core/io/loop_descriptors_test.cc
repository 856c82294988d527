// A process that may open no more files has no event loop and takes no connection, and says why.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <vector>

#include "core/io/address.h"
#include "core/io/loop.h"
#include "core/io/socket.h"

namespace plait::io {
namespace {

void MakeLoopWithoutDescriptors() {
  rlimit none{};
  none.rlim_cur = none.rlim_max = 3;
  setrlimit(RLIMIT_NOFILE, &none);
  const Loop loop;
}

TEST(LoopDescriptors, AreToldWhenThereAreNone) {
  EXPECT_EXIT(MakeLoopWithoutDescriptors(), testing::ExitedWithCode(1),
              "no file descriptor is left for an event loop: Too many open files\n  try: ");
}

// Ends with 0 when connections that came meanwhile are taken once there are descriptors again.
[[noreturn]] void AcceptWithoutDescriptors() {
  Loop loop;
  const UniqueFd server = ListenOn(SocketAddress::Parse("127.0.0.1:0").value()).value();
  std::vector<UniqueFd> accepted;
  const Listener listener(loop, server.get(), false, [&](UniqueFd fd) { accepted.push_back(std::move(fd)); });
  sockaddr_storage address{};
  const socklen_t size = LocalAddress(server.get()).ToNative(address);
  std::vector<UniqueFd> clients;
  for (int i = 0; i < 3; ++i) clients.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  const rlimit before = limit;
  limit.rlim_cur = static_cast<rlim_t>(clients.back().get()) + 1;
  setrlimit(RLIMIT_NOFILE, &limit);
  for (const UniqueFd& client : clients) {
    ::connect(client.get(), reinterpret_cast<const sockaddr*>(&address), size);
    loop.RunUntil([] { return false; }, std::chrono::milliseconds(120));
  }
  const bool none = accepted.empty();
  setrlimit(RLIMIT_NOFILE, &before);
  loop.RunUntil([&] { return accepted.size() == clients.size(); }, std::chrono::seconds(5));
  _exit(none && accepted.size() == clients.size() ? 0 : 1);
}

TEST(ListenerDescriptors, AreAwaitedAndTheLackOfThemIsToldOnce) {
  EXPECT_EXIT(AcceptWithoutDescriptors(), testing::ExitedWithCode(0), "^[^\n]*cannot accept at 127.0.0.1:[^\n]*\n$");
}

}  // namespace
}  // namespace plait::io
