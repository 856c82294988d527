// The tree of verbs: what is wrong usage, and what the exit codes are without a mesh.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "cli/verbs.h"

namespace plait::cli {
namespace {

int RunLine(std::vector<std::string> words, const char* program = "/usr/bin/plait") {
  words.insert(words.begin(), program);
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  return Run(static_cast<int>(argv.size()), argv.data());
}

TEST(CommandLine, ExitsWith2ForWrongUsage) {
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{},
                                             {"fly"},
                                             {"up"},
                                             {"up", "/nowhere/at/all"},
                                             {"up", "/tmp", "--net", "carrier-pigeon"},
                                             {"up", "/tmp", "--port", "70000"},
                                             {"up", "/tmp", "--concurrency", "0"},
                                             {"up", "/tmp", "--timeout", "0"},
                                             {"demo", "--test", "--detach"},
                                             {"demo", "weather"},
                                             {"demo", "tour", "--port", "70000"},
                                             {"docs", "markdown", "novel"},
                                             {"status", "-o", "xml"},
                                             {"status", "--name", "Not A Name"},
                                             {"exec", "web"},
                                             {"exec", "web", "--"},
                                             {"status", "--", "true"},
                                             {"pc"},
                                             {"pc", "weather", "web"},
                                             {"pc", "cluster", "web", "--direction", "up"},
                                             {"pc", "cluster", "web", "--port", "70000"},
                                             {"pc", "cluster", "web", "--file", "/tmp/x"},
                                             {"pc", "listener", "web", "--address", "foo"},
                                             {"pc", "endpoint", "web", "--address", "10.0.0.1:80"},
                                             {"explain", "web", "http://a/", "-H", "Host: b"},
                                             {"pc", "endpoint", "web", "--status", "SICK"},
                                             {"explain", "web"},
                                             {"explain", "web", "details:99999"},
                                             {"explain", "web", "details", "-H", "bad"},
                                             {"explain", "web", "details", "reviews/0"},
                                             {"explain", "web", "ftp://details/"},
                                             {"logs", "web", "--flag", "UF,XX"},
                                             {"completion", "tcsh"},
                                             {"logs", "web", "-A"},
                                             {"log", "web", "--level", "debug", "--reset"},
                                             {"pc", "cluster"}})
    EXPECT_EQ(RunLine(words), kUsage) << (words.empty() ? "" : words[0]);
}

std::string Said(const std::vector<std::string>& words, const char* program = "/usr/bin/plait") {
  testing::internal::CaptureStderr();
  RunLine(words, program);
  return testing::internal::GetCapturedStderr();
}

TEST(CommandLine, SaysThatAFileIsNoDirectoryAndNamesItsFolder) {
  char folder[] = "/tmp/plait-app-XXXXXX";
  ASSERT_NE(mkdtemp(folder), nullptr);
  const std::string file = std::string(folder) + "/mesh.yaml";
  std::ofstream(file) << "kind: Service\n";
  const std::string is_file = "plait: " + file +
                              " is a file, and a directory is needed\n  try: give the directory that it is in, whose "
                              "YAML files are read together: " +
                              folder + "\n";
  EXPECT_EQ(Said({"up", file}), is_file);
  EXPECT_EQ(Said({"explain", "web", "details:80", "-f", file}), is_file);
  const std::string missing = std::string(folder) + "/nowhere";
  const std::string is_missing =
      "plait: there is no directory " + missing + "\n  try: give a directory of Kubernetes and Istio YAML\n";
  EXPECT_EQ(Said({"up", missing}), is_missing);
  EXPECT_EQ(Said({"explain", "web", "details:80", "-f", missing}), is_missing);
  std::filesystem::remove_all(folder);
}

TEST(CommandLine, RefusesADumpThatNeverEnds) {
  const std::string next = "  try: name a regular file or a pipe; save one with: plait pc all WORKLOAD -o json\n";
  for (const char* const file : {"/dev/null", "/dev/zero"}) {
    EXPECT_EQ(Said({"pc", "cluster", "--file", file}), std::string("plait: ") + file + ": is a device\n" + next);
    EXPECT_EQ(RunLine({"pc", "all", "--file", file}), kBadFile);
  }
}

TEST(CommandLine, NamesAWordThatIsNoCommandAndWhatMayHaveBeenMeant) {
  EXPECT_EQ(Said({"statsu"}), "plait: there is no command \"statsu\": did you mean \"status\"?\n  try: plait --help\n");
  EXPECT_EQ(Said({"demo", "--name", "x", "tuor"}),
            "plait: there is no command \"tuor\": did you mean \"tour\"?\n  try: plait demo --help\n");
  EXPECT_NE(Said({"pc", "weather", "web"}).find("\"weather\": there are cluster, listener, route"), std::string::npos);
  EXPECT_EQ(Said({"cert", "list"}), "plait: there is no command \"list\": there is rotate\n  try: plait cert --help\n");
  EXPECT_EQ(Said({"up"}), "plait: DIRECTORY is missing\n  try: plait up --help\n");
  EXPECT_EQ(Said({"run"}), "plait: --as is required\n  try: plait run --help\n");
  EXPECT_NE(Said({"analyze"}).find("\"analyze\": it is \"check\" here"), std::string::npos) << "as Istio calls it";
  EXPECT_NE(Said({}).find("plait: a command is missing: there are demo, up, down"), std::string::npos);
  EXPECT_EQ(
      Said({"pc"}, "/usr/bin/kubectl-plait"),
      "kubectl plait: a command is missing: there are cluster, listener, route, endpoint, secret, bootstrap, all, "
      "log\n  try: kubectl plait proxy-config --help\n");
  EXPECT_EQ(Said({"statsu"}, "/usr/bin/kubectl-plait").find("kubectl plait: there is no command"), 0u);
}

TEST(CommandLine, SaysWhatAWordMayBe) {
  EXPECT_NE(Said({"pc", "endpoint", "web", "--status", "SICK"}).find("\"SICK\" is not one of HEALTHY, UNHEALTHY"),
            std::string::npos);
  const std::string flag = Said({"logs", "web", "--flag", "XX"});
  EXPECT_NE(flag.find("--flag \"XX\" is no response flag\n  try: one or more of DC, "), std::string::npos) << flag;
  const std::string port = Said({"explain", "web", "details:99999"});
  EXPECT_NE(port.find("TO \"details:99999\""), std::string::npos) << port;
  EXPECT_NE(port.find("try: a port is a number from 1 to 65535"), std::string::npos) << port;
}

TEST(CommandLine, ExitsWith3WhenThereIsNoSuchMesh) {
  const std::string name = "none-" + std::to_string(getpid());
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"status"},
                                             {"ps"},
                                             {"proxy-status", "-o", "json"},
                                             {"pc", "c", "web"},
                                             {"pc", "ep", "web", "--status", "healthy"},
                                             {"logs", "web"},
                                             {"check"},
                                             {"explain", "web", "reviews"},
                                             {"log", "web"},
                                             {"test"},
                                             {"down"}}) {
    std::vector<std::string> line = words;
    line.insert(line.end(), {"--name", name});
    EXPECT_EQ(RunLine(line), kUnreachable) << words[0];
  }
  EXPECT_EQ(RunLine({"exec", "--name", name, "web", "--", "true"}), kUnreachable);
}

TEST(CommandLine, ExplainsItselfWithoutAnError) {
  EXPECT_EQ(RunLine({"--help"}), kDone);
  EXPECT_EQ(RunLine({"test", "--help"}), kDone);
  EXPECT_EQ(RunLine({"version", "--name", "none-" + std::to_string(getpid())}), kDone);
}

}  // namespace
}  // namespace plait::cli
