#include "cli/text_edit.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>

#include "core/base/json_text.h"
#include "core/base/strings.h"

namespace plait::cli {
namespace {

namespace fs = std::filesystem;
constexpr std::string_view kJournalEnd = ".undo";  // of its name, which is that of the file with a dot before it

fs::path Beside(const fs::path& path, std::string_view end) {
  return path.parent_path() / ("." + path.filename().string() + std::string(end));
}

std::optional<std::string> ReadText(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  in.peek();  // a directory can be opened, but not read
  if (in.fail() && !in.eof()) return std::nullopt;
  if (!in.eof()) text << in.rdbuf();
  return text.str();
}

// Beside and renamed, so that nobody reads a half of it; names with a dot before them are not read at all.
Outcome<> WriteFile(const std::string& path, const std::string& text) {
  const fs::path beside = Beside(path, ".new");
  std::error_code error;
  const auto mode = fs::status(path, error).permissions();
  const bool written = static_cast<bool>((std::ofstream(beside, std::ios::binary | std::ios::trunc) << text).flush());
  if (written) fs::permissions(beside, mode, error);
  if (written && !error) fs::rename(beside, path, error);
  if (written && !error) return {};
  const std::string why = error ? error.message() : strerror(errno);
  fs::remove(beside, error);
  return Explain(Errc::kDenied, "cannot write " + path + ": " + why, "the folder must be yours to edit");
}

// A journal is lines of JSON: the original, and each text that was to take its place. The last may be cut off: then the
// file was not touched for it.
Outcome<bool> UndoBy(const std::string& journal, const std::string& path) {
  const io::UniqueFd fd(open(journal.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd && errno == ENOENT) return false;
  if (!fd) return Explain(Errc::kDenied, "cannot open " + journal + ": " + strerror(errno), "remove it");
  if (flock(fd.get(), LOCK_EX | LOCK_NB) != 0) return false;  // its process lives
  const std::optional<std::string> now = ReadText(path);
  const std::string written = ReadText(journal).value_or("");
  std::optional<std::string> original;
  bool ours = false;
  for (const std::string_view line : Split(written, '\n')) {
    const nlohmann::json text = nlohmann::json::parse(line, nullptr, false);
    if (!text.is_string()) continue;
    if (!original)
      original = text.get<std::string>();
    else
      ours = ours || now == text.get<std::string>();
  }
  if (ours && now != original)
    if (const Outcome<> back = WriteFile(path, *original); !back) return std::unexpected(back.error());
  std::error_code error;
  fs::remove(Beside(path, ".new"), error);
  fs::remove(journal, error);
  return ours && now != original;
}

}  // namespace

Outcome<std::string> Edited(std::string text, const std::vector<TextEdit>& edits) {
  for (const TextEdit& edit : edits) {
    const std::size_t at = text.find(edit.from);
    if (at == std::string::npos || text.find(edit.from, at + 1) != std::string::npos)
      return Explain(Errc::kNotFound, "\"" + edit.from + "\" does not stand there exactly once");
    text.replace(at, edit.from.size(), edit.to);
  }
  return text;
}

std::vector<std::string> ChangedLines(std::string_view before, std::string_view after) {
  const auto old_lines = Split(before, '\n');
  const auto new_lines = Split(after, '\n');
  std::vector<std::string> out;
  for (std::size_t i = 0; i < old_lines.size() && i < new_lines.size(); ++i) {
    if (old_lines[i] == new_lines[i]) continue;
    std::string number = std::to_string(i + 1);
    number.insert(0, number.size() < 4 ? 4 - number.size() : 0, ' ');
    out.push_back(number + " - " + std::string(old_lines[i]));
    out.push_back(number + " + " + std::string(new_lines[i]));
  }
  return out;
}

Outcome<EditedFile> EditedFile::Open(const std::string& path) {
  if (const Outcome<bool> undone = UndoBy(Beside(path, kJournalEnd), path); !undone)
    return std::unexpected(undone.error());
  std::optional<std::string> text = ReadText(path);
  if (!text) return Explain(Errc::kNotFound, "the file " + path + " cannot be read: " + strerror(errno));
  return EditedFile(path, *std::move(text));
}

EditedFile::~EditedFile() {
  // Whoever wants to tell the person of it calls Restore().
  if (const Outcome<> restored = Restore(); !restored) edited_ = false;
}

Outcome<> EditedFile::Apply(const std::vector<TextEdit>& edits) {
  Outcome<std::string> text = Edited(original_, edits);
  if (!text) return Explain(text.error().code, path_ + ": " + text.error().message);
  if (const Outcome<> noted = WriteDown(*text); !noted) return noted;
  const Outcome<> written = WriteFile(path_, *text);
  edited_ = edited_ || written;  // one that could not be written has changed nothing
  return written;
}

Outcome<> EditedFile::WriteDown(const std::string& text) {
  const std::string journal = Beside(path_, kJournalEnd);
  std::string lines = JsonText(nlohmann::json(text)) + "\n";
  if (!journal_) {
    journal_.Reset(open(journal.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600));
    if (!journal_ && errno == EEXIST)
      return Explain(Errc::kDenied, path_ + " is being edited by another process, which puts it back",
                     "wait until the other `plait demo tour` has ended");
    if (!journal_)
      return Explain(Errc::kDenied, "cannot write " + path_ + ": " + strerror(errno),
                     "the folder must be yours to edit");
    flock(journal_.get(), LOCK_EX | LOCK_NB);
    lines.insert(0, JsonText(nlohmann::json(original_)) + "\n");
  }
  if (write(journal_.get(), lines.data(), lines.size()) == static_cast<ssize_t>(lines.size())) return {};
  return Explain(Errc::kLimit, "cannot write " + journal + ": " + strerror(errno), "make room there");
}

Outcome<> EditedFile::Restore() {
  if (edited_) {
    edited_ = false;
    if (const Outcome<> back = WriteFile(path_, original_); !back) return back;  // the journal stays
  }
  std::error_code error;
  if (journal_) fs::remove(Beside(path_, kJournalEnd), error);
  journal_.Reset();
  return {};
}

Undone UndoKilledEdits(const std::string& folder) {
  Undone out;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().filename();
    if (!name.starts_with('.') || !name.ends_with(kJournalEnd) || name.size() <= kJournalEnd.size() + 1) continue;
    const std::string path = entry->path().parent_path() / name.substr(1, name.size() - kJournalEnd.size() - 1);
    const Outcome<bool> undone = UndoBy(entry->path(), path);
    if (!undone && out.all) out.all = std::unexpected(undone.error());
    if (undone && *undone) out.files.push_back(path);
  }
  return out;
}

}  // namespace plait::cli
