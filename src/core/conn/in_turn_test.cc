#include "core/conn/in_turn.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

namespace plait::conn {
namespace {
constexpr Duration kLimit = std::chrono::seconds(5);

// Pipelines what it has to say and only looks at what comes.
struct Client : io::StreamEvents {
  Client(io::Loop& loop, const io::SocketAddress& to) : stream(io::Connect(loop, to)) { stream->SetEvents(this); }
  void OnOpen() override { open = true; }
  void OnReadable() override {
    while (stream->Read(in, 65536).value_or(0) > 0) {
    }
  }
  void OnWritable() override {}
  void OnFailed(Error) override {}
  void Ask(const std::string& path, int times = 1) const {
    Buffer out;
    for (int i = 0; i < times; ++i) out.Append("GET " + path + " HTTP/1.1\r\nhost: a\r\n\r\n");
    ASSERT_TRUE(stream->Write(out));
  }
  std::unique_ptr<io::Stream> stream;
  Buffer in;
  bool open = false;
};

class Turns : public testing::Test {
 protected:
  Turns() {
    for (int i = 0; i < 5; ++i) clients.push_back(std::make_unique<Client>(loop, address));
    // Each is accepted.
    EXPECT_TRUE(loop.RunUntil(
        [this] {
          return server.connections() == clients.size() &&
                 std::all_of(clients.begin(), clients.end(), [](const auto& client) { return client->open; });
        },
        kLimit));
  }

  io::Loop loop;
  std::vector<std::string> served;
  HttpServer server{loop, {}, InTurn(loop, [this](const Request& request, Responder responder) {
                      served.push_back(request.head.path);
                      responder.Send(TextResponse(200, request.head.path));
                    })};
  io::SocketAddress address = *server.ListenOn(*io::SocketAddress::Parse("127.0.0.1:0"));
  std::vector<std::unique_ptr<Client>> clients;
};

TEST_F(Turns, ComeOneARoundWhoeverAsksAndNobodyWaitsForThemWhoNeedNot) {
  for (std::size_t i = 0; i + 1 < clients.size(); ++i) clients[i]->Ask("/page", 10);
  ASSERT_TRUE(loop.RunUntil([this] { return !served.empty(); }, kLimit));
  clients.back()->Ask("/ready");
  std::size_t before = served.size();
  while (before < 41) {
    loop.RunOnce(std::chrono::milliseconds(100));
    const auto pages = std::count(served.begin() + static_cast<std::ptrdiff_t>(before), served.end(), "/page");
    ASSERT_LE(pages, 1) << "after " << before;
    before = served.size();
  }
  const auto ready = std::find(served.begin(), served.end(), "/ready");
  EXPECT_LT(ready - served.begin(), 5) << "it is answered in the round in which it comes";
  EXPECT_TRUE(loop.RunUntil([this] { return clients.back()->in.Find("/ready") != SIZE_MAX; }, kLimit));
}

TEST_F(Turns, AreNotTakenByWhoHasGone) {
  clients[0]->Ask("/first");
  clients[1]->Ask("/gone", 50);
  ASSERT_TRUE(loop.RunUntil([this] { return !served.empty(); }, kLimit));
  clients[1]->stream->Close(true);
  ASSERT_TRUE(loop.RunUntil([this] { return server.connections() == 4; }, kLimit));
  const std::size_t before = served.size();
  clients[2]->Ask("/last");
  ASSERT_TRUE(loop.RunUntil([this] { return served.back() == "/last"; }, kLimit));
  EXPECT_EQ(served.size(), before + 1);
}

}  // namespace
}  // namespace plait::conn
