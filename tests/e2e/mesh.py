"""A mesh for the end-to-end tests: `plait up` as an unprivileged user, with real processes in network namespaces.

Started by root, everything of the mesh runs under a user id of its own that owns nothing else, so that whatever is left
behind can be seen (and is a failure).
"""
import contextlib
import json
import os
import pathlib
import re
import select
import shutil
import subprocess
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BIN = pathlib.Path(os.environ.get("PLAIT_BIN", ROOT / "build/release/bin"))
SAMPLES = ROOT / "samples"
# Programs of preset asan need several times the processor and the memory.
SANITIZED = b"__asan_init" in (BIN / "plait-proxy").read_bytes()
# A user that nobody else is. Not in /etc/passwd: the mesh must not need that. Two runs at once need two of them.
TEST_UID = int(os.environ.get("PLAIT_TEST_UID", "64123")) if os.geteuid() == 0 else os.getuid()


def unprivileged(command):
    """`command` as the test user; as it is when the tests do not run as root."""
    if os.geteuid() != 0:
        return command
    return ["setpriv", f"--reuid={TEST_UID}", f"--regid={TEST_UID}", "--clear-groups", "--", *command]


def until(condition, seconds, what):
    """Waits until `condition()` gives something true, and returns it."""
    end = time.monotonic() + seconds
    while True:
        try:
            if result := condition():
                return result
        except (AssertionError, OSError, ValueError, KeyError, IndexError, TypeError) as error:
            last = error
        else:
            last = None
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds} s in vain: {what}" + (f" ({last!r})" if last else ""))
        select.select([], [], [], 0.02)


def logs_end(folder, output, lines=60):
    """The last of what `plait up` has said, and of each log of its mesh."""
    out = output.read_text(errors="replace").splitlines()[-lines:] if output.exists() else []
    for log in sorted((folder / "run").glob("plait/*/logs/**/*.log")):
        out += [f"--- {log.relative_to(folder)}"] + log.read_text(errors="replace").splitlines()[-8:]
    return "\n".join(out)


@contextlib.contextmanager
def showing(tail):
    """When the body fails, the failure says `tail()`, too."""
    try:
        yield
    except BaseException as error:
        error.add_note(tail())
        raise


@contextlib.contextmanager
def stopped_on_failure(stop):
    """Around what a fixture does between a start and its `yield`: when that fails, pytest does not go on behind the `yield`."""
    try:
        yield
    except BaseException:
        stop()
        raise


def end_process(process, seconds, tail):
    """Ends a process as its user does. One that does not go is killed, and that is a failure, which says `tail()`."""
    if process is None or process.poll() is not None:
        return
    process.terminate()
    with showing(tail):
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"{process.args} did not end within {seconds} s of SIGTERM") from None


def command_lines():
    """(pid, words of the command) of every process that can be seen."""
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            yield int(entry.name), (entry / "cmdline").read_bytes().split(b"\0")


BEFORE_THE_TESTS = {pid for pid, _ in command_lines()}


def process_status(pid):
    """What /proc/PID/status says of a process or of a thread (`PID/task/TID`): {name: text}."""
    lines = pathlib.Path(f"/proc/{pid}/status").read_text(errors="replace").splitlines()
    return {name: text.strip() for name, _, text in (line.partition(":") for line in lines)}


def processes_with(*marks):
    """"PID WORDS" of our user's processes that have one of these texts in their words or variables: how a mesh is told from what
    else the user runs."""
    found = []
    for pid, words in command_lines():
        variables, user = b"", ""
        with contextlib.suppress(OSError):
            user = process_status(pid)["Uid"].split()[0]
        if user != str(os.getuid()):
            continue
        with contextlib.suppress(OSError):  # of a confined process: its words tell
            variables = pathlib.Path(f"/proc/{pid}/environ").read_bytes()
        text = b"\0".join([*words, variables])
        if words != [b""] and pid not in BEFORE_THE_TESTS and any(mark.encode() in text for mark in marks):
            found.append(f"{pid} {b' '.join(words).decode(errors='replace')}")
    return found


class Mesh:
    def __init__(self, folder, directory, concurrency=None, name="default"):
        self.folder, self.directory, self.name = folder, pathlib.Path(directory), name
        self.concurrency = concurrency
        self.run_as = unprivileged
        self.env = {
            **{k: v for k, v in os.environ.items() if k in ("PATH", "LANG", "TERM", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS")},
            "HOME": str(folder / "home"), "XDG_RUNTIME_DIR": str(folder / "run"), "XDG_STATE_HOME": str(folder / "state"),
        }
        for part in ("home", "run", "state"):
            (folder / part).mkdir(mode=0o700, exist_ok=True)
            if os.geteuid() == 0:
                os.chown(folder / part, TEST_UID, TEST_UID)
        self.process = None
        # Several meshes may share the folder.
        self.output, self.state = folder / f"{name}.out", folder / "state/plait" / name

    def as_root(self):
        """The mesh is root's own."""
        self.run_as = lambda command: command
        for part in ("home", "run", "state"):
            os.chown(self.folder / part, 0, 0)
        return self

    # -- the command line ---------------------------------------------------
    def plait(self, *arguments, check=True, timeout=60, stdin=None):
        """Runs `plait ARGUMENTS` as the test user."""
        result = subprocess.run(
            self.run_as([str(BIN / "plait"), *arguments]), env=self.env, timeout=timeout, input=stdin,
            stdin=None if stdin is not None else subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if check and result.returncode != 0:
            raise AssertionError(f"plait {' '.join(arguments)}: exit {result.returncode}\n{result.stdout}\n{result.stderr}\n{self.tail()}")
        return result

    def named(self, verb, *arguments, **options):
        return self.plait(verb, "--name", self.name, *arguments, **options)

    def command(self, verb, *arguments):
        """The words of `plait VERB ARGUMENTS` for this mesh, as the test user."""
        return self.run_as([str(BIN / "plait"), verb, "--name", self.name, *arguments])

    def exec(self, workload, *command, check=True, timeout=60, stdin=None):
        return self.named("exec", workload, "--", *command, check=check, timeout=timeout, stdin=stdin)

    @contextlib.contextmanager
    def following(self, file, *words):
        """`plait logs --follow` goes on while the body runs; gives a function that tells what it has said so far."""
        with open(file, "wb") as out, subprocess.Popen(self.command("logs", "--follow", *words), env=self.env,
                                                       stdin=subprocess.DEVNULL, stdout=out) as process:
            try:
                yield file.read_text
            finally:
                end_process(process, 20, file.read_text)

    def start(self, *arguments, wait=30):
        command = [str(BIN / "plait"), "up", str(self.directory), "--name", self.name, "--port", "0", *arguments]
        if self.concurrency:
            command += ["--concurrency", str(self.concurrency)]
        with open(self.output, "wb") as out:
            self.process = subprocess.Popen(self.run_as(command), env=self.env, stdin=subprocess.DEVNULL, stdout=out,
                                            stderr=subprocess.STDOUT, start_new_session=True)
        with stopped_on_failure(self.stop):
            self.wait_ready(wait)
        return self

    def wait_ready(self, seconds=30):
        def ready():
            if self.process.poll() is not None:
                raise SystemExit
            status = self.status()
            return status["state"] == "ready" and status
        with showing(self.tail):
            try:
                return until(ready, seconds, "the mesh is ready")
            except SystemExit:
                raise AssertionError(f"plait up ended with {self.process.returncode}") from None

    def stop(self, seconds=40):
        end_process(self.process, seconds, self.tail)
        return self.process.returncode if self.process else None

    def tail(self, lines=60):
        return logs_end(self.folder, self.output, lines)

    # -- processes ----------------------------------------------------------
    def processes(self, program):
        """Process ids, as the tests see them, of a program of this mesh."""
        # Where its run files are; the second where a socket's name would be too long for the first.
        runs = [f"{self.env['XDG_RUNTIME_DIR']}/plait/{self.name}/".encode(), f"/tmp/plait-{TEST_UID}/{self.name}/".encode()]
        return [pid for pid, words in command_lines()
                if words[0].endswith(f"/{program}".encode()) and any(run in word for word in words[1:] for run in runs)]

    def proxy_pid(self, pod):
        """The process id of the pod's plait-proxy; 0 when there is none."""
        proxies = set(self.processes("plait-proxy"))
        return next((pid for pid, words in command_lines() if pid in proxies and any(f".{pod}/".encode() in word for word in words)), 0)

    @staticmethod
    def in_network_of(pid, *command):
        """The words that run a command in the network namespace of a process, where there is no application to `exec` in."""
        # Root owns every user namespace; another user has to enter that of the mesh first.
        user = [] if os.geteuid() == 0 else ["--user", "--preserve-credentials"]
        return ["nsenter", "--target", str(pid), *user, "--net", *command]

    def logged(self, workload, text, seconds=10):
        """Waits until the workload's proxy has said it; its access log is written in batches."""
        until(lambda: text in self.named("logs", "-c", "istio-proxy", workload).stdout, seconds, f"{workload} logs {text}")

    def plaitd_pid(self):
        return next(iter(self.processes("plaitd")), 0)

    def plaitd_address(self):
        """HOST:PORT in the mesh's own network, of the plaitd that runs."""
        words = pathlib.Path(f"/proc/{self.plaitd_pid()}/cmdline").read_text().split("\0")
        return words[words.index("--listen-address") + 1]

    def generators(self, url):
        """Those that `plait exec` has started in this mesh, whose supervisor is among their ancestors."""
        return [pid for pid, words in command_lines() if words[:3] == [b"plait-demo-app", b"load", url.encode()] and self.has_started(pid)]

    def has_started(self, pid):
        with contextlib.suppress(OSError, KeyError):  # it has ended meanwhile
            while pid > 1 and pid != self.process.pid:
                pid = int(process_status(pid)["PPid"])
        return pid == self.process.pid

    def signal(self, pid, name):
        assert int(pid) > 0, "there is no such process"
        subprocess.run(self.run_as(["kill", f"-{name}", str(pid)]), check=True)

    @contextlib.contextmanager
    def stopped(self, pid):
        """The process is there and does nothing while the body runs, which may kill it."""
        self.signal(pid, "STOP")
        try:
            yield pid
        finally:
            with contextlib.suppress(subprocess.CalledProcessError):  # it has been killed
                self.signal(pid, "CONT")

    # -- what is there ------------------------------------------------------
    def status(self):
        return json.loads(self.named("status", "-o", "json").stdout)

    def gateway_ports(self):
        """{port of a gateway: port of the host that leads there}"""
        return {one["port"]: one["host_port"] for one in self.status()["gateway_ports"]}

    def well(self):
        """Waits until `plait check` finds nothing; what it says."""
        def checked():
            answer = self.named("check", check=False)
            assert answer.returncode == 0, answer.stdout
            return answer.stdout
        return until(checked, 10, "the mesh is well")

    def pods(self, prefix=""):
        return [w for w in self.status()["workloads"] if w["name"].startswith(prefix)]

    @property
    def url(self):
        return self.status()["url"]

    def get(self, path, headers=None, timeout=10):
        """GET through the gateway: (status, body)."""
        request = urllib.request.Request(self.url.rstrip("/") + path, headers=headers or {})
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def admin(self, workload, path, method="GET"):
        return self.exec(workload, "curl", "-sS", "-X", method, f"http://127.0.0.1:15000{path}").stdout

    def metrics(self, workload, name):
        """[(labels, value)] of a series of the workload's proxy."""
        out = []
        for line in self.admin(workload, "/stats/prometheus").splitlines():
            if match := re.fullmatch(rf"{name}\{{(.*)\}} ([0-9.e+]+)", line):
                out.append((dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', match[1])), float(match[2])))
        return out

    def roots(self, workload):
        """Serial numbers of the roots that the workload's proxy trusts."""
        entries = json.loads(self.admin(workload, "/certs"))["certificates"]
        return [root["serial_number"] for entry in entries for root in entry.get("ca_cert", []) if root["path"] == "ROOTCA"]

    def certificate(self, workload):
        """What `plait pc secret` tells of the workload's proxy: another text once it has another certificate."""
        secrets = self.named("pc", "secret", workload, "-o", "json").stdout
        assert "default" in secrets
        return secrets

    # -- traffic ------------------------------------------------------------
    def load(self, workload, url, *arguments, timeout=120):
        result = self.exec(workload, "plait-demo-app", "load", url, *arguments, check=False, timeout=timeout)
        try:
            return json.loads(result.stdout)
        except ValueError:
            raise AssertionError(f"load gave no report: {result}\n{self.tail()}") from None

    @contextlib.contextmanager
    def load_while(self, workload, url, *arguments):
        """Load runs while the body runs; yields a dict that holds the report afterwards."""
        command = self.command("exec", workload, "--", "plait-demo-app", "load", url, *arguments)
        process = subprocess.Popen(command, env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        report = {}
        try:
            yield report
        finally:
            # The generator itself, not `plait exec`: it ends with its report.
            for pid in self.generators(url):
                self.signal(pid, "TERM")
            out, err = process.communicate(timeout=60)
        report.update(json.loads(out) if out.strip() else {"broken": err})


def leftovers():
    """Processes of meshes: all of the test user; when that is our own those that name a test's folder or our binaries."""
    if os.geteuid() != 0:
        return processes_with("/plait-e2e-", f"PATH={BIN}:")
    found = subprocess.run(["ps", "-o", "pid=,args=", "-u", str(TEST_UID)], capture_output=True, text=True, check=False)
    return [line for line in found.stdout.splitlines() if "<defunct>" not in line]


def leftovers_of(mesh):
    """Processes of this mesh, where others go on."""
    return [line for line in leftovers() if f"--name {mesh.name}" in line or f"/{mesh.name}/" in line]


def nothing_runs(seconds=5, found=leftovers):
    """Waits until no process of a mesh is left; the failure names those that are."""
    def gone():
        left = found()
        assert not left, left
        return True
    until(gone, seconds, "no process is left")


def copy_sample(folder, name="bookinfo", into=None):
    target = folder / (into or name)
    shutil.copytree(SAMPLES / name, target)
    if os.geteuid() == 0:  # as a person's own copy
        for path in [target, *target.rglob("*")]:
            os.chown(path, TEST_UID, TEST_UID)
    return target
