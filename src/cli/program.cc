#include "cli/program.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "cli/memory_file.h"
#include "core/base/strings.h"
#include "local/paths.h"

extern char** environ;

namespace plait::cli {

Outcome<ProgramEnd> RunProgram(const std::string& name, const std::vector<std::string>& arguments) {
  const std::string path = local::BinaryFolder() + "/" + name;
  const Outcome<io::UniqueFd> out = MakeMemoryFile("stdout");
  const Outcome<io::UniqueFd> err = MakeMemoryFile("stderr");
  for (const auto* file : {&out, &err})
    if (!*file) return std::unexpected(file->error());
  std::vector<std::string> words = {name};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out->get(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, err->get(), STDERR_FILENO);
  pid_t pid = 0;
  const int failed = posix_spawn(&pid, path.c_str(), &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) return Explain(Errc::kNotFound, path + " cannot be run", "build or install all of Plait");
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return ProgramEnd{.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
                    .out = WholeFile(out->get()),
                    .err = WholeFile(err->get())};
}

Outcome<std::string> OutputOfProgram(const std::string& name, const std::vector<std::string>& arguments) {
  Outcome<ProgramEnd> end = RunProgram(name, arguments);
  if (!end) return std::unexpected(end.error());
  if (end->code == 0) return std::move(end->out);
  std::string why(Trim(end->err));
  if (why.starts_with(name + ": ")) why.erase(0, name.size() + 2);
  return Explain(Errc::kNotFound, why.empty() ? name + " ended without a word" : why);
}

}  // namespace plait::cli
