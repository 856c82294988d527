#include "control/source/supervisor_channel.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "core/io/socket.h"

namespace plait::control::source {
namespace {

// The supervisor's end: writes lines.
class Supervisor final : private io::StreamEvents {
 public:
  explicit Supervisor(std::unique_ptr<io::Stream> stream) : stream_(std::move(stream)) { stream_->SetEvents(this); }
  ~Supervisor() override { stream_->SetEvents(nullptr); }
  void Say(const std::string& line) {
    out_.Append(line + "\n");
    OnWritable();
  }

 private:
  void OnOpen() override { OnWritable(); }
  void OnReadable() override {}
  void OnWritable() override { static_cast<void>(stream_->Write(out_)); }
  void OnFailed(Error) override {}
  std::unique_ptr<io::Stream> stream_;
  Buffer out_;
};

TEST(SupervisorChannel, TheTableOfHundredsOfPodsIsOneLine) {
  io::Loop loop;
  auto [ours, theirs] = io::StreamPair(loop);
  std::optional<std::vector<PodStatus>> got;
  SupervisorChannel channel(std::move(ours), {.on_status = [&](std::vector<PodStatus> pods) { got = std::move(pods); },
                                              .on_closed = [](const char*) {}});
  Supervisor supervisor(std::move(theirs));
  std::string pods;
  for (int i = 0; i < 500; ++i)
    pods += (pods.empty() ? "" : ",") + std::string("{\"uid\":\"pod-") + std::to_string(i) +
            "\",\"ready\":true,\"token_sha256\":\"" + std::string(64, 'a') + "\"}";
  supervisor.Say("{\"type\":\"status\",\"pods\":[" + pods + "]}");
  ASSERT_TRUE(loop.RunUntil([&] { return got.has_value(); }, std::chrono::seconds(10)));
  ASSERT_EQ(got->size(), 500U);
  EXPECT_EQ(got->back().uid, "pod-499");

  got.reset();
  supervisor.Say("{\"type\":\"status\",\"pods\":[]}");
  EXPECT_TRUE(loop.RunUntil([&] { return got.has_value() && got->empty(); }, std::chrono::seconds(10)));
}

}  // namespace
}  // namespace plait::control::source
