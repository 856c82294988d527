"""Local mode by itself: life, command line, exec. What needs the real control and data plane stands in tests/e2e."""
import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import urllib.request

import pytest

from local_mesh import GATEWAY, pod, until, web


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


def test_each_gateway_port_has_a_port_of_the_host_and_is_told(local):
    with socket.create_server(("127.0.0.1", 0)) as free:
        local.port = free.getsockname()[1]
    local.want(web("a-0"), GATEWAY, gateway_ports=[80, 8080, 90])
    local.up()
    status = local.status()
    hosts = {p["port"]: p["host_port"] for p in status["gateway_ports"]}
    assert set(hosts) == {80, 8080, 90} and len(set(hosts.values())) == 3 and hosts[80] == local.port, hosts
    assert status["url"] == f"http://127.0.0.1:{hosts[80]}"
    for port, host in hosts.items():  # 90 is for root alone
        with urllib.request.urlopen(f"http://127.0.0.1:{host}", timeout=5) as answer:
            assert answer.read().startswith(f"{port} pid".encode())
    local.end()
    said = local.said()
    assert "mode: rootless" in said and status["debug_url"] in said and status["url"] in said
    assert f"port 90 is 127.0.0.1:{hosts[90]}" in said and f"port 8080 is 127.0.0.1:{hosts[8080]}" in said
    if hosts[90] != 90:
        assert f"port 90 is below 1024, where only root may listen: the gateway's port 90 is 127.0.0.1:{hosts[90]}" in said
    assert "taken" not in said, "8080 has the port after it for no other reason than that 80 has it"


def test_a_port_that_nobody_chose_is_the_next_free_one_and_it_is_told_why(local):
    with contextlib.ExitStack() as taken:
        with contextlib.suppress(OSError):  # somebody has it already
            taken.enter_context(socket.create_server(("127.0.0.1", 8080)))
        local.port = None
        local.want(web("a-0"), GATEWAY, gateway_ports=[80])
        local.up()
        [host] = [p["host_port"] for p in local.status()["gateway_ports"]]
        assert host > 8080
        local.end()
    assert f"port 8080 of this host is taken by another program: the gateway's port 80 is 127.0.0.1:{host}" in local.said()


def test_a_chosen_port_is_free_again_where_no_gateway_wants_it(local):
    with socket.create_server(("127.0.0.1", 0)) as free:
        local.port = free.getsockname()[1]
    local.want(web("a-0"))
    local.up()
    with until(lambda: socket.create_server(("127.0.0.1", local.port)), 5, "the port is free"):
        local.want(web("a-0"), GATEWAY, gateway_ports=[80])
        until(lambda: local.status()["url"], 15, "the gateway that came later is reached")
    told = f"port {local.port} of this host is taken by another program: the gateway's port 80 is 127.0.0.1:"
    until(lambda: told in local.said(), 5, "it is told")


def test_the_status_has_what_programs_need(local):
    local.want(web("a-0"), GATEWAY, gateway_ports=[80])
    local.up()
    status = local.status()
    assert (status["state"], status["mode"]) == ("ready", "rootless")
    assert status["url"].startswith("http://127.0.0.1:") and status["debug_url"].startswith("http://127.0.0.1:")
    a = local.workload("a-0")
    assert a["namespace"] == "default" and a["ready"] is True and a["pid"] > 0 and a["proxy"] == "sidecar"
    assert a["ip"].startswith("10.244.") and a["ips"][1].startswith("fd00:10:244::")


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


@pytest.mark.parametrize("workload", ["a-0", "istio-ingressgateway-0"])
def test_exec_gives_a_terminal_that_is_not_the_users(local, workload):
    local.want(web("a-0"), GATEWAY, gateway_ports=[80])
    local.up()
    master, slave = os.openpty()
    command = local.command("exec", workload, "--", "sh", "-c", "tty; stty size; read x; echo got $x; trap 'exit 4' INT; "
                            "echo waits; while :; do sleep 0.05; done")
    process = subprocess.Popen(command, env=local.env, stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
    os.close(slave)
    text = b""
    typed = interrupted = False
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
        if b"waits" in text and not interrupted:
            os.write(master, b"\x03")
            interrupted = True
        if not data:
            break
    assert process.wait(10) == 4
    assert b"/dev/pts/0" in text and b"got word" in text
    os.close(master)


def test_a_gateway_has_its_admin_port_and_exit_codes_for_exec(local):
    local.want(web("a-0"), GATEWAY, gateway_ports=[80])
    local.up()
    for words in (["istio-ingressgateway"], ["istio-ingressgateway-0", "-c", "istio-proxy"], ["a-0", "-c", "istio-proxy"]):
        answer = local.plait("exec", *words, "--", "curl", "-s", "--max-time", "5", "127.0.0.1:15000").stdout
        assert answer.startswith("15000 pid"), words
    result = local.sh("istio-ingressgateway-0", "cat; hostname; echo bad >&2; exit 7", stdin=None, input="in\n")
    assert (result.returncode, result.stdout, result.stderr) == (7, "in\nistio-ingressgateway-0\n", "bad\n")
    assert local.sh("istio-ingressgateway-0", "kill -TERM $$").returncode == 128 + 15
    assert local.plait("exec", "istio-ingressgateway-0", "--", "no-such-program", check=False).returncode == 127
    unknown = local.plait("exec", "istio-ingressgateway-0", "-c", "other", "--", "true", check=False)
    assert unknown.returncode == 1 and 'has no container "other"' in unknown.stderr


def test_a_command_beside_a_gateway_ends_with_the_gateway(local):
    local.want(web("a-0"), GATEWAY, gateway_ports=[80])
    local.up()
    process = subprocess.Popen(local.command("exec", "istio-ingressgateway-0", "--", "sh", "-c", "sleep 4321 & wait"), env=local.env,
                               stdin=subprocess.DEVNULL)
    until(lambda: any("sleep 4321" in line and "exec" not in line for line in local.leftovers()), 5, "it runs")
    local.want(web("a-0"), gateway_ports=[80])
    assert process.wait(10) == 128 + 9
    until(lambda: not any("sleep 4321" in line for line in local.leftovers()), 5, "it has ended")


def test_an_application_reads_no_secret_and_no_other_process(local):
    local.want(web("a-0"))
    local.up()
    state = local.folder / "home/.local/state/plait/default"
    result = local.sh("a-0", f"cat {state}/ca-key.pem; ls {local.folder}/run/plait/default/proxies; mv {local.folder}/home/.local "
                             f"{local.folder}/home/other; cat {local.folder}/home/other/state/plait/default/ca-key.pem; ps ax | grep -c plait-proxy")
    assert "secret-key" not in result.stdout
    assert (state / "ca-key.pem").exists()
    assert "a-0" not in result.stdout


@pytest.mark.parametrize("workload", ["a-0", "istio-ingressgateway-0"])
def test_the_command_of_a_client_that_goes_ends(local, workload):
    local.want(web("a-0"), GATEWAY, gateway_ports=[80])
    local.up()
    process = subprocess.Popen(local.command("exec", workload, "--", "sleep", "1234"), env=local.env, stdin=subprocess.DEVNULL)
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


def test_a_plaitd_that_could_not_be_started_is_tried_again(local):
    local.want(web("a-0"))
    local.up()

    def pid_of(what):
        return next(int(line.split()[0]) for line in local.leftovers() if what in line)

    def allow_files(limit):
        drop = {"user": local.uid, "group": local.uid, "extra_groups": []} if os.geteuid() == 0 else {}
        subprocess.run(["prlimit", f"--pid={supervisor}", f"--nofile={limit}:"], check=True, **drop)

    supervisor, before = pid_of("@supervisor"), local.status()["plaitd_pid"]
    with open(f"/proc/{supervisor}/limits", encoding="utf-8") as limits:
        usual = next(line.split()[3] for line in limits if line.startswith("Max open files"))
    allow_files(1)
    os.kill(pid_of("/bin/plaitd "), signal.SIGKILL)
    until(lambda: "cannot make a socket" in local.said(), 10, "it says why")
    allow_files(usual)
    until(lambda: local.status()["plaitd_pid"] not in (0, before), 15, "it runs again")


def test_a_second_start_names_the_first(local):
    local.want(web("a-0"))
    local.up()
    second = local.plait("up", str(local.directory), check=False)
    assert second.returncode == 1 and f"pid {local.process.pid}" in second.stderr and str(local.directory) in second.stderr


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
                      ["up", str(local.directory), "--net", "bridge"]):
        result = local.plait(*arguments, check=False)
        assert result.returncode == 2, arguments
    assert all(mode in result.stderr for mode in ("rootless", "netns", "loopback"))


