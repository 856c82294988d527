#pragma once
// Thin calls around mount(2) that say what failed.
#include <string>

#include "core/base/result.h"

namespace plait::local {

Outcome<> MountTmpfs(const std::string& where, const char* options);
// With everything mounted below it: without MS_REC a locked mount would be uncovered, which the kernel refuses.
Outcome<> BindTree(const std::string& from, const std::string& to);
Outcome<> MakeFolder(const std::string& path, unsigned mode = 0755);  // existing is fine; parents must exist
Outcome<> MakeParents(const std::string& path);                       // all above the last component
Outcome<> WriteWholeFile(const std::string& path, const std::string& text);
std::string ReadWholeFile(const std::string& path);  // "" when it cannot be read

}  // namespace plait::local
