#pragma once
// Reads the configuration files below some directories, in an order that depends on their names alone.
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "control/model/finding.h"

namespace plait::control::source {

// Whether somebody has a file open for writing, or maps it so.
enum class Writers : std::uint8_t { kNone, kSome, kUnknown };

struct ScannedFile {
  std::string path;       // as below the directory that was given
  std::string real_path;  // without symbolic links: the key of its last good version
  std::string text;
  // As it was read. kNone: nobody could open it until it was read to its end, so the text is no part of one.
  Writers writers = Writers::kUnknown;
  bool cut = false;  // larger than a file may be: `text` is its beginning
  // When it was changed last before it was read, by the clock of its file system.
  std::int64_t changed_ns = 0;
  friend bool operator==(const ScannedFile&, const ScannedFile&) = default;
};

// A file or directory of which people are told that it could not be read.
struct Unread {
  std::string path;
  std::string key;   // of a file: as in unreadable_files
  std::string why;   // what is wrong
  std::string next;  // the next step
};

struct Scan {
  std::vector<ScannedFile> files;             // sorted by path; a file reached twice is listed once
  std::vector<std::string> folders;           // to be watched; also where symbolic links lead
  std::vector<std::string> unreadable_roots;  // directories that are not there, closed to us or too large
  std::size_t too_large = 0;                  // how many of these were read in part; that part is in `folders`
  std::vector<std::string> unreadable_files;  // real paths, or where links stand: their content is not known
  std::vector<Unread> unread;                 // of these two, what should be told
  model::Findings findings;
};

constexpr std::size_t kMostFolders = 10'000;  // below each directory that is given; they are all watched

// *.yaml, *.yml and *.json; names that begin with a dot are skipped. Names that were nearly one of these (*.YAML,
// *.ymal) are told. Loops of links end; depth, sizes and the number of directories (at least 2) are bounded.
Scan ScanFolders(const std::vector<std::string>& roots, std::size_t most_folders = kMostFolders);

}  // namespace plait::control::source
