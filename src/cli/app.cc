// Parses a command line by the tree of commands, with CLI11, and runs what it names.
#include <CLI/CLI.hpp>
#include <cctype>

#include "cli/complete.h"
#include "cli/manual.h"
#include "cli/tree.h"
#include "cli/verbs.h"
#include "core/base/strings.h"
#include "core/yaml/suggest.h"

namespace plait::cli {
namespace {

// The choice that the word is, in upper or lower case. One that is not among them is wrong usage, said with what it may
// be.
std::string ChoiceOf(const Option& option, const std::string& word) {
  if (option.choices.empty()) return word;
  std::string known;
  for (const std::string& choice : option.choices) {
    if (EqualsIgnoreCase(choice, word)) return choice;
    known += (known.empty() ? "" : ", ") + choice;
  }
  throw CLI::ValidationError(option.Long(), "\"" + word + "\" is not one of " + known);
}

CLI::Option* AddTo(CLI::App& app, const Option& option) {
  return std::visit(
      [&](auto* to) -> CLI::Option* {
        using T = std::remove_pointer_t<decltype(to)>;
        if constexpr (std::is_same_v<T, bool>) {
          return app.add_flag(option.names, *to, option.help);
        } else if constexpr (std::is_same_v<T, Format>) {
          return app.add_option_function<std::string>(
              option.names, [&option, to](const std::string& word) { *to = *FormatOf(ChoiceOf(option, word)); },
              option.help);
        } else if constexpr (std::is_same_v<T, std::string>) {
          return app.add_option_function<std::string>(
              option.names, [&option, to](const std::string& word) { *to = ChoiceOf(option, word); }, option.help);
        } else {
          CLI::Option* added = app.add_option(option.names, *to, option.help);
          if constexpr (std::is_same_v<T, int>) added->check(CLI::Range(option.range.first, option.range.second));
          if constexpr (std::is_same_v<T, std::vector<std::string>>) {
            if (!option.positional()) added->allow_extra_args(false);  // once a word: what follows is not its own
          }
          return added;
        }
      },
      option.to);
}

void Add(CLI::App& app, const Option& option) {
  CLI::Option* added = AddTo(app, option);
  if (!option.flag()) added->option_text(ValueText(option));
  if (option.required) added->required();
  if (option.hidden) added->group("");
}

void Build(CLI::App& app, const Command& command, const Command*& chosen) {
  app.set_help_flag("-h,--help", "what there is");
  for (const std::string& alias : command.aliases) app.alias(alias);
  for (const Option& option : command.options) Add(app, option);
  app.footer(HelpFooter(command));
  for (const Command& child : command.children) Build(*app.add_subcommand(child.name, child.summary), child, chosen);
  if (!command.children.empty()) app.require_subcommand(command.run ? 0 : 1, 1);
  // A child's callback comes before that of its parent.
  if (command.run)
    app.callback([&app, &command, &chosen] {
      if (app.get_subcommands().empty()) chosen = &command;
    });
}

// "plait pc cluster", as far as it was understood.
std::string Understood(const CLI::App& app) {
  std::string line = app.get_name();
  for (const CLI::App* at = &app; !at->get_subcommands().empty();) {
    at = at->get_subcommands().front();
    line += " " + at->get_name();
  }
  return line;
}

std::string NameOf(const char* path) {
  const std::string name = std::string(path).substr(std::string(path).rfind('/') + 1);
  return name == "kubectl-plait" ? "kubectl plait" : "plait";
}

const Option* OptionNamed(const Command& command, std::string_view name) {
  for (const Option& option : command.options)
    for (const std::string_view known : Split(option.names, ','))
      if (known == name) return &option;
  return nullptr;
}

// What people of other meshes type.
constexpr std::pair<std::string_view, const char*> kElsewhere[] = {
    {"analyze", "check"}, {"describe", "explain"}, {"get", "status"}, {"tap", "logs"}, {"x", "explain"}};

// "there are cluster, listener": those of a group.
std::string CommandsOf(const Command& group) {
  std::string all;
  for (const Command& child : group.children) all += (all.empty() ? "" : ", ") + child.name;
  return (group.children.size() == 1 ? "there is " : "there are ") + all;
}

// "status" for "statsu"; all there are when none is near.
std::string CommandNear(const Command& group, const std::string& word) {
  for (const auto& [name, here] : kElsewhere)
    if (name == word && group.Find(here) != nullptr) return std::string("it is \"") + here + "\" here";
  std::vector<std::string_view> names;
  for (const Command& child : group.children) {
    names.emplace_back(child.name);
    names.insert(names.end(), child.aliases.begin(), child.aliases.end());
  }
  const std::string near = yaml::Nearest(word, names);
  return near.empty() ? CommandsOf(group) : "did you mean \"" + near + "\"?";
}

// A word in a command's place that is none, said with what it may have been meant for, or that one is missing; "" when
// all of them are there.
std::string WrongCommand(const Command& tree, const std::vector<std::string>& words) {
  const Command* at = &tree;
  for (std::size_t i = 0; i < words.size() && !at->children.empty(); ++i) {
    if (words[i].starts_with('-')) {
      const Option* option = OptionNamed(*at, words[i]);
      if (option != nullptr && !option->flag()) ++i;  // its value
      continue;
    }
    const Command* child = at->Find(words[i]);
    if (child == nullptr) return "there is no command \"" + words[i] + "\": " + CommandNear(*at, words[i]);
    at = child;
  }
  return at->children.empty() || at->run ? "" : "a command is missing: " + CommandsOf(*at);
}

// "DIRECTORY is missing", as its help names it, for "directory is required".
std::string WhatIsWrong(const CLI::ParseError& error) {
  std::string what = error.what();
  constexpr std::string_view kRequired = " is required";
  if (what.starts_with('-') || !what.ends_with(kRequired)) return what;
  what.resize(what.size() - kRequired.size());
  for (char& c : what) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return what + " is missing";
}

// `line`: the command as far as it was understood; it begins with `name`, the program's.
int WrongUsage(const std::string& name, const std::string& what, const std::string& line) {
  Say(name + ": " + what);
  Say("  try: " + line + " --help");
  return kUsage;
}

}  // namespace

int Run(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == kCompleteWord) return CompleteLine({argv + 2, argv + argc});
  MeshOptions mesh;
  const Command tree = Tree(mesh);
  const Command* parsed = nullptr;
  const std::string name = NameOf(argv[0]);
  CLI::App app(tree.summary, name);
  Build(app, tree, parsed);
  app.set_version_flag("--version", PLAIT_VERSION, "of this program; `plait version` tells of the mesh too");

  int own = argc;  // what comes after "--" is the command of exec
  for (int i = 1; i < argc && own == argc; ++i)
    if (std::string_view(argv[i]) == "--") own = i;
  try {
    app.parse(own, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return WithOutput(app.exit(error));  // --help, --version
    const std::string wrong = WrongCommand(tree, {argv + 1, argv + own});
    return WrongUsage(name, wrong.empty() ? WhatIsWrong(error) : wrong, Understood(app));
  }
  const Command& chosen = *parsed;
  if (own < argc && chosen.rest == nullptr) return WrongUsage(name, "nothing may stand behind --", Understood(app));
  if (chosen.rest != nullptr) {
    for (int i = own + 1; i < argc; ++i) chosen.rest->emplace_back(argv[i]);
    if (chosen.rest->empty()) return WrongUsage(name, "a command is missing: -- COMMAND", Understood(app));
  }
  return WithOutput(chosen.run());
}

}  // namespace plait::cli
