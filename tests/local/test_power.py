"""Applications have no power over the mesh that they run in, and see no secret of it."""
import contextlib
import json
import os
import subprocess

import pytest

from local_mesh import GATEWAY, Local, process_status, web
from test_modes import needs_root

# Who starts the mesh, and how. Root's is rootless too unless it says otherwise; its applications are never root on the
# host.
STARTED_BY = ["user", pytest.param("root", marks=needs_root), pytest.param("netns", marks=needs_root)]


@pytest.fixture(name="mesh", params=STARTED_BY)
def fixture_mesh(request, local):
    if request.param != "user":
        local.as_root()
    if request.param == "netns":
        local.flags = ["--net", "netns"]
    return local


PRELUDE = r"""
import ctypes, os, signal, socket
def tried(name, call):
    try:
        call()
        print('WEAK', name)
    except OSError as error:
        print('refused', name, error.errno)
libc = ctypes.CDLL(None, use_errno=True)
def syscall(*arguments):
    if libc.syscall(*arguments) < 0:
        raise OSError(ctypes.get_errno(), '')
"""

POWERS = PRELUDE + r"""
s = socket.socket()
for mark in (0x539, 0x53a):
    tried('SO_MARK', lambda: s.setsockopt(socket.SOL_SOCKET, 36, mark))
for port in (15000, 15021):
    tried('bind %d' % port, lambda: socket.create_server(('127.0.0.1', port)))
    r = socket.socket()
    r.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    tried('SO_REUSEPORT beside %d' % port, lambda: r.bind(('127.0.0.1', port)))
tried('raw', lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1))
tried('packet', lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0))
tried('user namespace', lambda: syscall(272, 0x10000000))
tried('setns', lambda: syscall(308, os.open('/proc/1/ns/net', os.O_RDONLY), 0))
tried('ptrace', lambda: syscall(101, 16, 1, 0, 0))
tried('mount', lambda: syscall(165, b'none', b'/tmp', b'tmpfs', 0, 0))
tried('umount', lambda: syscall(166, b'/proc', 2))
# Whatever is there may be killed, but for the application itself (2): nothing of the mesh is.
for pid in [1, *range(3, 3000)]:
    if pid != os.getpid():
        try:
            os.kill(pid, signal.SIGKILL)
        except OSError:
            pass
print('done')
"""

CAPTURE = PRELUDE + r"""
s = socket.socket()
tried('SO_REUSEPORT beside the capture', lambda: (s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1), s.bind(('0.0.0.0', 15001))))
tried('bind 15006', lambda: socket.create_server(('127.0.0.1', 15006)))
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
u.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
tried('bind beside DNS', lambda: u.bind(('127.0.0.1', 15053)))
"""


# Into whatever namespace can be reached from where it runs: those of every process that is seen, those that own or hold
# them, and those whose descriptors it was given. Each by descriptor, and by process.
SETNS = PRELUDE + r"""
import fcntl, stat
NS_GET_USERNS, NS_GET_PARENT = 0xb701, 0xb702
ALL = 0x02000000 | 0x00020000 | 0x04000000 | 0x08000000 | 0x20000000 | 0x40000000  # cgroup, mnt, uts, ipc, pid, net
found = {}
for pid in sorted((name for name in os.listdir('/proc') if name.isdigit()), key=int):
    for kind in ('user', 'mnt', 'net', 'pid', 'pid_for_children', 'ipc', 'uts', 'cgroup', 'time', 'time_for_children'):
        try:
            found['%s of %s' % (kind, pid)] = os.open('/proc/%s/ns/%s' % (pid, kind), os.O_RDONLY)
        except OSError:
            pass
for name, fd in list(found.items()):
    for how, request in (('owner', NS_GET_USERNS), ('parent', NS_GET_PARENT)):
        try:
            found['%s of %s' % (how, name)] = fcntl.ioctl(fd, request)
        except OSError:
            pass
given = []
for fd in (int(name) for name in os.listdir('/proc/self/fd')):
    try:
        kind = os.readlink('/proc/self/fd/%d' % fd)
    except OSError:
        continue
    if fd not in found.values() and kind.partition(':')[0] in ('user', 'mnt', 'net', 'pid', 'ipc', 'uts', 'cgroup', 'time'):
        given.append(kind)
        found['descriptor %s' % kind] = fd
for name, fd in found.items():
    tried('setns ' + name, lambda: syscall(308, fd, 0))
for pid in [int(name) for name in os.listdir('/proc') if name.isdigit()]:
    try:
        held = os.pidfd_open(pid)
    except OSError:
        continue
    for flag in [1 << bit for bit in range(32) if ALL & 1 << bit] + [ALL, 0x10000000]:
        tried('setns process %d %#x' % (pid, flag), lambda: syscall(308, held, flag))
print('given', *given)
print('done')
"""


def refuses_all(mesh, workload, script, tries):
    result = mesh.plait("exec", *workload, "--", "python3", "-c", script, check=False)
    assert "WEAK" not in result.stdout and result.stdout.count("refused") == tries, result.stdout + result.stderr
    assert script is not POWERS or "done" in result.stdout, result.stdout + result.stderr


def test_an_application_cannot_touch_its_capture_nor_its_proxy(mesh):
    mesh.want(web("b-0"))
    mesh.up()
    before = mesh.workload("b-0")
    refuses_all(mesh, ["b-0"], POWERS, 13)
    refuses_all(mesh, ["b-0"], CAPTURE, 3)
    rules = mesh.sh("b-0", "nft flush ruleset && echo WEAK; nft add table inet x && echo WEAK; ip link set eth0 down && echo WEAK; "
                            "ip route flush table main && echo WEAK; echo 1 > /proc/sys/net/ipv4/ip_forward && echo WEAK; echo end")
    assert rules.stdout == "end\n", rules.stdout
    assert_refused_for_want_of_power(rules.stderr, 5)
    after = mesh.workload("b-0")
    assert (after["proxy_pid"], after["restarts"]) == (before["proxy_pid"], before["restarts"])
    assert mesh.sh("b-0", "curl -s --max-time 5 10.96.1.1").stdout.startswith("15001 pid"), "still captured"


def assert_refused_for_want_of_power(errors, tries):
    """Each try found its program, and was refused."""
    told = [line for line in errors.splitlines() if "not permitted" in line or "denied" in line or "Read-only" in line]
    assert len(told) >= tries and "not found" not in errors, errors


def enters(result):
    """The namespaces that SETNS has entered, and those whose descriptors it was given."""
    assert result.stdout.endswith("done\n"), result.stdout + result.stderr
    lines = result.stdout.splitlines()
    return [line for line in lines if line.startswith("WEAK")], lines[-2].split()[1:]


def test_what_tries_all_namespaces_enters_those_that_it_may():
    """The test of the test: who has power over a namespace of its own does enter it."""
    command = ["unshare", "--user", "--map-root-user", "--net", "--pid", "--mount-proc", "--fork", "python3", "-c", SETNS]
    with open("/proc/self/ns/net", encoding="utf-8") as given:
        entered, told = enters(subprocess.run(command, stdin=given, capture_output=True, text=True, timeout=60, check=False))
    assert {"WEAK setns net of 1", "WEAK setns process 1 0x40000000"} <= set(entered), entered
    assert told == [os.readlink("/proc/self/ns/net")]


def test_an_application_enters_no_namespace_of_its_mesh_nor_of_anybody(mesh):
    """Not of its own init, not of its proxy (which is in its network) nor of the supervisor, and not with a descriptor in its hands."""
    mesh.want(web("b-0"))
    mesh.up()
    entered, _ = enters(mesh.plait("exec", "b-0", "--", "python3", "-c", SETNS, check=False))
    assert not entered, entered
    handed = 0
    for holder in (*proxy_and_supervisor(mesh, "b-0"), os.getpid()):
        for kind in ("user", "mnt", "net", "pid"):
            with contextlib.suppress(PermissionError), open(f"/proc/{holder}/ns/{kind}", encoding="utf-8") as given:
                wanted = os.readlink(f"/proc/self/fd/{given.fileno()}")
                entered, told = enters(mesh.plait("exec", "b-0", "--", "python3", "-c", SETNS, check=False, stdin=given))
                assert told == [wanted], "it has it in its hands"
                assert not entered, (holder, kind, entered)
                handed += 1
    assert handed >= 8, "those of supervisor and host are open to who runs the mesh"


def proxy_and_supervisor(local, workload):
    """Their process ids, as the host has them; the mesh has numbers of its own."""
    inner = str(local.workload(workload)["proxy_pid"])
    for pid in (line.split()[0] for line in local.leftovers()):
        with contextlib.suppress(OSError):
            facts = process_status(pid)
            if facts["NSpid"].split()[1:] == [inner]:
                return int(pid), int(facts["PPid"])
    raise AssertionError(f"no process {inner} in the mesh: {local.leftovers()}")


def tokens(local):
    """Every secret file of the mesh, as the host sees it: path -> text."""
    run = local.folder / "run/plait"
    found = {str(path): path.read_text() for path in run.glob("*/proxies/*/token")}
    found.update({str(path): path.read_text() for path in local.folder.glob("home/.local/state/plait/*/ca-key.pem")})
    return found


def test_an_application_reads_no_secret_of_its_mesh_nor_of_another(mesh):
    other = Local.__new__(Local)
    other.__dict__.update(mesh.__dict__, directory=mesh.folder / "other", process=None)
    other.directory.mkdir()
    other.want(web("x-0"))
    mesh.want(web("a-0"))
    mesh.up()
    other.plait("up", str(other.directory), "--name", "other", "--port", "0", "--detach")
    try:
        secrets = tokens(mesh)
        assert len(secrets) == 4
        folder = mesh.folder
        script = "; ".join(
            [f"cat {path}" for path in secrets] + [f"cat /proc/1/root{path} /proc/self/root{path}" for path in secrets] +
            [f"mv {folder}/{part} {folder}/moved-{i}" for i, part in
             enumerate(("run", "run/plait", "home/.local/state/plait", "home/.local/state", "home/.local", "home"))] +
            [f"cat {folder}/moved-*/plait/*/ca-key.pem {folder}/moved-*/state/plait/*/ca-key.pem {folder}/moved-*/*/*/*/*/ca-key.pem",
             f"find {folder} -name token -o -name ca-key.pem -o -name control.sock"])
        seen = mesh.sh("a-0", script).stdout
        assert not any(secret.strip() in seen for secret in secrets.values()), seen
        assert "control.sock" not in seen and "ca-key" not in seen
        assert tokens(mesh) == secrets, "nothing was moved"
    finally:
        other.plait("down", "--name", "other")


@pytest.mark.parametrize("workload", [["istio-ingressgateway-0"], ["a-0", "-c", "istio-proxy"]])
def test_a_command_beside_a_proxy_cannot_touch_it_and_reads_no_secret(mesh, workload):
    mesh.want(web("a-0"), GATEWAY, gateway_ports=[80])
    mesh.up()
    sh = lambda script: mesh.plait("exec", *workload, "--", "sh", "-c", script, check=False).stdout
    before = mesh.workload(workload[0])
    refuses_all(mesh, workload, POWERS, 13)
    assert sh("nft flush ruleset && echo WEAK; nft add table inet x && echo WEAK; ip link set eth0 down && echo WEAK; echo end") == "end\n"
    after = mesh.workload(workload[0])
    assert (after["proxy_pid"], after["restarts"]) == (before["proxy_pid"], before["restarts"])
    secrets = tokens(mesh)
    assert len(secrets) == 3  # two tokens, one key
    seen = sh("; ".join([f"cat {path} /proc/1/root{path} /proc/self/root{path}" for path in secrets] + [
        f"mv {mesh.folder}/run {mesh.folder}/moved; cat {mesh.folder}/moved/plait/*/proxies/*/token",
        f"find {mesh.folder} -name token -o -name ca-key.pem -o -name '*.sock'; echo end"]))
    assert seen == "end\n", seen
    seen = sh("cat /proc/[0-9]*/cmdline | tr '\\0' ' '; for p in /proc/[0-9]*; do ls -l $p/fd; cat $p/environ; done; cat /proc/net/unix; echo end")
    assert seen.endswith("end\n") and not any(name in seen for name in ("plait-proxy", "LISTEN_FD", ".sock", "net:[")), seen
    facts = sh("id -u; cat /proc/self/uid_map; grep -E 'CapEff|CapBnd|NoNewPrivs|Seccomp:' /proc/self/status").split()
    assert facts[0] == facts[1] == "1000" and facts[3:] == ["1", "CapEff:", "0" * 16, "CapBnd:", "0" * 16, "NoNewPrivs:", "1", "Seccomp:", "2"]
    assert tokens(mesh) == secrets


def test_the_meshs_programs_leak_no_descriptor_into_applications(mesh):
    mesh.want(web("a-0"))
    mesh.up()
    listing = mesh.sh("a-0", "for p in /proc/[0-9]*; do ls -l $p/fd; done").stdout
    assert "socket:" not in listing.replace("socket:", "", 2) or listing.count("socket:") <= 2, listing  # the web server's own
    for name in ("plait", "control", "netns", "net:["):
        assert name not in listing


def test_applications_are_not_root_on_the_host_whoever_starts_the_mesh(mesh):
    mesh.want(web("a-0"))
    mesh.up()
    assert mesh.sh("a-0", "id -u; touch /etc/shadow 2>&1 | grep -c denied; cat /etc/shadow 2>&1 | grep -c denied").stdout.split() == ["1000", "1", "1"]
    uids = {line.split()[1] for line in subprocess.run(["ps", "-ww", "-eo", "pid=,uid=,args="], capture_output=True, text=True, check=True).stdout.splitlines()
            if "http.server" in line and "plait-init" in line}
    assert uids and "0" not in uids


def test_the_files_of_the_mesh_are_for_its_user_alone(local):
    local.want(web("a-0"))
    local.up()
    for path in list((local.folder / "run/plait").rglob("*")) + list((local.folder / "home/.local/state/plait").rglob("*")):
        if not path.is_symlink() and path.name != "ca-key.pem" and not path.match("status.json"):  # written by the stand-in
            assert path.stat().st_mode & 0o077 == 0 or path.is_socket(), path
    assert json.loads(local.plait("status", "-o", "json").stdout)["mode"] == "rootless"
