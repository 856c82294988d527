#pragma once
// Thin calls around mount(2) that say what failed.
#include <string>

#include "core/base/result.h"

namespace plait::local {

Outcome<> MountTmpfs(const std::string& where, const char* options);
// With everything mounted below it: without MS_REC a locked mount would be uncovered, which the kernel refuses.
Outcome<> BindTree(const std::string& from, const std::string& to);
// Each entry of a folder bound into another one, which is empty; links are copied. `called`: the folder's name in
// errors. What is not there any more is left out; a folder of which not everything can be read is an error, none of its
// entries is hidden in silence.
Outcome<> BindEntries(const std::string& from, const std::string& to, const std::string& called);
Outcome<> MakeFolder(const std::string& path, unsigned mode = 0755);  // existing is fine; parents must exist
Outcome<> MakeParents(const std::string& path);                       // all above the last component
Outcome<> WriteWholeFile(const std::string& path, const std::string& text);
std::string ReadWholeFile(const std::string& path);  // "" when it cannot be read

}  // namespace plait::local
