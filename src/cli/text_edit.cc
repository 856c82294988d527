#include "cli/text_edit.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "core/base/strings.h"

namespace plait::cli {

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
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  if (!in || !(text << in.rdbuf()))
    return Explain(Errc::kNotFound, "the file " + path + " cannot be read: " + strerror(errno));
  return EditedFile(path, text.str());
}

EditedFile::~EditedFile() {
  // Whoever wants to tell the person of it calls Restore().
  if (const Outcome<> restored = Restore(); !restored) edited_ = false;
}

Outcome<> EditedFile::Apply(const std::vector<TextEdit>& edits) {
  Outcome<std::string> text = Edited(original_, edits);
  if (!text) return Explain(text.error().code, path_ + ": " + text.error().message);
  const Outcome<> written = Write(*text);
  edited_ = edited_ || written;  // one that could not be written has changed nothing
  return written;
}

Outcome<> EditedFile::Restore() {
  if (!edited_) return {};
  edited_ = false;
  return Write(original_);
}

// Beside and renamed, so that nobody reads a half of it; names with a dot before them are not read at all.
Outcome<> EditedFile::Write(const std::string& text) {
  const std::filesystem::path path(path_);
  const std::filesystem::path beside = path.parent_path() / ("." + path.filename().string() + ".new");
  std::error_code error;
  const auto mode = std::filesystem::status(path, error).permissions();
  const bool written = static_cast<bool>((std::ofstream(beside, std::ios::binary | std::ios::trunc) << text).flush());
  if (written) std::filesystem::permissions(beside, mode, error);
  if (written && !error) std::filesystem::rename(beside, path, error);
  if (written && !error) return {};
  const std::string why = error ? error.message() : strerror(errno);
  std::filesystem::remove(beside, error);
  return Explain(Errc::kDenied, "cannot write " + path_ + ": " + why, "the folder must be yours to edit");
}

}  // namespace plait::cli
