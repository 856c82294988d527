// Applications in real namespaces, and commands that get a container of their own: what they can and, above all, what
// they cannot do. Each test starts a mesh process of its own and launches shell or Python programs in it exactly as the
// supervisor does.
#include "local/launch.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include "core/io/socket.h"
#include "local/testing_launch.h"

namespace plait::local {
namespace {

TEST_F(LaunchTest, GivesTheApplicationItsOwnNamesAndUser) {
  const std::string text =
      Shell("id -u; hostname; cat /etc/resolv.conf; grep web-0 /etc/hosts; whoami; ls -d /run/*; echo $$");
  EXPECT_EQ(text.substr(0, 11), "1000\nweb-0\n") << text;
  EXPECT_NE(text.find("nameserver 10.96.0.10"), std::string::npos) << text;
  EXPECT_NE(text.find("10.244.0.9\tweb-0"), std::string::npos) << text;
  EXPECT_NE(text.find("app\n"), std::string::npos) << text;
  EXPECT_NE(text.find("\n2\n"), std::string::npos) << text;  // below plait-init, in a pid namespace of its own
}

TEST_F(LaunchTest, LeavesNoCapabilityAndNoNewPrivileges) {
  const std::string text = Shell("grep -E 'Cap|NoNewPrivs|Seccomp:' /proc/self/status");
  for (const char* line : {"CapInh:\t0000000000000000", "CapPrm:\t0000000000000000", "CapEff:\t0000000000000000",
                           "CapBnd:\t0000000000000000", "CapAmb:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"})
    EXPECT_NE(text.find(line), std::string::npos) << text;
}

TEST_F(LaunchTest, RefusesToChangeTheCapture) {
  const std::string script =
      "nft flush ruleset && echo WEAK; nft list ruleset | grep -q . && echo WEAK; ip link set lo down && echo WEAK;"
      "ip route add 1.2.3.4 dev lo && echo WEAK; ip addr add 9.9.9.9 dev lo && echo WEAK; true";
  EXPECT_EQ(Shell(script).find("WEAK"), std::string::npos);
}

constexpr const char* kPowers = R"(
import ctypes, os, socket
def tried(name, call):
    try: call(); print('WEAK', name)
    except OSError as e: print('refused', name, e.errno)
s = socket.socket()
tried('SO_MARK', lambda: s.setsockopt(socket.SOL_SOCKET, 36, 0x539))
tried('IP_TRANSPARENT', lambda: s.setsockopt(0, 19, 1))
tried('raw', lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1))
tried('packet', lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0))
libc = ctypes.CDLL(None, use_errno=True)
def syscall(*args):
    if libc.syscall(*args) < 0: raise OSError(ctypes.get_errno(), '')
tried('setns', lambda: syscall(308, os.open('/proc/1/ns/net', os.O_RDONLY), 0x40000000))
tried('umount', lambda: syscall(166, b'/proc', 2))
tried('keyctl', lambda: syscall(250, 0, -3, 0))
tried('add_key', lambda: syscall(248, b'user', b'x', b'y', 1, -3))
tried('ptrace 1', lambda: syscall(101, 16, 1, 0, 0))
tried('mem of 1', lambda: open('/proc/1/mem', 'rb'))
tried('fds of 1', lambda: os.listdir('/proc/1/fd'))
)";

TEST_F(LaunchTest, RefusesMarksAndOtherNamespaces) {
  const std::string text = Python(kPowers);
  EXPECT_EQ(text.find("WEAK"), std::string::npos) << text;
  EXPECT_NE(text.find("refused SO_MARK"), std::string::npos) << text;
}

TEST_F(LaunchTest, RefusesThemFromAUserNamespaceOfItsOwnToo) {
  const std::string enter = R"(
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
uid = os.getuid()
assert libc.unshare(0x10000000) == 0, ctypes.get_errno()
open('/proc/self/setgroups','w').write('deny')
open('/proc/self/uid_map','w').write('0 %d 1' % uid)
print('inside', os.getuid())
)";
  const auto open_up = [](LaunchPlan& plan) { plan.allow_user_namespaces = true; };
  const std::string text = Python(enter + kPowers, open_up);
  EXPECT_NE(text.find("inside 0"), std::string::npos) << text;
  // raw sockets, links and rules belong to the network namespace, which is the mesh's.
  EXPECT_EQ(text.find("WEAK"), std::string::npos) << text;
  EXPECT_NE(Python(enter).find("Error: 28"), std::string::npos) << "without the switch: no user namespace at all";
}

TEST_F(LaunchTest, SeesNoProcessOfTheMesh) {
  const std::string text = Shell("for p in /proc/[0-9]*; do echo $p; done; kill -9 1; kill -0 1 && echo alive");
  EXPECT_NE(text.find("alive"), std::string::npos) << text;  // its own init, which it cannot kill
  EXPECT_EQ(text.find("launch_test"), std::string::npos);
}

TEST_F(LaunchTest, HidesTheStateFromItsPath) {
  const std::string text = Shell("cat " + folder_ + "/home/state/ca-key.pem; ls " + folder_ + "/run/root");
  EXPECT_EQ(text.find("secret-key"), std::string::npos) << text;
  EXPECT_NE(Shell("cat " + folder_ + "/home/../open/x 2>/dev/null; echo fine").find("fine"), std::string::npos);
}

TEST_F(LaunchTest, HidesTheStateFromOtherMountsOfTheSameFolder) {
  const std::string home = folder_ + "/home";
  const std::string elsewhere = folder_ + "/elsewhere";
  const std::string text = Shell("ls -d " + elsewhere + "/state && cat " + elsewhere + "/state/ca-key.pem",
                                 [&](LaunchPlan&) { BindTree(home, elsewhere).value(); });
  EXPECT_NE(text.find(elsewhere), std::string::npos) << text;
  EXPECT_EQ(text.find("secret-key"), std::string::npos) << text;
}

TEST_F(LaunchTest, RefusesToRenameTheParentsOfTheState) {
  ASSERT_EQ(chmod(folder_.c_str(), 0777), 0);
  ASSERT_EQ(chmod((folder_ + "/home").c_str(), 0777), 0);
  const std::string text = Shell("mv " + folder_ + "/home " + folder_ + "/moved; mv " + folder_ + "/home/state " +
                                 folder_ + "/home/s; mv " + folder_ + " /var/tmp/plait-moved");
  struct stat info{};
  EXPECT_EQ(stat((folder_ + "/home/state/ca-key.pem").c_str(), &info), 0) << text;
  EXPECT_EQ(Shell("cat " + folder_ + "/*/*/ca-key.pem " + folder_ + "/*/ca-key.pem").find("secret-key"),
            std::string::npos);
}

TEST_F(LaunchTest, InheritsNoDescriptor) {
  io::UniqueFd folder(open((folder_ + "/home/state").c_str(), O_PATH | O_DIRECTORY));  // not close-on-exec
  const std::string text = Shell("ls -l /proc/self/fd; cat /proc/self/fd/*/ca-key.pem");
  EXPECT_EQ(text.find("secret-key"), std::string::npos) << text;
  EXPECT_EQ(text.find("home/state"), std::string::npos) << text;
}

TEST_F(LaunchTest, SaysWhyAProgramDidNotStart) {
  EXPECT_NE(RunIn([](LaunchPlan&) {}, {"/no/such/program"}).find("cannot run /no/such/program"), std::string::npos);
  const std::string text = Shell("true", [](LaunchPlan& plan) { plan.working_dir = "/no/such/folder"; });
  EXPECT_NE(text.find("cannot use the working directory /no/such/folder"), std::string::npos) << text;
}

TEST_F(LaunchTest, HandsOnSignalsAndReapsOrphans) {
  const std::string text =
      Shell("trap 'echo term; exit 3' TERM; (sleep 0.05 & exec true); kill -TERM 1; while true; do sleep 0.02; done");
  EXPECT_NE(text.find("term"), std::string::npos) << text;
}

TEST_F(LaunchTest, LosesNoSignalThatComesAsSoonAsTheContainerRuns) {
  const std::string text = InMesh({"/bin/sleep", "3"}, [](LaunchPlan& plan) {
    for (int round = 0; round < 20; ++round) {
      auto launched = Launch(plan);
      if (!launched) return 1;
      fcntl(launched->report.get(), F_SETFL, 0);
      const std::string told = ReadToEnd(launched->report.get());  // until plait-init is executed
      const auto pid = static_cast<pid_t>(std::strtol(told.substr(told.find(' ') + 1).c_str(), nullptr, 10));
      kill(pid, SIGTERM);
      int status = 0;
      waitpid(launched->setter, nullptr, 0);
      if (waitpid(pid, &status, 0) != pid) return 2;
      dprintf(plan.output, "%d ", WEXITSTATUS(status));
    }
    return 0;
  });
  std::string expected;
  for (int round = 0; round < 20; ++round) expected += "143 ";
  EXPECT_EQ(text, expected);
}

TEST_F(LaunchTest, GivesTheProgramNoBlockedSignal) {
  EXPECT_EQ(Shell("grep SigBlk /proc/self/status"), "SigBlk:\t0000000000000000\n");
}

TEST_F(LaunchTest, GivesACommandAContainerOfItsOwnAndHasItsExitCode) {
  EXPECT_EQ(Beside({"sh", "-c", "id -u; hostname; echo $$; exit 7"}), "1000\nweb-0\n2\nexit 7\n");
  EXPECT_EQ(Beside({"sh", "-c", "kill -TERM $$"}), "exit 143\n");
  const std::string missing = Beside({"no-such-program"});
  EXPECT_NE(missing.find("cannot run no-such-program"), std::string::npos) << missing;
  EXPECT_NE(missing.find("exit 127\n"), std::string::npos) << missing;
}

TEST_F(LaunchTest, SaysWhyACommandGotNoContainer) {
  const std::string text = InMesh({}, [&](LaunchPlan& place) {
    const JoinPlan plan{.argv = {"true"}, .working_dir = "/no/such/folder", .out = place.output, .err = place.output};
    const auto joined = RunInNewContainer(place, plan);
    int status = 0;
    if (joined) waitpid(joined->helper, &status, 0);
    dprintf(place.output, "exit %d\n", WEXITSTATUS(status));
    return 0;
  });
  EXPECT_NE(text.find("cannot use the working directory /no/such/folder"), std::string::npos) << text;
  EXPECT_NE(text.find("exit 126\n"), std::string::npos) << text;
}

TEST_F(LaunchTest, LeavesACommandInAContainerOfItsOwnNoPowerEither) {
  const std::string text = Beside({"/usr/bin/python3", "-c", kPowers});
  EXPECT_EQ(text.find("WEAK"), std::string::npos) << text;
  EXPECT_NE(text.find("refused ptrace 1"), std::string::npos) << text;
  const std::string seen = Beside({"sh", "-c",
                                   "grep -E 'CapBnd|NoNewPrivs|Seccomp:' /proc/self/status; ls -d /proc/[0-9]*; cat " +
                                       folder_ + "/home/state/ca-key.pem 2>/dev/null; ls -l /proc/self/fd"});
  for (const char* line : {"CapBnd:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2", "/proc/1\n"})
    EXPECT_NE(seen.find(line), std::string::npos) << seen;
  for (const char* secret : {"secret-key", "launch_test", "socket:", "home/state"})
    EXPECT_EQ(seen.find(secret), std::string::npos) << seen;
}

TEST_F(LaunchTest, EndsACommandInAContainerOfItsOwnWithItsHelper) {
  const std::string text = InMesh({}, [&](LaunchPlan& place) {
    int said[2];
    if (pipe2(said, O_CLOEXEC) != 0) return 1;
    const JoinPlan plan{.argv = {"sh", "-c", "echo up; sleep 1000 & wait"},
                        .environment = place.environment,
                        .out = said[1],
                        .err = said[1]};
    const auto joined = RunInNewContainer(place, plan);
    close(said[1]);
    char up[3];
    if (!joined || read(said[0], up, sizeof up) != sizeof up) return 1;
    kill(joined->helper, SIGKILL);
    dprintf(place.output, "then: %s", ReadToEnd(said[0]).c_str());  // the end of file: nobody is left who could write
    return 0;
  });
  EXPECT_EQ(text, "then: ");
}

TEST_F(LaunchTest, GivesACommandInAContainerOfItsOwnATerminalThatInterruptsIt) {
  const std::string text = InMesh({}, [&](LaunchPlan& place) {
    const JoinPlan plan{.argv = {"sh", "-c", "tty; stty size; trap 'exit 4' INT; echo up; while :; do sleep 0.1; done"},
                        .environment = place.environment,
                        .tty = true,
                        .rows = 31,
                        .columns = 97};
    const auto joined = RunInNewContainer(place, plan);
    auto got = joined ? io::ReceiveFds(joined->terminal.get()) : Fail(Errc::kInternal, "");
    if (!got || got->fds.size() != 1) return 1;
    const int master = got->fds[0].get();
    std::string seen;
    char piece[256];
    for (ssize_t n; seen.find("up\r\n") == std::string::npos && (n = read(master, piece, sizeof piece)) > 0;)
      seen.append(piece, static_cast<std::size_t>(n));
    int status = 0;
    if (write(master, "\x03", 1) != 1 || waitpid(joined->helper, &status, 0) != joined->helper) return 1;
    dprintf(place.output, "%sexit %d\n", seen.c_str(), WEXITSTATUS(status));
    return 0;
  });
  EXPECT_EQ(text, "/dev/pts/0\r\n31 97\r\nup\r\nexit 4\n");
}

}  // namespace
}  // namespace plait::local
