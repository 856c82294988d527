#include "control/source/last_good.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "core/base/encoding.h"
#include "core/base/strings.h"
#include "core/io/unique_fd.h"

namespace plait::control::source {
namespace {
// The first line of a kept version; the second is the real path, the rest the text.
constexpr std::string_view kHeader = "plait last good 1\n";
// The first line of the owners; then names of objects and real paths in turn, each with a NUL, which no path has.
constexpr std::string_view kOwnersHeader = "plait owners 1\n";

std::uint64_t Fnv(std::string_view text, std::uint64_t hash) {
  for (char c : text) hash = (hash ^ static_cast<std::uint8_t>(c)) * 1099511628211ULL;
  return hash;
}

std::string Hex(std::uint64_t value) {
  std::uint8_t bytes[8];
  for (int i = 0; i < 8; ++i) bytes[i] = static_cast<std::uint8_t>(value >> (56 - 8 * i));
  return HexEncode(bytes);
}

std::optional<std::string> ReadAll(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return std::nullopt;
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

// The path and the text of a kept version; nullopt when the file is not one.
std::optional<std::pair<std::string, std::string>> Open(const std::string& path) {
  const auto content = ReadAll(path);
  if (!content || !content->starts_with(kHeader)) return std::nullopt;
  const auto line_end = content->find('\n', kHeader.size());
  if (line_end == std::string::npos) return std::nullopt;
  return std::pair(content->substr(kHeader.size(), line_end - kHeader.size()), content->substr(line_end + 1));
}

// Also of a directory that is not there.
std::string RealPath(const std::string& path) {
  std::error_code failed;
  const std::filesystem::path absolute = std::filesystem::absolute(path, failed);
  if (failed) return path;
  std::string real = std::filesystem::weakly_canonical(absolute, failed).string();
  if (failed) return path;
  if (real.ends_with('/')) real.pop_back();
  return real;
}

bool IsBelow(const std::string& path, const std::string& folder) { return path.starts_with(folder + "/"); }
}  // namespace

std::string LastGood::FileOf(const std::string& real_path) const {
  return folder_ + "/" + Hex(Fnv(real_path, 14695981039346656037ULL)) + Hex(Fnv(real_path, 0x9E3779B97F4A7C15ULL));
}

Outcome<> LastGood::Write(const std::string& target, const std::string& content, const char* what,
                          const char* hint) const {
  const auto fail = [&](const char* call) {
    return std::unexpected(
        Diagnostic{.code = Errc::kUnavailable,
                   .message = std::string(what) + " cannot be kept: " + call + ": " + std::strerror(errno),
                   .at = {.file = folder_},
                   .hint = hint});
  };
  if (::mkdir(folder_.c_str(), 0700) != 0 && errno != EEXIST) return fail("mkdir");
  const std::string temporary = target + ".new";
  const io::UniqueFd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) return fail("open");
  for (std::size_t done = 0; done < content.size();) {
    const ssize_t n = ::write(fd.get(), content.data() + done, content.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail("write");
    done += static_cast<std::size_t>(n);
  }
  if (::rename(temporary.c_str(), target.c_str()) != 0) return fail("rename");
  return {};
}

Outcome<> LastGood::Keep(const std::string& real_path, const std::string& text) const {
  if (folder_.empty()) return {};
  return Write(
      FileOf(real_path), std::string(kHeader) + real_path + "\n" + text, "the last good version",
      "make room for it there: after a restart a bad edit would have an older version to fall back to, or none");
}

Outcome<> LastGood::KeepOwners(const std::map<std::string, std::string>& owners) const {
  if (folder_.empty()) return {};
  std::string content(kOwnersHeader);
  for (const auto& [object, real_path] : owners)
    content.append(object).append(1, '\0').append(real_path).append(1, '\0');
  return Write(OwnersFile(), content, "which file each object came from",
               "after a restart an object that stands twice would be the one of the first file; security policies of "
               "one name that differ would deny");
}

std::map<std::string, std::string> LastGood::FindOwners() const {
  std::map<std::string, std::string> owners;
  const auto content = folder_.empty() ? std::nullopt : ReadAll(OwnersFile());
  if (!content || !content->starts_with(kOwnersHeader)) return owners;
  const auto fields = Split(std::string_view(*content).substr(kOwnersHeader.size()), '\0');
  for (std::size_t i = 0; i + 1 < fields.size(); i += 2) owners.emplace(fields[i], fields[i + 1]);
  return owners;
}

std::optional<std::string> LastGood::Find(const std::string& real_path) const {
  if (folder_.empty()) return std::nullopt;
  auto kept = Open(FileOf(real_path));
  if (!kept || kept->first != real_path) return std::nullopt;
  return std::move(kept->second);
}

void LastGood::Forget(const std::string& real_path) const {
  if (!folder_.empty()) ::unlink(FileOf(real_path).c_str());
}

std::map<std::string, std::string> LastGood::Kept() const {
  std::map<std::string, std::string> out;
  DIR* folder = folder_.empty() ? nullptr : ::opendir(folder_.c_str());
  if (!folder) return out;
  while (const dirent* entry = ::readdir(folder)) {
    if (entry->d_name[0] == '.') continue;
    const std::string file = folder_ + "/" + entry->d_name;
    if (auto kept = Open(file)) out.emplace(file, std::move(kept->first));
  }
  ::closedir(folder);
  return out;
}

std::map<std::string, std::string> LastGood::FindBelow(const std::string& folder) const {
  std::map<std::string, std::string> out;
  const std::string real = RealPath(folder);
  for (const auto& [file, real_path] : Kept())
    if (IsBelow(real_path, real)) out.emplace(folder + real_path.substr(real.size()), real_path);
  return out;
}

void LastGood::ForgetDeleted(const std::vector<std::string>& unreadable) const {
  std::vector<std::string> real_folders;
  for (const std::string& folder : unreadable) real_folders.push_back(RealPath(folder));
  for (const auto& [file, real_path] : Kept()) {
    const bool unknown = std::any_of(real_folders.begin(), real_folders.end(),
                                     [&](const std::string& folder) { return IsBelow(real_path, folder); });
    struct stat info{};
    if (!unknown && ::stat(real_path.c_str(), &info) != 0 && errno == ENOENT) ::unlink(file.c_str());
  }
}

}  // namespace plait::control::source
