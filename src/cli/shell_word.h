#pragma once
#include <string>

namespace plait::cli {

// As one word of a shell, whatever it holds: for commands that are printed to be copied.
std::string ShellWord(const std::string& text);

}  // namespace plait::cli
