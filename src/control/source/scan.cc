#include "control/source/scan.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <map>
#include <set>

#include "core/base/strings.h"
#include "core/io/unique_fd.h"

namespace plait::control::source {
namespace {
constexpr std::size_t kMaxFile = std::size_t{4} << 20;
constexpr int kMaxDepth = 32;

std::string RealPath(const std::string& path) {
  char buffer[PATH_MAX];
  return ::realpath(path.c_str(), buffer) ? std::string(buffer) : path;
}

std::string Parent(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

// Where the name itself stands, wherever it leads as a link.
std::string PlaceOf(const std::string& path) { return RealPath(Parent(path)) + "/" + path.substr(path.rfind('/') + 1); }

// JSON is YAML, too. kubectl reads a directory's files of the same names.
bool IsYaml(std::string_view name) {
  return !name.starts_with('.') && (name.ends_with(".yaml") || name.ends_with(".yml") || name.ends_with(".json"));
}

// What was meant by the end of a name that is not read: "yml" by "YML". Empty: nothing of ours.
std::string_view MeantEnd(std::string_view end) {
  for (const std::string_view known : {"yaml", "yml", "json"})
    if (EqualsIgnoreCase(end, known)) return known;
  for (const std::string_view slip : {"yam", "ymal", "yalm"})
    if (EqualsIgnoreCase(end, slip)) return "yaml";
  return {};
}

// What to do when a file or directory cannot be opened.
const char* NextStep(int error) {
  switch (error) {
    case EMFILE: return "raise the limit of open files (\"ulimit -n\") of this process";
    case ENFILE: return "raise the limit of open files of the whole system (sysctl fs.file-max)";
    case ELOOP: return "links lead to each other; let one of them name a file";
    default: return "make it readable for this user";
  }
}

// There a lease depends on the server, too, so that none says nothing of writers.
bool IsOnANetwork(int fd) {
  struct statfs info{};
  if (::fstatfs(fd, &info) != 0) return true;
  const auto type = static_cast<std::uint32_t>(info.f_type);
  return type == NFS_SUPER_MAGIC || type == SMB_SUPER_MAGIC || type == SMB2_SUPER_MAGIC || type == CIFS_SUPER_MAGIC;
}

// A read lease is given only while nobody writes; who opens the file for writing afterwards waits until `fd` is closed.
// The kernel gives leases to the owner of the file and to CAP_LEASE.
Writers AskForWriters(int fd) {
  // It tells us of who waits by a signal; SIGIO, the default, would end the process.
  if (::fcntl(fd, F_SETSIG, SIGURG) != 0) return Writers::kUnknown;
  if (::fcntl(fd, F_SETLEASE, F_RDLCK) == 0) return Writers::kNone;
  return errno == EAGAIN && !IsOnANetwork(fd) ? Writers::kSome : Writers::kUnknown;
}

class Scanner {
 public:
  explicit Scanner(std::size_t most_folders) : most_folders_(most_folders) {}

  void Root(const std::string& path) {
    struct stat info{};
    const bool there = ::stat(path.c_str(), &info) == 0;
    if (!there || !S_ISDIR(info.st_mode)) {
      const char* why = there ? "it is not a directory" : std::strerror(errno);
      out_.unreadable_roots.push_back(path);
      return Tell(path, path, std::string("the directory cannot be read: ") + why, "name one that this user can read");
    }
    // What somebody put there himself comes before what links lead to, and both go level by level.
    read_ = 0;
    size_of_.clear();
    queue_ = {{.path = path, .top = "", .depth = 0}};
    linked_.clear();
    for (std::size_t i = 0; i < queue_.size() + linked_.size(); ++i) {
      const Queued next = i < queue_.size() ? queue_[i] : linked_[i - queue_.size()];
      if (!IsNew(next.path)) continue;
      if (read_ == most_folders_) return TellOfSize(path);
      ++read_;
      ++size_of_[next.top];
      if (!Folder(next)) out_.unreadable_roots.push_back(next.path);
    }
  }

  Scan Take() {
    for (auto& [real, finding] : passed_over_)
      if (!real_files_.contains(real)) out_.findings.push_back(std::move(finding));  // else another name leads to it
    std::sort(out_.files.begin(), out_.files.end(),
              [](const ScannedFile& a, const ScannedFile& b) { return a.path < b.path; });
    std::sort(out_.folders.begin(), out_.folders.end());
    out_.folders.erase(std::unique(out_.folders.begin(), out_.folders.end()), out_.folders.end());
    return std::move(out_);
  }

 private:
  void Fail(const std::string& path, std::string message, std::string hint) {
    out_.findings.push_back(
        {model::Severity::kError,
         {.code = Errc::kUnavailable, .message = std::move(message), .at = {.file = path}, .hint = std::move(hint)}});
  }

  void Tell(const std::string& path, const std::string& key, std::string why, std::string next) {
    out_.unread.push_back({path, key, std::move(why), std::move(next)});
  }

  // A directory to be read.
  struct Queued {
    std::string path;
    std::string top;  // the path that leads to it from the directory that was given, down to the first level
    int depth;
    bool linked = false;
  };

  // Not when it vanished meanwhile, and not of a loop or a second way to it.
  bool IsNew(const std::string& path) {
    struct stat info{};
    return ::stat(path.c_str(), &info) == 0 && folders_.insert({info.st_dev, info.st_ino}).second;
  }

  // What the rest holds is not known; what was read is watched.
  void TellOfSize(const std::string& root) {
    out_.unreadable_roots.push_back(root);
    ++out_.too_large;
    size_of_.erase("");
    const auto largest = std::max_element(size_of_.begin(), size_of_.end(),
                                          [](const auto& a, const auto& b) { return a.second < b.second; });
    Tell(root, root,
         "it holds more than " + std::to_string(most_folders_) +
             " directories, with those that links lead to; what is in the rest, a policy too, is not read",
         "move what is no configuration elsewhere; " + largest->first + " has most of them");
  }

  bool Folder(const Queued& from) {
    const auto& [path, top, depth, linked] = from;
    if (depth > kMaxDepth) {
      Fail(path, "directories are nested too deeply; what is below is ignored", "");
      return true;
    }
    DIR* folder = ::opendir(path.c_str());
    if (!folder) {
      const int error = errno;
      if (error != ENOENT)
        Tell(path, path, std::string("the directory cannot be read: ") + std::strerror(error), NextStep(error));
      return false;
    }
    out_.folders.push_back(path);
    std::vector<std::string> names;
    while (const dirent* entry = ::readdir(folder))
      if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
    ::closedir(folder);
    std::sort(names.begin(), names.end());
    for (const std::string& name : names) Entry(from, name);
    return true;
  }

  void Entry(const Queued& folder, const std::string& name) {
    const std::string path = folder.path + "/" + name;
    struct stat info{};
    if (::stat(path.c_str(), &info) != 0) return IsYaml(name) ? Lost(path, errno) : void();
    if (S_ISDIR(info.st_mode)) {
      struct stat link{};
      const bool linked = folder.linked || (::lstat(path.c_str(), &link) == 0 && S_ISLNK(link.st_mode));
      (linked ? linked_ : queue_).push_back({path, folder.top.empty() ? path : folder.top, folder.depth + 1, linked});
      return;
    }
    if (!S_ISREG(info.st_mode)) return IsYaml(name) ? NoFile(path) : void();
    if (!IsYaml(name)) return PassOver(path, name);
    const std::string real = RealPath(path);
    if (!real_files_.insert(real).second) return;
    // An edit of what a link leads to is seen only in its own folder.
    struct stat link{};
    if (::lstat(path.c_str(), &link) == 0 && S_ISLNK(link.st_mode)) out_.folders.push_back(Parent(real));
    Read(path, real, static_cast<std::size_t>(info.st_size));
  }

  // Of a name that is nearly read: whoever chose it takes the file for one that counts.
  void PassOver(const std::string& path, const std::string& name) {
    const auto dot = name.rfind('.');
    const std::string_view meant = dot == std::string::npos ? "" : MeantEnd(std::string_view(name).substr(dot + 1));
    if (meant.empty()) return;
    passed_over_.emplace(RealPath(path),
                         model::Finding{model::Severity::kWarning,
                                        {.message = "the file is not read, since its name ends in " + name.substr(dot) +
                                                    " and not in .yaml, .yml or .json",
                                         .at = {.file = path},
                                         .hint = "rename it to " + name.substr(0, dot + 1) + std::string(meant) +
                                                 ", or move it elsewhere if it is not meant to be in force"}});
  }

  // A name that leads to no file: it vanished meanwhile, or it is a link that somebody should know of.
  void Lost(const std::string& path, int error) {
    struct stat link{};
    if (::lstat(path.c_str(), &link) != 0) return;
    // It was away for a moment, as by an editor that removes and writes anew; whoever watches the folder looks again.
    if (error == ENOENT && !S_ISLNK(link.st_mode)) return out_.unreadable_files.push_back(PlaceOf(path));
    if (error == ENOENT) return Fail(path, "the link leads to nothing", "create what it names, or remove the link");
    const std::string place = PlaceOf(path);
    out_.unreadable_files.push_back(place);
    Tell(path, place, std::string("the file cannot be read: ") + std::strerror(error), NextStep(error));
  }

  // It may have been a file, by this name or by that of what it leads to.
  void NoFile(const std::string& path) {
    const std::string place = PlaceOf(path);
    const std::string real = RealPath(path);
    out_.unreadable_files.push_back(place);
    if (real != place) out_.unreadable_files.push_back(real);
    Tell(path, place, "it is a pipe, a socket or a device, which is not read", "make it a regular file, or remove it");
  }

  void Read(const std::string& path, const std::string& real, std::size_t size) {
    const io::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!fd) {
      const int error = errno;
      if (error == ENOENT) return;
      out_.unreadable_files.push_back(real);
      return Tell(path, real, std::string("the file cannot be read: ") + std::strerror(error), NextStep(error));
    }
    const Writers writers = AskForWriters(fd.get());
    struct stat before{};
    if (::fstat(fd.get(), &before) != 0) before = {};
    std::string text;
    char buffer[64 * 1024];
    for (;;) {
      const ssize_t n = ::read(fd.get(), buffer, sizeof buffer);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) {  // a part of a file is not what somebody wrote
        out_.unreadable_files.push_back(real);
        return Tell(path, real, std::string("the file cannot be read to its end: ") + std::strerror(errno),
                    "see to the disk or file system that it is on");
      }
      if (n == 0) break;
      text.append(buffer, static_cast<std::size_t>(n));
      if (text.size() > kMaxFile) break;
    }
    const bool cut = text.size() > kMaxFile;
    if (cut) {
      Fail(path,
           "the file has " + std::to_string(std::max(size, text.size())) + " bytes, more than " +
               std::to_string(kMaxFile),
           "split it into several files");
      text.resize(kMaxFile);
    }
    out_.files.push_back({path, real, std::move(text), writers, cut,
                          std::int64_t{before.st_ctim.tv_sec} * 1'000'000'000 + before.st_ctim.tv_nsec});
  }

  Scan out_;
  const std::size_t most_folders_;
  std::vector<Queued> queue_;  // of the directory that was given, as all down to `size_of_`
  std::vector<Queued> linked_;
  std::size_t read_ = 0;
  std::map<std::string, std::size_t> size_of_;  // how many of those that were read are below each `top`
  std::set<std::pair<dev_t, ino_t>> folders_;
  std::set<std::string> real_files_;
  std::map<std::string, model::Finding> passed_over_;  // by real path
};
}  // namespace

Scan ScanFolders(const std::vector<std::string>& roots, std::size_t most_folders) {
  Scanner scanner(most_folders);
  for (const std::string& root : roots) scanner.Root(root);
  return scanner.Take();
}

}  // namespace plait::control::source
