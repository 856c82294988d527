#pragma once
// Edits of a text file that somebody else follows, for verbs that show what an edit does and then take it back.
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/io/unique_fd.h"

namespace plait::cli {

struct TextEdit {
  std::string from;  // stands exactly once in the text, within a line
  std::string to;    // without line breaks too
};
// Errors: kNotFound when one of them does not stand there exactly once.
Outcome<std::string> Edited(std::string text, const std::vector<TextEdit>& edits);
// The lines that differ, as "12 - old" and "12 + new"; both texts have the same number of lines.
std::vector<std::string> ChangedLines(std::string_view before, std::string_view after);

// Its text is put back when this object goes. A process that is killed cannot do that: before each edit it writes down,
// in a file beside that is named with a dot, what is to be put back, and UndoKilledEdits does it.
class EditedFile {
 public:
  // Errors name the file.
  static Outcome<EditedFile> Open(const std::string& path);
  EditedFile(EditedFile&& other) noexcept
      : path_(std::move(other.path_)),
        original_(std::move(other.original_)),
        journal_(std::move(other.journal_)),
        edited_(other.edited_) {
    other.edited_ = false;
  }
  EditedFile& operator=(EditedFile&&) = delete;
  ~EditedFile();

  // Of the original text, in place of edits before.
  Outcome<> Apply(const std::vector<TextEdit>& edits);
  Outcome<> Restore();
  const std::string& original() const { return original_; }

 private:
  EditedFile(std::string path, std::string original) : path_(std::move(path)), original_(std::move(original)) {}
  Outcome<> WriteDown(const std::string& text);

  std::string path_;
  std::string original_;
  io::UniqueFd journal_;  // locked as long as this object lives
  bool edited_ = false;
};

// Puts back the files of a folder that a killed process has left edited, unless somebody has changed them since; which
// these are. Errors: the first that could not be; the others are put back all the same.
struct Undone {
  std::vector<std::string> files;
  Outcome<> all;
};
Undone UndoKilledEdits(const std::string& folder);

}  // namespace plait::cli
