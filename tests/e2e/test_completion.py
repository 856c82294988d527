"""What Tab offers of the configuration of a workload's proxy, and for what has its own small language."""
import contextlib
import os
import pty
import re
import signal
import socket
import time

import pytest

from manifests import document, write
from mesh import BIN, TEST_UID, unprivileged, until


@pytest.fixture(scope="module")
def used(bookinfo):
    until(lambda: bookinfo.get("/productpage")[0] == 200, 10, "the page is there")
    return bookinfo


def offered_at_once(mesh, *words):
    """The words that completion offers for the last one of `words`; none, too, where a busy machine took the second that it has."""
    result = mesh.plait("@complete", "--", *words)
    assert result.stderr == ""
    return [line.split("\t")[0] for line in result.stdout.splitlines()]


def offered(mesh, *words):
    """The same, where there are any."""
    return until(lambda: offered_at_once(mesh, *words), 20, f"something is offered for {words}")


def test_filters_of_pc_offer_what_the_proxy_has(used):
    def pc(kind, *words):
        return offered(used, "pc", kind, "--mesh", used.name, "productpage-v1", *words)
    for kind, option, part in (("endpoint", "--cluster", "outbound|9080||details.default.svc.cluster.local"),
                               ("cluster", "--fqdn", "details.default.svc.cluster.local"),
                               ("route", "--name", "9080"), ("secret", "--name", "default")):
        names = pc(kind, option, "")
        assert part in names and len(set(names)) == len(names), (kind, names)
        for name in names:  # each of them finds something
            rows = used.plait("pc", kind, "--mesh", used.name, "productpage-v1", option, name).stdout.splitlines()
            assert len(rows) > 1, (option, name, rows)
    assert pc("endpoint", "--cluster=outbound|9080||det") == ["--cluster=outbound|9080||details.default.svc.cluster.local"]
    assert offered_at_once(used, "pc", "route", "--mesh", used.name, "--name", "") == []  # of which workload?
    assert offered_at_once(used, "pc", "route", "--mesh", "nosuchmesh", "productpage-v1", "--name", "") == []


def test_levels_flags_and_kinds_are_offered(used):
    levels = offered(used, "log", "--name", used.name, "details-v1", "--level", "")
    assert {"debug", "http2:debug", "ads:off"} <= set(levels), levels
    assert offered(used, "log", "--name", used.name, "details-v1", "--level", "ads:info,http2:t") == ["ads:info,http2:trace"]
    assert offered(used, "logs", "-A", "--flag", "UF,U") == [f"UF,{flag}" for flag in offered(used, "logs", "-A", "--flag", "U")]
    assert "URX" in offered(used, "logs", "-A", "--flag", "")
    kinds = used.plait("docs", "configuration", "-o", "name").stdout.split()
    assert offered(used, "docs", "configuration", "") == [name.removeprefix("kind/") for name in kinds]


def test_explain_offers_the_hosts_of_service_entries(used):
    file = used.directory / "zz-outside.yaml"
    write(file, document("ServiceEntry", "two-of-them", {
        "hosts": ["one.example", "*.two.example"], "location": "MESH_EXTERNAL", "resolution": "NONE",
        "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}]}, "networking.istio.io/v1", namespace="istio-system"))
    try:
        names = until(lambda: (found := offered(used, "explain", "--name", used.name, "productpage-v1", "")) and "one.example" in found and found,
                      20, "the host is offered")
        assert "details" in names
        assert not [name for name in names if "two" in name or name.startswith("one.example.")], names
    finally:
        file.unlink()


def bash_completes(mesh, *lines):
    """What an interactive bash makes of each line at Tab; Ctrl-X prints the line as it is then. As a person does, it tries again where
    nothing came: on a busy machine, completion's second may be over before."""
    setup = ("PS1=; bind 'set bell-style none'; bind 'set enable-bracketed-paste off'; source <(plait completion bash); "
             """show() { printf '<<%s>>\\n' "$READLINE_LINE"; READLINE_LINE=; }; bind -x '"\\C-x": show'; echo rea""dy""")
    child, terminal = pty.fork()
    if child == 0:  # never comes back
        os.environ.clear()
        os.environ.update({**mesh.env, "PATH": f"{BIN}:{mesh.env['PATH']}", "TERM": "dumb", "INPUTRC": "/dev/null"})
        os.chdir("/")
        words = unprivileged(["bash", "--norc", "--noprofile", "-i"])
        os.execvp(words[0], words)
    os.set_blocking(terminal, False)
    seen = [""]

    def read_until(pattern):
        def found():
            with contextlib.suppress(BlockingIOError):
                seen[0] += os.read(terminal, 65536).decode(errors="replace").replace("\r", "")
            return re.search(pattern, seen[0], re.DOTALL)
        match = until(found, 10, f"{pattern} in {seen[0]}")
        seen[0] = seen[0][match.end():]
        return match

    def at_tab(line):
        os.write(terminal, (line + "\t\x18").encode())
        return read_until("<<(.*?)>>").group(1)

    try:
        os.write(terminal, (setup + "\n").encode())
        read_until("\nready\n")
        return [next((made for _ in range(10) if (made := at_tab(line)) != line), line) for line in lines]
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(terminal)


def test_a_persons_bash_completes_words_with_signs_in_them(used):
    log = f"plait log --name {used.name} details-v1 --level"
    pc = f"plait pc endpoint --mesh {used.name} productpage-v1 --cluster"
    cluster = r"outbound\|9080\|\|details.default.svc.cluster.local"
    lines = {
        f"{log} ads:t": f"{log} ads:trace ",
        f"{log} ads:info,http2:deb": f"{log} ads:info,http2:debug ",
        f"{log}=ads:inf": f"{log}=ads:info ",
        "plait status --output=js": "plait status --output=json ",
        "plait logs -A --flag UF,UAE": "plait logs -A --flag UF,UAEX ",
        # A word with pipes in it is one word, whether it is quoted or not.
        rf"{pc} outbound\|9080\|\|det": f"{pc} {cluster} ",
        f"{pc} 'outbound|9080||det": f"{pc} 'outbound|9080||details.default.svc.cluster.local' ",
        "plait up /us": "plait up /usr/",
    }
    assert dict(zip(lines, bash_completes(used, *lines), strict=True)) == lines


def test_a_mesh_that_does_not_answer_is_not_waited_for(used):
    folder = used.folder / "run" / "plait" / "silent"
    folder.mkdir(mode=0o700)
    control = folder / "control.sock"
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(control))
        silent.listen()  # and accepts nobody
        for path in (folder, control):
            if os.geteuid() == 0:
                os.chown(path, TEST_UID, TEST_UID)
        begin = time.monotonic()
        assert offered_at_once(used, "exec", "--name", "silent", "") == []
        assert time.monotonic() - begin < 10
    control.unlink()
    folder.rmdir()
