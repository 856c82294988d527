"""Local mode by itself: the real `plait` and plait-init, with stand-ins for plaitd and plait-proxy, as an unprivileged
user. What needs the real control and data plane stands in tests/e2e."""
import json
import os
import pathlib
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.request

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "e2e"))
from mesh import BIN, until  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
UID = 64124  # not the one of tests/e2e: they may run at the same time


def pod(name, argv, uid=None, **more):
    container = {"name": "main", "argv": argv, "env": [{"name": "WHO", "field": "metadata.name"}], "ports": []}
    container.update(more.pop("container", {}))
    return {"uid": uid or name, "name": name, "namespace": "default", "service_account": "default", "labels": {"app": name},
            "annotations": {}, "owner": name.rsplit("-", 1)[0], "restart_policy": "Always", "grace_seconds": 3,
            "proxy": True, "containers": [container], **more}


def web(name, port=80, **more):
    probe = {"kind": "http", "port": port, "path": "/etc/hostname", "period_ms": 500, "timeout_ms": 1000}
    return pod(name, ["python3", "-m", "http.server", str(port), "--bind", "::"], container={"readiness": probe}, **more)


GATEWAY = {**pod("istio-ingressgateway-0", []), "proxy": "gateway", "containers": []}


class Local:
    def __init__(self, folder):
        self.folder = folder
        self.bin, self.directory = folder / "bin", folder / "mesh"
        self.bin.mkdir()
        self.directory.mkdir()
        for name in ("plait", "plait-init"):
            shutil.copy(BIN / name, self.bin / name)
        shutil.copy(HERE / "fake_plaitd", self.bin / "plaitd")
        shutil.copy(HERE / "fake_proxy", self.bin / "plait-proxy")
        self.env = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME": str(folder / "home"), "LANG": "C.UTF-8",
                    "XDG_RUNTIME_DIR": str(folder / "run")}
        for part in ("home", "run"):
            (folder / part).mkdir(mode=0o700)
            if os.geteuid() == 0:
                os.chown(folder / part, UID, UID)
        self.process = None

    def command(self, *arguments):
        command = [str(self.bin / "plait"), *arguments]
        if os.geteuid() == 0:
            command = ["setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups", "--", *command]
        return command

    def plait(self, *arguments, check=True, **options):
        result = subprocess.run(self.command(*arguments), env=self.env, capture_output=True, text=True, timeout=60, check=False,
                                **{"stdin": subprocess.DEVNULL, **options})
        assert not check or result.returncode == 0, f"{arguments}: {result.returncode}\n{result.stdout}{result.stderr}"
        return result

    def want(self, *pods, gateway_ports=()):
        text = json.dumps({"gateway_ports": list(gateway_ports), "pods": list(pods)})
        new = self.directory / "pods.new"
        new.write_text(text)
        new.rename(self.directory / "pods.json")

    def up(self):
        self.process = subprocess.Popen(self.command("up", str(self.directory), "--port", "0"), env=self.env,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        until(lambda: self.status()["state"] == "ready", 15, "the mesh is ready")

    def status(self):
        return json.loads(self.plait("status", "-o", "json").stdout)

    def workload(self, name):
        return {w["name"]: w for w in self.status()["workloads"]}[name]

    def sh(self, workload, script, **options):
        return self.plait("exec", workload, "--", "sh", "-c", script, check=False, **options)

    def end(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(20)

    def leftovers(self):
        """Processes whose user is the mesh's, or an application's of it."""
        found = subprocess.run(["ps", "-eo", "pid=,uid=,stat=,args="], capture_output=True, text=True, check=True).stdout
        return [line for line in found.splitlines() if line.split()[1] == str(UID) and not line.split()[2].startswith("Z")]


@pytest.fixture(name="local")
def fixture_local():
    with tempfile.TemporaryDirectory(prefix="plait-local-", dir="/var/tmp") as path:
        os.chmod(path, 0o755)
        local = Local(pathlib.Path(path))
        yield local
        local.end()
        if os.geteuid() == 0:
            assert not local.leftovers()


def test_two_workloads_reach_each_other_only_through_the_capture(local):
    local.want(web("a-0"), web("b-0", 8080))
    local.up()
    b = local.workload("b-0")
    for address in (b["ips"][0], f"[{b['ips'][1]}]"):
        told = local.sh("a-0", f"curl -gs --max-time 5 http://{address}:8080/").stdout
        assert told.startswith("15001 pid") and told.endswith(f"for {address}:8080")
    assert local.sh("a-0", "curl -s --max-time 5 http://10.96.7.7/").stdout.endswith("for 10.96.7.7:80")


def test_connections_wait_while_a_proxy_restarts(local):
    local.want(web("a-0"))
    local.up()
    before = local.sh("a-0", "curl -s 10.96.1.1").stdout
    # The proxy's pid as the host sees it: the only one of this workload's command line.
    pids = [line.split()[0] for line in local.leftovers() if "plait-proxy" in line]
    assert len(pids) == 1
    os.kill(int(pids[0]), signal.SIGKILL)
    after = local.sh("a-0", "curl -s --max-time 10 10.96.1.1").stdout
    assert after.startswith("15001 pid") and after != before
    until(lambda: local.workload("a-0")["restarts"] == 1, 5, "the restart is counted")


def test_the_gateway_is_on_the_hosts_port(local):
    local.want(web("a-0"), GATEWAY, gateway_ports=[80])
    local.up()
    with urllib.request.urlopen(local.status()["url"], timeout=5) as answer:
        assert answer.read().startswith(b"80 pid")


def test_a_changed_pod_replaces_the_old_one_and_its_address_is_gone(local):
    local.want(web("a-0"), web("b-0"))
    local.up()
    old = local.workload("b-0")["ip"]
    local.want(web("a-0"), web("b-0", uid="new"))
    until(lambda: [w["ip"] for w in local.status()["workloads"] if w["name"] == "b-0" and w["ready"]] not in ([], [old])
          and len(local.status()["workloads"]) == 2, 10, "the new pod alone")
    status = json.loads((local.folder / "home/.local/state/plait/default/status.json").read_text())
    assert {p["uid"] for p in status["pods"]} == {"a-0", "new"}
    assert all(len(p["token_sha256"]) == 64 and p["ready"] for p in status["pods"])


def test_a_container_that_ends_is_started_again_and_says_why(local):
    local.want(web("a-0"), pod("b-0", ["sh", "-c", "echo going; exit 3"], proxy=False), pod("c-0", ["no-such-program"]))
    local.process = subprocess.Popen(local.command("up", str(local.directory), "--port", "0"), env=local.env,
                                     stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until(lambda: local.workload("b-0")["restarts"] >= 2, 15, "restarts")
    assert "exit code 3" in local.workload("b-0")["reason"]
    assert "going" in local.plait("logs", "b-0").stdout
    assert 'program "no-such-program" is neither beside plait nor in PATH' in local.workload("c-0")["reason"]


def test_exec_has_streams_exit_code_and_environment(local):
    local.want(web("a-0"))
    local.up()
    result = local.sh("a-0", "cat; echo $WHO; echo bad >&2; exit 7", stdin=None, input="in\n")
    assert (result.returncode, result.stdout, result.stderr) == (7, "in\na-0\n", "bad\n")
    assert local.plait("exec", "nobody", "--", "true", check=False).returncode == 1
    assert local.plait("exec", "a", "--", "no-such-program", check=False).returncode == 127


def test_exec_gives_a_terminal_that_is_not_the_users(local):
    local.want(web("a-0"))
    local.up()
    master, slave = os.openpty()
    command = local.command("exec", "a-0", "--", "sh", "-c", "tty; stty size; read x; echo got $x; exit 4")
    process = subprocess.Popen(command, env=local.env, stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
    os.close(slave)
    text = b""
    typed = False
    while True:
        ready, _, _ = select.select([master], [], [], 10)
        assert ready, text
        try:
            data = os.read(master, 4096)
        except OSError:
            break
        text += data
        if b"/dev/pts/0" in text and not typed:
            os.write(master, b"word\r")
            typed = True
        if not data:
            break
    assert process.wait(10) == 4
    assert b"/dev/pts/0" in text and b"got word" in text
    os.close(master)


def test_an_application_reads_no_secret_and_no_other_process(local):
    local.want(web("a-0"))
    local.up()
    state = local.folder / "home/.local/state/plait/default"
    result = local.sh("a-0", f"cat {state}/ca-key.pem; ls {local.folder}/run/plait/default/proxies; mv {local.folder}/home/.local "
                             f"{local.folder}/home/other; cat {local.folder}/home/other/state/plait/default/ca-key.pem; ps ax | grep -c plait-proxy")
    assert "secret-key" not in result.stdout
    assert (state / "ca-key.pem").exists()
    assert "a-0" not in result.stdout


def test_the_command_of_a_client_that_goes_ends(local):
    local.want(web("a-0"))
    local.up()
    process = subprocess.Popen(local.command("exec", "a-0", "--", "sleep", "1234"), env=local.env, stdin=subprocess.DEVNULL)
    until(lambda: any("sleep 1234" in line and "exec" not in line for line in local.leftovers()), 5, "it runs")
    process.kill()
    process.wait()
    until(lambda: not any("sleep 1234" in line for line in local.leftovers()), 5, "it has ended")


@pytest.mark.parametrize("how", ["down", "SIGINT", "SIGTERM", "SIGHUP", "SIGKILL", "supervisor"])
def test_every_end_leaves_nothing(local, how):
    local.want(web("a-0"), GATEWAY, gateway_ports=[80])
    local.up()
    status = local.status()
    if how == "down":
        local.plait("down")
    elif how == "supervisor":
        os.kill(int(next(line.split()[0] for line in local.leftovers() if "@supervisor" in line)), signal.SIGKILL)
    else:
        os.kill(local.process.pid, getattr(signal, how))
    local.process.wait(20)
    until(lambda: not local.leftovers(), 5, "no process is left")
    with pytest.raises(OSError):
        urllib.request.urlopen(status["url"], timeout=2)
    assert local.plait("status", check=False).returncode == 3
    if how != "SIGKILL":
        assert not (local.folder / "run/plait").exists()
    # and the name is free again
    local.up()


def test_a_second_start_names_the_first(local):
    local.want(web("a-0"))
    local.up()
    second = local.plait("up", str(local.directory), check=False)
    assert second.returncode == 3 and f"pid {local.process.pid}" in second.stderr and str(local.directory) in second.stderr


def test_purge_removes_the_state(local):
    local.want(web("a-0"))
    local.plait("up", str(local.directory), "--port", "0", "--detach")
    assert (local.folder / "home/.local/state/plait/default/ca-key.pem").exists()
    local.plait("down", "--purge")
    assert not (local.folder / "home/.local/state/plait/default").exists()


def test_every_format_of_every_answer(local):
    local.want(web("a-0"))
    local.up()
    for verb in ("status", "version", "doctor"):
        for form in ("table", "short", "json", "yaml"):
            result = local.plait(verb, "-o", form)
            assert result.stdout
            if form == "json":
                json.loads(result.stdout)


def test_wrong_usage_is_2(local):
    for arguments in (["nonsense"], ["up"], ["exec", "a-0"], ["status", "-o", "xml"], ["up", "/no/such/directory"],
                      ["up", str(local.directory), "--net", "loopback"]):
        result = local.plait(*arguments, check=False)
        assert result.returncode == 2, arguments
    assert "not available yet" in result.stderr


