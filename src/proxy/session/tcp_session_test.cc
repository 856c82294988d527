#include "proxy/session/tcp_session.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include "proxy/session/test_context.h"

namespace plait::proxy::session {
namespace {

class TcpSessions : public SessionTest {};

TEST_F(TcpSessions, SayThatTheUpstreamHasReset) {
  const io::UniqueFd socket = io::ListenOn(io::SocketAddress::Parse("127.0.0.1:0").value()).value();
  io::UniqueFd accepted;
  const io::Listener server(loop_, socket.get(), false, [&](io::UniqueFd fd) { accepted = std::move(fd); });
  AddCluster("backend", io::LocalAddress(socket.get()));
  auto [client, downstream] = io::StreamPair(loop_);
  client_ = std::move(client);
  session_ = std::make_unique<TcpSession>(context_,
                                          TcpSession::Start{.config = CompileTcp({}, {registry_, logs_}).value(),
                                                            .rbac = {},
                                                            .cluster = "backend",
                                                            .downstream = std::move(downstream)},
                                          record::ConnectionInfo{}, *this);
  Send("ping");
  char byte = 0;
  const auto arrived = [&] { return accepted.get() >= 0 && recv(accepted.get(), &byte, 1, MSG_DONTWAIT) == 1; };
  ASSERT_TRUE(loop_.RunUntil(arrived, kLimit));
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  ASSERT_EQ(setsockopt(accepted.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
  accepted = {};
  ASSERT_TRUE(loop_.RunUntil([&] { return !recorder_.lines.empty(); }, kLimit));
  EXPECT_EQ(recorder_.lines.back(), "0 UR  backend");
}

}  // namespace
}  // namespace plait::proxy::session
