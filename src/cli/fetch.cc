#include "cli/fetch.h"

#include <fcntl.h>

#include <optional>

#include "core/base/strings.h"
#include "core/conn/http_client.h"
#include "core/io/loop.h"
#include "core/io/socket.h"

namespace plait::cli {
namespace {

// The first line, which says why; what follows may be a whole page of help.
std::string Reason(std::string_view body) {
  constexpr std::size_t kMost = 200;
  const std::string_view line = Trim(body.substr(0, body.find('\n')));
  return line.size() <= kMost ? std::string(line) : std::string(line.substr(0, kMost)) + "...";
}

Outcome<std::string> Run(io::Loop& loop, conn::FetchRequest request, const std::string& what, Duration patience) {
  request.timeout = patience;
  request.max_body = 256U * 1024 * 1024;
  std::optional<Result<conn::FetchResponse>> answer;
  const Pending pending = conn::Fetch(loop, std::move(request),
                                      [&](Result<conn::FetchResponse> response) { answer = std::move(response); });
  const bool came = loop.RunUntil([&] { return answer.has_value(); }, patience + std::chrono::seconds(1));
  if (!came || (!*answer && (*answer).error().code == Errc::kTimedOut))
    return Explain(Errc::kUnavailable, what + " does not answer within " + FormatDuration(patience));
  if (!*answer) return Explain(Errc::kUnavailable, what + " does not answer: " + (*answer).error().detail);
  if ((*answer)->head.status != 200)
    return Explain(Errc::kNotFound,
                   what + " answers " + std::to_string((*answer)->head.status) + ": " + Reason((*answer)->body));
  return std::move((*answer)->body);
}

Outcome<std::string> Over(io::UniqueFd socket, const char* method, const std::string& path, const std::string& of_whom,
                          Duration patience) {
  io::Loop loop;
  fcntl(socket.get(), F_SETFL, O_NONBLOCK);
  conn::FetchRequest request;
  request.protocol = conn::Protocol::kHttp1;
  request.head.method = method;
  request.head.path = path;
  request.head.authority = "127.0.0.1:15000";
  request.stream = io::AdoptSocket(loop, std::move(socket));
  return Run(loop, std::move(request), of_whom, patience);
}

}  // namespace

Outcome<std::string> HttpGet(const std::string& url, Duration patience) {
  io::Loop loop;
  Result<conn::FetchRequest> request = conn::GetRequest(url);
  if (!request) return Explain(Errc::kInvalidInput, "not a URL: " + url);
  return Run(loop, std::move(*request), url, patience);
}

Outcome<std::string> HttpGetOver(io::UniqueFd socket, const std::string& path, const std::string& of_whom,
                                 Duration patience) {
  return Over(std::move(socket), "GET", path, of_whom, patience);
}

Outcome<std::string> HttpPostOver(io::UniqueFd socket, const std::string& path, const std::string& of_whom) {
  return Over(std::move(socket), "POST", path, of_whom, kAnswerPatience);
}

}  // namespace plait::cli
