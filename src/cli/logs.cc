// plait logs WORKLOAD: what its containers have written. `-c istio-proxy` is its proxy (access log and process log),
// where a denial that names no policy is explained; `plaitd` and `supervisor` are workloads of plait-system.
#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "cli/denials.h"
#include "cli/fetch.h"
#include "cli/verbs.h"
#include "cli/workloads.h"

namespace plait::cli {
namespace {

// The ALLOW rules in force at a workload, asked of its proxy when they are first needed.
class Denials {
 public:
  Denials(const MeshOptions& mesh, std::string workload) : mesh_(mesh), workload_(std::move(workload)) {}
  const std::string& Explanation() {
    if (!text_) text_ = ExplainDenial(AskRules());
    return *text_;
  }

 private:
  std::vector<std::string> AskRules() const {
    constexpr Port kAdmin{15000};
    Outcome<local::ControlClient> client = ConnectTo(mesh_);
    if (!client) return {};
    Outcome<io::UniqueFd> socket = client->Dial(workload_, kAdmin);
    if (!socket) return {};
    const Outcome<std::string> dump = HttpGetOver(std::move(*socket), "/config_dump", workload_);
    return dump ? AllowRulesOf(Json::parse(*dump, nullptr, false)) : std::vector<std::string>{};
  }

  const MeshOptions& mesh_;
  std::string workload_;
  std::optional<std::string> text_;
};

// Copies what is new in the file, line by line; starts anew when it was rotated.
class Tail {
 public:
  Tail(std::string path, Denials* denials) : path_(std::move(path)), denials_(denials) {}
  bool Open() {
    fd_.Reset(open(path_.c_str(), O_RDONLY | O_CLOEXEC));
    return static_cast<bool>(fd_);
  }
  // False when standard output is gone.
  bool Copy() {
    char piece[64 * 1024];
    for (ssize_t n; (n = read(fd_.get(), piece, sizeof piece)) > 0;)
      if (!Take({piece, static_cast<std::size_t>(n)})) return false;
    return true;
  }
  void ReopenIfRotated() {
    std::error_code error;
    const auto size = std::filesystem::file_size(path_, error);
    if (!error && static_cast<off_t>(size) < lseek(fd_.get(), 0, SEEK_CUR)) Open();
  }

 private:
  bool Take(std::string_view text) {
    std::string out;
    while (!text.empty()) {
      const std::size_t end = std::min(text.find('\n'), text.size() - 1) + 1;
      const std::string_view part = text.substr(0, end);
      text.remove_prefix(end);
      out += part;
      line_ += part;
      if (line_.back() != '\n') break;
      if (denials_ && IsDenialWithoutRule(line_)) out += denials_->Explanation();
      line_.clear();
    }
    for (std::size_t at = 0; at < out.size();) {
      const ssize_t n = write(STDOUT_FILENO, out.data() + at, out.size() - at);
      if (n <= 0) return false;
      at += static_cast<std::size_t>(n);
    }
    return true;
  }

  std::string path_;
  Denials* denials_;
  std::string line_;  // as far as it has come
  io::UniqueFd fd_;
};

}  // namespace

int Logs(const MeshOptions& mesh, const std::string& workload, const std::string& container, bool follow) {
  Outcome<local::ControlClient> client = ConnectTo(mesh);
  if (!client) return Report(client.error());
  Outcome<local::MeshStatus> status = client->Status();
  if (!status) return Report(status.error());
  Outcome<std::string> path = LogPathOf(*status, workload, container);
  if (!path) return Report(path.error());
  Denials denials(mesh, workload);
  Tail tail(*path, path->ends_with("/istio-proxy.log") ? &denials : nullptr);
  if (!tail.Open())
    return Report({.code = Errc::kNotFound,
                   .message = workload + " has no container \"" + container + "\" that has run",
                   .hint = "-c istio-proxy is its proxy"});
  while (tail.Copy() && follow) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    tail.ReopenIfRotated();
    // The mesh has gone, and its files with it.
    if (access(path->c_str(), F_OK) != 0 && !local::ControlClient::Connect(*local::ResolvePaths(mesh.name))) break;
  }
  return kDone;
}

}  // namespace plait::cli
