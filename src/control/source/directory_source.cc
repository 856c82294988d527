#include "control/source/directory_source.h"

namespace plait::control::source {
namespace {
// How long a text stands before it is taken for more than a moment of a writer of whom nothing was heard. Nothing at
// all is what is read while a file system is at a truncation, and may be so for as long as a disk makes it wait.
constexpr Duration kSure = std::chrono::milliseconds(30);
constexpr Duration kSureOfNothing = std::chrono::milliseconds(500);
constexpr Duration kSoon = std::chrono::seconds(2);  // until it is told what an edit waits for

std::string Seconds(Duration duration) {
  return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(duration).count()) + " s";
}
}  // namespace

DirectorySource::DirectorySource(io::Loop& loop, DirectoryOptions options, std::function<void()> on_change)
    : loop_(loop),
      options_(std::move(options)),
      files_(options_.state_dir.empty() ? "" : options_.state_dir + "/last-good",
             {.default_namespace = options_.default_namespace}, {.root_namespace = options_.root_namespace}),
      on_change_(std::move(on_change)),
      watch_(loop, options_.timing,
             [this] {
               if (Rescan()) on_change_();
             }),
      again_([this] {
        if (Rescan()) on_change_();
      }) {
  Rescan();
}

bool DirectorySource::Rescan() {
  Scan scan = ScanFolders(options_.directories);
  // A folder is watched only after it was read; what changed in between is found by reading once more.
  for (int round = 0; watch_.Watch(scan.folders) && round < 3; ++round) scan = ScanFolders(options_.directories);
  HoldUnfinished(scan);
  watch_.Poll(scan.unreadable_roots.size() > scan.too_large || !scan.unreadable_files.empty());
  first_ = false;
  return files_.Update(scan);
}

// A file that somebody is writing says what it said before, as one that cannot be read: an editor that empties it, or
// has written half of it, does not mean that. Each change waits so for a bounded time, since a writer may never close
// the file.
void DirectorySource::HoldUnfinished(Scan& scan) {
  watch_.Hear();
  NoteSeen(scan);
  std::map<std::string, Unfinished> now;
  std::erase_if(scan.files, [&](const ScannedFile& file) {
    if (!IsUnfinished(file)) return false;
    const auto before = unfinished_.find(file.real_path);
    Unfinished unfinished = before == unfinished_.end() ? Unfinished{} : before->second;
    // At a start, what has said nothing before is taken as it is: a policy must not be missing.
    bool hold = !files_.Has(file) && (!first_ || files_.Knows(file));
    if (!hold)
      unfinished.since.reset();
    else if (!unfinished.since)
      unfinished.since = loop_.Now();
    // Of a file that is rewritten all the time, a moment in which it is empty is not what it means.
    const bool overdue = hold && loop_.Now() - *unfinished.since >= options_.unfinished;
    if (overdue && !(file.text.empty() && IsUnsure(file))) {
      unfinished = {.since = std::nullopt, .overdue = true};
      hold = false;
    }
    if (hold) scan.unreadable_files.push_back(file.real_path);
    if (auto finding = Tell(file, unfinished)) scan.findings.push_back(*std::move(finding));
    if (unfinished.since || unfinished.overdue) now.emplace(file.real_path, unfinished);
    return hold;
  });
  unfinished_ = std::move(now);
}

// Where nobody can be asked, what was heard of the file has to do: little of files that were open before, and nothing
// yet of a truncation that the file system is at.
bool DirectorySource::IsUnfinished(const ScannedFile& file) const {
  if (file.writers != Writers::kUnknown) return file.writers == Writers::kSome;
  return IsUnsure(file) || watch_.MaybePart(file.path) || watch_.MaybePart(file.real_path);
}

// At a start, what is not empty is taken as it is.
void DirectorySource::NoteSeen(const Scan& scan) {
  std::map<std::string, Seen> now;
  for (const ScannedFile& file : scan.files) {
    if (file.writers != Writers::kUnknown || files_.Has(file) || (first_ && !file.text.empty())) continue;
    const auto before = seen_.find(file.real_path);
    const bool same =
        before != seen_.end() && before->second.changed_ns == file.changed_ns && before->second.text == file.text;
    now[file.real_path] = same ? before->second : Seen{file.text, file.changed_ns, loop_.Now()};
  }
  seen_ = std::move(now);
  again_.Cancel();
  for (const ScannedFile& file : scan.files)
    if (IsUnsure(file)) again_.Start(loop_.timers(), kSure);
}

// Until it says the same for a while, with nothing written in between.
bool DirectorySource::IsUnsure(const ScannedFile& file) const {
  const auto seen = seen_.find(file.real_path);
  return seen != seen_.end() && loop_.Now() - seen->second.since < (file.text.empty() ? kSureOfNothing : kSure);
}

std::optional<model::Finding> DirectorySource::Tell(const ScannedFile& file, const Unfinished& unfinished) const {
  const std::string limit = Seconds(options_.unfinished);
  const std::string close = "close it in the program that writes it (\"fuser -v\" names it); ";
  if (unfinished.overdue)
    return model::Finding{
        model::Severity::kWarning,
        {.message = "the file has been open for writing for " + limit + ", so what it said then is in force",
         .at = {.file = file.path},
         .hint = close + "as long as it is open, a change of it waits for " + limit}};
  const bool at_once = first_ && !IsUnsure(file);
  if (!unfinished.since || (!at_once && loop_.Now() - *unfinished.since < kSoon)) return std::nullopt;
  return model::Finding{
      model::Severity::kWarning,
      {.message = "the file is open for writing, so what it says now is not in force yet; what it said before is",
       .at = {.file = file.path},
       .hint = close + "after " + limit + " it is taken as it is"}};
}

}  // namespace plait::control::source
