#include "cli/manual.h"

#include <functional>
#include <nlohmann/json.hpp>

#include "cli/json_access.h"
#include "core/base/strings.h"

namespace plait::cli {
namespace {

// Calls `each` with the words of every command below, depth first: {"plait", "pc", "cluster"}.
void Walk(const Command& command, std::vector<std::string> words,
          const std::function<void(const Command&, const std::vector<std::string>&)>& each) {
  words.push_back(command.name);
  each(command, words);
  for (const Command& child : command.children) Walk(child, words, each);
}

std::string Synopsis(const Command& command, const std::vector<std::string>& words) {
  std::string line = Join(words, " ");
  if (!command.children.empty()) line += command.run ? " [COMMAND]" : " COMMAND";
  bool options = false;
  for (const Option& option : command.options) {
    options = options || !option.positional();
    if (option.positional()) line += option.required ? " " + option.value : " [" + option.value + "]";
  }
  if (options) line += " [OPTIONS]";
  return command.rest ? line + " -- COMMAND..." : line;
}

// "-f, --file FILE"
std::string OptionTitle(const Option& option) {
  if (option.positional()) return option.value;
  std::string title;
  for (const std::string_view name : Split(option.names, ',')) title.append(title.empty() ? "" : ", ").append(name);
  return option.flag() ? title : title + " " + option.value;
}

std::string OptionHelp(const Option& option) {
  return option.help + (option.standard.empty() ? "" : " (default: " + option.standard + ")");
}

std::string MarkdownCell(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '|') out += '\\';
    out += c;
  }
  return out;
}

// "show the mesh" -> "Show the mesh."; a question stays one.
std::string Sentence(std::string text) {
  if (!text.empty() && text.front() >= 'a' && text.front() <= 'z')
    text.front() = static_cast<char>(text.front() - 'a' + 'A');
  return text.ends_with('?') ? text : text + ".";
}

void AddMarkdown(const Command& command, const std::vector<std::string>& words, std::string& out) {
  if (words.size() == 1) return;
  out += "\n" + std::string(words.size() > 2 ? "###" : "##") + " " + Join(words, " ") + "\n\n";
  out += Sentence(command.summary);
  if (!command.aliases.empty()) out += " Also: `" + Join(command.aliases, "`, `") + "`.";
  out += "\n";
  if (!command.details.empty()) out += "\n" + command.details + "\n";
  out += "\n```\n" + Synopsis(command, words) + "\n```\n";
  if (command.run && !command.options.empty()) {
    out += "\n| option | |\n|---|---|\n";
    for (const Option& option : command.options)
      if (!option.hidden)
        out += "| `" + MarkdownCell(OptionTitle(option)) + "` | " + MarkdownCell(OptionHelp(option)) + " |\n";
  }
  if (!command.examples.empty()) {
    out += "\n";
    for (const auto& [line, what] : command.examples) out += "- `plait " + line + "`: " + what + "\n";
  }
}

// Text that troff takes as it is: no escape, and no line that begins as a request.
std::string Troff(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if ((c == '.' || c == '\'') && (out.empty() || out.back() == '\n')) out += "\\&";
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else {
      out += c;
    }
  }
  return out;
}

std::string ManPage(const Command& command, const std::vector<std::string>& words) {
  std::string page = ".TH " + Join(words, "-") + " 1 \"\" \"plait " PLAIT_VERSION "\" \"Plait\"\n.SH NAME\n" +
                     Troff(Join(words, "-")) + " \\- " + Troff(command.summary) + "\n.SH SYNOPSIS\n" +
                     Troff(Synopsis(command, words)) + "\n";
  if (!command.details.empty()) page += ".SH DESCRIPTION\n" + Troff(command.details) + "\n";
  if (!command.children.empty()) {
    page += ".SH COMMANDS\n";
    for (const Command& child : command.children)
      page += ".TP\n.B " + Troff(child.name) + "\n" + Troff(child.summary) + "\n";
  }
  if (!command.options.empty()) {
    page += ".SH OPTIONS\n";
    for (const Option& option : command.options)
      if (!option.hidden) page += ".TP\n.B " + Troff(OptionTitle(option)) + "\n" + Troff(OptionHelp(option)) + "\n";
  }
  if (!command.examples.empty()) {
    page += ".SH EXAMPLES\n";
    for (const auto& [line, what] : command.examples)
      page += ".TP\n.B plait " + Troff(line) + "\n" + Troff(what) + "\n";
  }
  page += ".SH EXIT STATUS\n";
  for (const ExitCode& exit : kExitCodes)
    page += ".TP\n.B " + std::to_string(exit.code) + "\n" + Troff(exit.meaning) + "\n";
  return page;
}

Json OptionsJson(const Command& command) {
  Json out = Json::array();
  for (const Option& option : command.options) {
    if (option.hidden) continue;
    Json entry = {
        {"name", option.Long()}, {"value", option.value}, {"help", option.help}, {"required", option.required}};
    if (!option.choices.empty()) entry["choices"] = option.choices;
    if (!option.standard.empty()) entry["default"] = option.standard;
    out.push_back(std::move(entry));
  }
  return out;
}

}  // namespace

std::string ValueText(const Option& option) {
  return option.value + (option.standard.empty() ? "" : " (" + option.standard + ")");
}

std::string HelpFooter(const Command& command) {
  std::string out;
  if (!command.details.empty()) out += command.details + "\n\n";
  if (!command.examples.empty()) out += "Examples:\n";
  for (const auto& [line, what] : command.examples) out += "  plait " + line + "\n      " + what + "\n";
  out += std::string(command.examples.empty() ? "" : "\n") + "Exit codes:\n";
  for (const ExitCode& exit : kExitCodes)
    out += "  " + std::to_string(exit.code) + std::string(exit.code < 10 ? 3 : 1, ' ') + exit.meaning + "\n";
  return out;
}

std::string MarkdownText(const Command& tree) {
  std::string out =
      "# Commands\n\n<!-- Made by `plait docs markdown`; change the commands, not this page. -->\n\n" + tree.summary +
      ". " + tree.details +
      "\n\nThe program answers as `kubectl plait` too, when it is on the path as `kubectl-plait`. Data goes to "
      "standard output,\ntalk to standard error; `NO_COLOR` is honoured.\n\n| exit code | |\n|---|---|\n";
  for (const ExitCode& exit : kExitCodes) out += "| " + std::to_string(exit.code) + " | " + exit.meaning + " |\n";
  out += "\n| command | |\n|---|---|\n";
  Walk(tree, {}, [&](const Command& command, const std::vector<std::string>& words) {
    if (command.run) out += "| `" + Join(words, " ") + "` | " + MarkdownCell(command.summary) + " |\n";
  });
  Walk(tree, {},
       [&](const Command& command, const std::vector<std::string>& words) { AddMarkdown(command, words, out); });
  return out;
}

std::vector<std::pair<std::string, std::string>> ManPages(const Command& tree) {
  std::vector<std::pair<std::string, std::string>> pages;
  Walk(tree, {}, [&](const Command& command, const std::vector<std::string>& words) {
    pages.emplace_back(Join(words, "-") + ".1", ManPage(command, words));
  });
  return pages;
}

Output CommandsOutput(const Command& tree) {
  Output output{.table = {{"COMMAND", "SUMMARY", "ALIASES"}, {}, 1}};
  Json commands = Json::array();
  Walk(tree, {}, [&](const Command& command, const std::vector<std::string>& words) {
    if (!command.run) return;
    output.table.rows.push_back({Join(words, " "), command.summary, Join(command.aliases, ",")});
    output.names.push_back("command/" + Join(words, "-"));
    commands.push_back({{"words", std::vector<std::string>(words.begin() + 1, words.end())},
                        {"summary", command.summary},
                        {"aliases", command.aliases},
                        {"renders", command.renders},
                        {"options", OptionsJson(command)}});
  });
  Json codes = Json::array();
  for (const ExitCode& exit : kExitCodes) codes.push_back({{"code", exit.code}, {"meaning", exit.meaning}});
  output.data = Data({{"commands", std::move(commands)}, {"exitCodes", std::move(codes)}});
  return output;
}

Output ConfigurationOutput(const Json& reference, const std::string& kind) {
  Output output{.table = {{"KIND", "FIELD", "EFFECT", "NOTE"}, {}}};
  Json kinds = Json::array();
  for (const Json& one : At(reference, "kinds")) {
    const std::string name = Text(one, {"kind"});
    if (!kind.empty() && !EqualsIgnoreCase(name, kind)) continue;
    kinds.push_back(one);
    output.names.push_back("kind/" + name);
    // A kind without fields of its own is told by its note.
    if (At(one, "fields").empty()) output.table.rows.push_back({name, "-", "-", Text(one, {"note"})});
    for (const Json& field : At(one, "fields"))
      output.table.rows.push_back({name, Text(field, {"field"}), Text(field, {"effect"}), Text(field, {"note"})});
  }
  output.data = Data({{"kinds", std::move(kinds)}, {"ignoredKinds", At(reference, "ignoredKinds")}});
  return output;
}

}  // namespace plait::cli
