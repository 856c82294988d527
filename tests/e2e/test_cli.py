"""The verbs of the command line against a running mesh, with their exit codes. Formats: test_formats.py."""
import json
import os
import pathlib
import re
import subprocess

import pytest

import manifests as m
from mesh import BIN, Mesh, unprivileged, until


@pytest.fixture(scope="module")
def used(bookinfo):
    """bookinfo after some visits: proxies have what the visits needed."""
    until(lambda: bookinfo.get("/productpage")[0] == 200, 10, "the page is there")
    for _ in range(30):  # one of five goes to v3, the others to v2
        bookinfo.get("/productpage")
    return bookinfo


def rows(mesh, *arguments):
    return [line.split() for line in mesh.named(*arguments).stdout.splitlines()[1:]]


def test_status_has_a_row_for_each_workload_and_says_where_the_application_is(used):
    status = used.status()
    assert status["state"] == "ready" and status["mode"] == "rootless"
    assert status["url"].startswith("http://127.0.0.1:") and status["debug_url"].startswith("http://127.0.0.1:")
    for workload in status["workloads"]:
        assert workload["ready"] and workload["ip"].startswith("10.244.") and workload["namespace"]
        assert workload["pid"] > 0 or workload["name"].startswith("istio-ingressgateway")
    text = used.named("status").stdout
    assert f"app {status['url']}/productpage " in text and "details-v1-0" in text
    assert f"App      {status['url']}/productpage\n" in used.output.read_text(), "what can be clicked on answers"


def test_ps_shows_every_proxy_synced(used):
    names = {w["name"] + "." + w["namespace"] for w in used.status()["workloads"]}
    table = rows(used, "ps")
    assert {row[0] for row in table} == names
    assert all("STALE" not in row and "NACK" not in row and "SYNCED" in row for row in table)


def test_pc_shows_what_the_proxy_uses(used):
    assert any(row[0] == "reviews.default.svc.cluster.local" and row[2] == "v2" for row in rows(used, "pc", "cluster", "productpage-v1"))
    reviews = next(w for w in used.status()["workloads"] if w["name"] == "reviews-v2-0")
    endpoints = rows(used, "pc", "endpoint", "productpage-v1")
    assert [reviews["ip"] + ":9080", "HEALTHY"] in [row[:2] for row in endpoints]
    assert any(row[0] == "9080" and row[-1] == "reviews.default" for row in rows(used, "pc", "route", "productpage-v1"))
    secrets = {row[0]: row for row in rows(used, "pc", "secret", "productpage-v1")}
    assert "ACTIVE" in secrets["default"] and "ACTIVE" in secrets["ROOTCA"]
    # No private key leaves a proxy.
    assert "PRIVATE KEY" not in used.named("pc", "secret", "productpage-v1", "-o", "json").stdout
    assert "http.80" in used.named("pc", "route", "istio-ingressgateway.istio-system").stdout


def test_pc_says_why_what_a_sidecar_sends_to_is_not_there_yet(used):
    reason = "a sidecar has those of the destinations that its application has asked for"
    pc = lambda kind, workload, *filters: used.plait("pc", kind, workload, "--mesh", used.name, *filters)
    for kind in ("cluster", "endpoint", "route"):
        unused = pc(kind, "ratings-v1")
        assert reason in unused.stderr and "reviews" not in unused.stdout, kind
        assert not pc(kind, "productpage-v1").stderr, kind
    inbound = pc("cluster", "ratings-v1", "--direction", "inbound")
    assert "inbound" in inbound.stdout and not inbound.stderr  # as it was asked


def test_pc_says_that_its_name_is_no_meshs_where_no_mesh_of_the_usual_name_runs(folder):
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    elsewhere.chmod(0o777)
    for kind, filtered in (("route", "routes"), ("secret", "secrets"), ("all", "routes and secrets")):
        result = Mesh(elsewhere, folder).plait("pc", kind, "productpage-v1", "--name", "shop", check=False)
        assert result.returncode == 3 and f"--name filters {filtered} here, --mesh names the mesh" in result.stderr
    result = Mesh(elsewhere, folder).plait("pc", "route", "productpage-v1", check=False)
    assert result.returncode == 3 and "filters" not in result.stderr


def test_workloads_are_found_by_pod_and_deployment_with_and_without_namespace(used):
    for name in ("details-v1", "details-v1-0", "details-v1.default", "details-v1-0.default"):
        assert used.exec(name, "hostname").stdout.strip() == "details-v1-0"
        assert used.named("logs", "-c", "istio-proxy", name).stdout
    for verb in (["exec", "details-v1.elsewhere", "--", "true"], ["logs", "details-v1.elsewhere"], ["pc", "c", "nobody"]):
        result = used.plait(*verb[:1], "--name", used.name, *verb[1:], check=False)
        assert result.returncode == 1 and "there is no workload" in result.stderr and "try:" in result.stderr


def test_ps_has_the_index_and_the_age_of_what_each_proxy_has(used):
    header, *lines = used.named("ps").stdout.splitlines()
    columns = header.split()
    assert columns[2:9] == ["CDS", "LDS", "EDS", "RDS", "SDS", "INDEX", "AGE"]
    for row in (re.split(r"\s{2,}", line) for line in lines):
        assert row[columns.index("INDEX")] in ("SYNCED", "NOT SENT")  # gateways do without
        assert re.fullmatch(r"\d+[smhd]", row[columns.index("AGE")]), row


def test_ps_says_what_not_sent_means_beside_the_table(used):
    shown = used.named("ps")
    assert "NOT SENT" in shown.stdout and "NOT SENT: the proxy has not subscribed to it, as is normal" in shown.stderr
    for form in ("json", "name"):
        assert not used.named("ps", "-o", form).stderr


def test_pc_takes_istioctls_filters_and_a_saved_dump(used, folder):
    pc = lambda *arguments: used.plait("pc", arguments[0], "productpage-v1", "--mesh", used.name, *arguments[1:]).stdout
    assert {line.split()[0] for line in pc("cluster", "--fqdn", "reviews", "--port", "9080").splitlines()[1:]} == {
        "reviews.default.svc.cluster.local"}
    assert {line.split()[3] for line in pc("cluster", "--direction", "inbound").splitlines()[1:]} == {"inbound"}
    assert {line.split()[2] for line in pc("cluster", "--subset", "v2").splitlines()[1:]} == {"v2"}
    assert {line.split()[0] for line in pc("route", "--name", "9080").splitlines()[1:]} == {"9080"}
    reviews = next(w for w in used.status()["workloads"] if w["name"] == "reviews-v2-0")
    endpoints = pc("endpoint", "--address", reviews["ip"]).splitlines()[1:]
    assert endpoints and all(line.split()[0] == reviews["ip"] + ":9080" for line in endpoints)
    assert len(pc("listener", "--port", "15001").splitlines()) > 1
    nothing = used.plait("pc", "cluster", "productpage-v1", "--mesh", used.name, "--port", "1")
    assert nothing.stdout.splitlines()[1:] == [] and "that its application has asked for" in nothing.stderr

    dump = folder / "dump.json"
    dump.write_text(pc("all", "-o", "json"))
    for kind in ("cluster", "listener", "route", "endpoint", "secret"):
        assert used.plait("pc", kind, "--file", str(dump)).stdout == pc(kind)
    from_pipe = subprocess.run(["bash", "-c", f'"$0" pc cluster --file - < <(cat {dump})', BIN / "plait"], capture_output=True, text=True, check=False)
    assert from_pipe.stdout == pc("cluster"), from_pipe.stderr
    # What people save, too: the clusters' page, one resource, and one with a mask.
    page = lambda path: dump.write_text(used.exec("productpage-v1", "curl", "-s", f"127.0.0.1:15000{path}").stdout)
    table = lambda kind, **options: used.plait("pc", kind, "--file", str(dump), **options)
    page("/clusters?format=json")
    columns = lambda text, *which: sorted(tuple(line.split()[i] for i in which) for line in text.splitlines()[1:])
    assert columns(table("endpoint").stdout, 0, 1, 3) == columns(pc("endpoint"), 0, 1, 3)
    assert columns(table("cluster").stdout, 0, 1, 2, 3) == columns(pc("cluster"), 0, 1, 2, 3)
    wrong = table("route", check=False)
    assert wrong.returncode == 4 and "has no routes, but clusters, endpoints alone" in wrong.stderr and "try: save one with: plait pc all" in wrong.stderr
    page("/config_dump?resource=dynamic_listeners")
    assert table("listener").stdout == pc("listener")
    page("/config_dump?resource=dynamic_active_clusters&mask=cluster.name")
    assert columns(table("cluster", check=False).stdout, 0) and table("listener", check=False).returncode == 4
    page("/config_dump?resource=dynamic_active_clusters&mask=version_info")
    assert "has the field cluster: a mask left it out" in table("cluster", check=False).stderr
    dump.write_text(used.exec("productpage-v1", "curl", "-s", "127.0.0.1:15000/config_dump").stdout)
    assert used.plait("pc", "bootstrap", "--file", str(dump)).stdout == pc("bootstrap")
    assert "?include_eds" in used.plait("pc", "endpoint", "--file", str(dump)).stderr
    for bad, code in (("/nowhere/dump.json", 4), (str(used.directory / "policy.yaml"), 4), ("/dev/zero", 4)):
        result = used.plait("pc", "cluster", "--file", bad, check=False)
        assert result.returncode == code and bad in result.stderr and "try:" in result.stderr


@pytest.mark.parametrize("workload", ["productpage-v1", "istio-ingressgateway.istio-system"])
def test_pc_listener_shows_what_its_filters_ask_for_and_nothing_else(used, workload):
    def pc(*arguments, form="table"):
        return used.plait("pc", "listener", workload, "--mesh", used.name, *arguments, "-o", form)
    lines = lambda *arguments: pc(*arguments).stdout.splitlines()[1:]
    whole = lines()
    ports = {line.split()[1] for line in whole}
    addresses = {address for line in whole for address in line.split()[0].split(",")}
    assert len(addresses) == 2  # both families
    assert {"15001", "15006"} <= ports if workload == "productpage-v1" else "80" in ports
    for port in ports:
        assert lines("--port", port) == [line for line in whole if line.split()[1] == port]
        assert {entry["address"]["socket_address"]["port_value"] for entry in json.loads(pc("--port", port, form="json").stdout)} == {int(port)}
        assert len(pc("--port", port, form="name").stdout.splitlines()) == len({line for line in lines("--port", port)})
    for address in addresses:
        assert lines("--address", address) == [line for line in whole if address in line.split()[0].split(",")]
        port = whole[0].split()[1]
        assert lines("--address", address, "--port", port) == [
            line for line in whole if line.split()[1] == port and address in line.split()[0].split(",")]
    for nobodys in (["--port", "1"], ["--port", "8"], ["--address", "10.9.9.9"], ["--address", "10.9.9.9", "--port", min(ports)]):
        assert lines(*nobodys) == [] and json.loads(pc(*nobodys, form="json").stdout) == [], nobodys
    wrong = used.plait("pc", "listener", workload, "--mesh", used.name, "--port", "http", check=False)
    assert wrong.returncode == 2 and "--port" in wrong.stderr


def test_pc_all_takes_the_filters_of_every_kind(used, folder):
    pc = lambda *arguments: used.plait("pc", "all", "productpage-v1", "--mesh", used.name, *arguments).stdout
    kinds = lambda text: {part.splitlines()[0]: part.splitlines()[2:] for part in text.split("\n\n")}
    whole, some = kinds(pc()), kinds(pc("--fqdn", "reviews", "--direction", "outbound", "--subset", "v2", "--name", "9080"))
    assert list(some) == list(whole) == ["clusters", "listeners", "routes", "endpoints", "secrets"]
    assert [line.split()[:4] for line in some["clusters"]] == [["reviews.default.svc.cluster.local", "9080", "v2", "outbound"]]
    assert some["routes"] and {line.split()[0] for line in some["routes"]} == {"9080"} and not some["secrets"]
    assert some["listeners"] == whole["listeners"] and some["endpoints"] == whole["endpoints"]  # no filter of theirs
    assert len(whole["clusters"]) > 1 and len(whole["secrets"]) > 1
    reviews = next(w for w in used.status()["workloads"] if w["name"] == "reviews-v2-0")
    there = kinds(pc("--address", reviews["ip"], "--port", "9080", "--status", "healthy"))
    assert there["endpoints"] and {line.split()[0] for line in there["endpoints"]} == {reviews["ip"] + ":9080"}
    assert not there["listeners"] and {line.split()[1] for line in there["clusters"]} == {"9080"}
    # As data it is a dump again, with the same in it.
    dump = folder / "some.json"
    dump.write_text(pc("--fqdn", "reviews", "--subset", "v2", "-o", "json"))
    assert kinds(used.plait("pc", "all", "--file", str(dump)).stdout)["clusters"] == some["clusters"]


def test_words_that_may_not_be_are_named_with_those_that_may(used):
    for words, parts in ((["logs", "-A", "--flag", "UF,XX"], ['"XX" is no response flag', "UF, UH"]),
                         (["logs", "details-v1", "--flag", "nothing"], ['"nothing"']),
                         (["pc", "endpoint", "details-v1", "--status", "SICK"], ['"SICK"', "HEALTHY, UNHEALTHY"])):
        result = used.plait(*words, "--mesh", used.name, check=False)
        assert result.returncode == 2 and "try:" in result.stderr and all(part in result.stderr for part in parts), result.stderr
    assert used.plait("pc", "endpoint", "productpage-v1", "--status", "healthy", "--mesh", used.name).stdout.count("\n") > 1


def test_log_shows_and_sets_levels_of_a_proxy(used):
    levels = lambda *arguments: json.loads(used.named("log", "details-v1", "-o", "json", *arguments).stdout)["loggers"]
    before = levels()
    assert levels("--level", "control:debug")["control"] == "debug"
    assert set(levels("--level", "warning").values()) <= {"warn", "warning"}
    assert set(levels("--reset").values()) == {"info"} and set(before) == set(levels())
    wrong = used.named("log", "details-v1", "--level", "nothing:debug", check=False)
    assert wrong.returncode == 2 and "nothing" in wrong.stderr


def test_logs_explain_denials_and_filter_by_flag(used):
    assert used.exec("reviews-v1", "curl", "-s", "http://details:9080/details/0").stdout == "RBAC: access denied"
    denied = until(lambda: used.named("logs", "--denied", "details-v1").stdout, 5, "the denial is in the log")
    assert "rbac_access_denied_matched_policy[none]" in denied and "ALLOW policies in scope" in denied
    assert re.search(r"AuthorizationPolicy default/details-viewer \(\S*policy\.yaml:\d+\S*\) rule\[0\]: principal must be", denied)
    assert "principal must be spiffe://cluster.local/ns/default/sa/bookinfo-productpage, but is " in denied
    entries = json.loads(used.named("logs", "-A", "--denied", "-o", "json").stdout)
    assert entries and all("rbac_access_denied" in entry["line"] and entry["explanation"] for entry in entries)
    assert {entry["workload"] for entry in entries} == {"details-v1-0.default"}

    used.exec("reviews-v1", "curl", "-s", "http://details:9081/", check=False)  # a port that the service does not have
    flagged = until(lambda: used.named("logs", "-A", "--flag", "NC,UH").stdout.splitlines(), 5, "it is in the log")
    assert all(re.search(r'" 503 \S*(NC|UH)', line) and line.startswith("[reviews-v1-0.default] ") for line in flagged)
    # The file itself, and other containers, are as they were written.
    assert "ALLOW policies" not in used.named("logs", "details-v1").stdout


def test_logs_of_an_application_that_writes_nothing_say_where_the_access_log_is(used):
    command = "plait logs -c istio-proxy ratings-v1"
    silent = used.named("logs", "ratings-v1")
    assert not silent.stdout and command in silent.stderr
    assert used.named("logs", "ratings-v1", "-o", "json").stdout == "[]\n"
    for elsewhere in (["-c", "istio-proxy", "ratings-v1"], ["plaitd"], ["supervisor"], ["-A", "--flag", "DC"]):
        assert not used.named("logs", *elsewhere).stderr, elsewhere
    with subprocess.Popen(used.command("logs", "ratings-v1", "--follow"), env=used.env, stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as following:
        try:
            assert command in following.stderr.readline()
        finally:
            following.terminate()


def test_logs_follow_what_comes(used):
    with subprocess.Popen(used.command("logs", "-A", "--denied", "--follow"), env=used.env, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, text=True) as following:
        try:
            used.exec("reviews-v1", "curl", "-s", "http://details:9080/details/followed")
            seen = []
            while not (seen and "followed" in seen[-1]):
                seen.append(following.stdout.readline())
                assert seen[-1], seen
            assert seen[-1].startswith("[details-v1-0.default] ")
        finally:
            following.terminate()


def test_version_counts_the_proxies_of_each_version(used):
    versions = json.loads(used.named("version", "-o", "json").stdout)
    proxies = sum(w["proxy"] in ("sidecar", "gateway") for w in used.status()["workloads"])
    assert versions["client"] == versions["control_plane"]
    assert versions["data_plane"] == [{"program": "plait-proxy", "version": versions["client"], "proxies": proxies}]


def test_check_finds_a_mesh_well_and_says_what_is_wrong_with_a_bad_file(used):
    result = used.named("check", "-o", "json", check=False)
    report = json.loads(result.stdout)
    assert result.returncode == 0 and report["success"], result.stdout
    assert [category["categoryName"] for category in report["categories"]] == [
        "plait-mesh", "plait-sync", "plait-identity", "plait-capture"]
    broken = used.directory / "broken.yaml"
    broken.write_text("apiVersion: v1\nkind: Service\nmetadata: {name: broken}\nspec: {ports: [{prot: 80}]}\n")
    try:
        def bad():
            result = used.named("check", check=False)
            return result.returncode == 1 and "broken.yaml:4" in result.stdout and "fix:" in result.stdout
        until(bad, 10, "the check fails and names the line")
        lines = used.named("check", check=False).stdout.splitlines()
        assert len([line for line in lines if line.startswith("      ") and "broken.yaml" in line]) > 1, lines  # one for each problem
        assert any(re.search("the first one in 23h[0-9]+m$", line) for line in lines), lines
    finally:
        broken.unlink()
    until(lambda: used.named("check", check=False).returncode == 0, 10, "it is well again")


def test_bash_completes_commands_words_and_live_names(used):
    script = used.plait("completion", "bash").stdout + """
complete_line() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _plait; printf '%s\\n' "${COMPREPLY[@]}"; }
complete_line "$@"
"""
    def complete(*words):
        command = unprivileged(["bash", "-c", script, "bash", str(BIN / "plait"), *words])
        return subprocess.run(command, env=used.env, check=True, capture_output=True, text=True).stdout.split()
    assert complete("proxy-s") == ["proxy-status"]
    assert complete("status", "-o", "y") == ["yaml"]
    assert complete("exec", "--name", used.name, "details") == ["details-v1", "details-v1-0"]
    assert "productpage" in complete("explain", "--name", used.name, "details-v1", "prod")
    assert complete("logs", "--name", used.name, "details-v1", "-c", "istio") == ["istio-proxy"]
    assert used.name in complete("status", "--name", "")
    assert complete("up", "/us") == ["/usr"]


# An interactive zsh, whose Tab is that of a person; "SHOW" prints the line as it is then.
ZSH = r"""
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell 'PS1=; fpath=(~/zsh $fpath); autoload -Uz compinit; compinit -u -D; zstyle ":completion:*" menu no'
zpty -w shell 'show() { print -r -- "<""<$BUFFER>"">"; BUFFER= }; zle -N show; bindkey "^I" complete-word "^X" show; print re""ady'
zpty -r shell out '*ready*'
for line in "$@"; do
  zpty -w -n shell "$line"$'\t'$'\x18'
  zpty -r shell out '*<<*>>*'
  print -r -- "${${out##*<<}%%>>*}"
done
zpty -d shell
"""


def in_shell(mesh, *command):
    env = {**mesh.env, "PATH": f"{BIN}:{mesh.env['PATH']}", "TERM": "xterm"}
    result = subprocess.run(unprivileged(list(command)), env=env, check=False, capture_output=True, text=True, timeout=60,
                            stdin=subprocess.DEVNULL, cwd="/")
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_zsh_completes_commands_words_and_live_names(used):
    # Where the script's first lines say that it belongs.
    in_shell(used, "sh", "-c", "mkdir -p ~/zsh && plait completion zsh > ~/zsh/_plait")
    lines = {
        "plait proxy-s": "plait proxy-status ",
        "plait status -o y": "plait status -o yaml ",
        f"plait exec --name {used.name} details": f"plait exec --name {used.name} details-v1",  # the deployment and its pod
        f"plait exec --name {used.name} details-v1-": f"plait exec --name {used.name} details-v1-0 ",
        f"plait explain --name {used.name} details-v1 productpage.": f"plait explain --name {used.name} details-v1 productpage.",
        f"plait logs --name {used.name} details-v1 -c istio": f"plait logs --name {used.name} details-v1 -c istio-proxy ",
        "plait pc cluster --direction=in": "plait pc cluster --direction=inbound ",
        "plait up /us": "plait up /usr/",
    }
    assert dict(zip(lines, in_shell(used, "zsh", "-f", "-c", ZSH, "zsh", *lines).splitlines(), strict=True)) == lines


def test_fish_completes_commands_words_and_live_names(used):
    in_shell(used, "sh", "-c", "mkdir -p ~/.config/fish/completions && plait completion fish > ~/.config/fish/completions/plait.fish")

    def complete(line):
        found = in_shell(used, "fish", "-c", 'complete -C "$argv[1]"', line).splitlines()
        return dict(one.partition("\t")[::2] for one in found)
    assert complete("plait pc cl") == {"cluster": "clusters: where it can send to"}
    assert complete("plait status -o y") == {"yaml": ""}
    assert complete(f"plait exec --name {used.name} details") == {"details-v1": "deployment", "details-v1-0": "pod"}
    assert complete(f"plait explain --name {used.name} details-v1 prod")["productpage"] == "service"
    assert set(complete(f"plait logs --name {used.name} details-v1 -c istio")) == {"istio-proxy"}
    assert "--fqdn" in complete("plait pc cluster --f")
    assert "/usr/" in complete("plait up /us")


def test_man_pages_are_there_for_every_command(used, folder):
    used.plait("docs", "man", str(folder / "state" / "man"))
    pages = {page.name for page in (folder / "state" / "man").iterdir()}
    assert {"plait.1", "plait-proxy-config-route.1", "plait-explain.1"} <= pages
    assert used.plait("docs", "man").stdout == (folder / "state" / "man" / "plait.1").read_text()


def test_logs_of_the_control_plane_and_the_supervisor_are_there(used):
    assert "connected: sidecar~" in used.named("logs", "plaitd").stdout
    assert used.named("logs", "supervisor", check=False).returncode == 0
    assert used.named("logs", "plaitd.plait-system").returncode == 0


def test_exec_passes_options_and_exit_codes_of_the_command_on(used):
    assert used.exec("details-v1", "sh", "-c", "exit 41", check=False).returncode == 41
    assert used.exec("details-v1", "sh", "-c", "kill -TERM $$", check=False).returncode == 128 + 15
    missing = used.exec("details-v1", "no-such-program", check=False)
    assert missing.returncode == 127 and "no-such-program" in missing.stderr
    assert used.exec("details-v1", "printf", "%s", "--name").stdout == "--name"
    # Found in the container's PATH, in which the programs beside plait are.
    assert used.exec("details-v1", "plait-demo-app", "--help").returncode == 0
    assert used.exec("details-v1", "curl", "-s", "http://127.0.0.1:15000/ready").stdout == "LIVE\n"


def test_exec_in_a_gateway_is_the_way_to_its_admin_port(used):
    gateway = "istio-ingressgateway.istio-system"
    assert used.exec(gateway, "curl", "-s", "127.0.0.1:15000/ready").stdout == "LIVE\n"
    assert "http.80" in used.exec(gateway, "curl", "-s", "127.0.0.1:15000/config_dump").stdout
    assert used.exec(gateway, "sh", "-c", "exit 7", check=False).returncode == 7
    # Nobody listens beside it, and nobody ends it.
    beside = "import socket; s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1); s.bind(('127.0.0.1', 15021))"
    assert "Address already in use" in used.exec(gateway, "python3", "-c", beside, check=False).stderr
    used.exec(gateway, "sh", "-c", "kill -9 -1; true", check=False)
    assert used.exec(gateway, "curl", "-s", "127.0.0.1:15000/ready").stdout == "LIVE\n"
    assert next(w for w in used.status()["workloads"] if w["proxy"] == "gateway")["restarts"] == 0


def test_exit_codes_without_a_mesh(folder):
    nobody = Mesh(folder, folder, name="nobody")
    for verb in (["status"], ["ps"], ["pc", "cluster", "x"], ["logs", "x"], ["down"]):
        result = nobody.plait(*verb[:1], "--name", "nobody", *verb[1:], check=False)
        assert result.returncode == 3 and "plait demo" in result.stderr, verb
    assert nobody.named("version").returncode == 0
    assert nobody.named("down", "--purge").returncode == 0
    for wrong in (["status", "-o", "xml"], ["pc", "weather", "x"], ["fly"], ["up"], ["up", "/nowhere"]):
        result = nobody.plait(*wrong, check=False)
        assert result.returncode == 2 and "plait" in result.stderr, wrong


def test_purge_says_that_there_was_nothing(folder):
    nobody = Mesh(folder, folder, name="nobody")
    result = nobody.named("down", "--purge")
    assert result.stdout == f"mesh \"nobody\" does not run, and it has no state: {nobody.state} is not there\n"
    assert json.loads(nobody.named("down", "--purge", "-o", "json").stdout) == {"mesh": "nobody", "ended": False, "purged": False}


def unpurged(folder, make):
    """A mesh that does not run, with a key in the state folder, after `make`; what `plait down --purge` says of it."""
    name = make.__name__.replace("_", "-")
    own = folder / name
    own.mkdir()
    mesh = Mesh(own, own, name=name)
    key = mesh.state / "ca/root-key.pem"
    subprocess.run(unprivileged(["mkdir", "-p", str(key.parent)]), check=True)
    subprocess.run(unprivileged(["touch", str(key)]), check=True)
    keeper = make(mesh.state)
    try:
        result = mesh.named("down", "--purge", "-o", "json", check=False)
    finally:
        for path in (keeper, mesh.state):
            path.chmod(0o755)
    assert key.exists() and result.returncode == 1, result
    assert json.loads(result.stdout) == {"mesh": mesh.name, "ended": False, "purged": False}
    assert "removed" not in result.stderr
    return mesh, result.stderr


def test_purge_says_what_it_could_not_remove(folder):
    def write_protected(state):
        (state / "ca").chmod(0o555)
        return state / "ca"
    mesh, said = unpurged(folder, write_protected)
    assert said == (f"plait: cannot remove {mesh.state}/ca/root-key.pem: Permission denied; the folder {mesh.state}/ca may not be written\n"
                    f"  try: chmod -R u+rwX {mesh.state}, then again\n")

    def out_of_sight(state):
        state.parent.chmod(0o600)
        return state.parent
    mesh, said = unpurged(folder, out_of_sight)
    assert said.startswith(f"plait: cannot look at {mesh.state}: Permission denied\n  try: "), said
    assert mesh.named("down", "--purge").stdout == f"removed its certificates and state: {mesh.state}\n"
    assert not mesh.state.exists()


def test_purge_removes_the_state_of_the_mesh_that_runs(folder):
    """Whatever the variables of the shell say that ends it."""
    own = folder / "elsewhere"
    (own / "mesh").mkdir(parents=True)
    mesh = Mesh(own, own / "mesh", name="elsewhere")
    kept = mesh.state / "ca/root-key.pem"
    subprocess.run(unprivileged(["mkdir", "-p", str(kept.parent)]), check=True)
    subprocess.run(unprivileged(["touch", str(kept)]), check=True)
    usual, mesh.env = mesh.env, {**mesh.env, "PLAIT_STATE_DIR": str(own / "state/own")}
    mesh.start()
    try:
        state = pathlib.Path(mesh.status()["state_dir"])
        mesh.env = usual
        assert mesh.named("down", "--purge").stdout.endswith(f"removed its certificates and state: {state}\n")
        assert kept.exists() and not state.exists()
    finally:
        mesh.stop()


@pytest.mark.skipif(os.geteuid() != 0, reason="another user's files are needed")
def test_purge_says_whose_the_state_is_that_it_could_not_remove(folder):
    def of_root(state):
        for path in (state, state / "ca", state / "ca/root-key.pem"):
            os.chown(path, 0, 0)
        return state
    mesh, said = unpurged(folder, of_root)
    assert said == (f"plait: cannot remove {mesh.state}/ca/root-key.pem: Permission denied; the folder {mesh.state}/ca belongs to root\n"
                    f"  try: rm -r {mesh.state} as root\n")

    def closed_by_root(state):
        for path in (state, state / "ca", state / "ca/root-key.pem"):
            os.chown(path, 0, 0)
            path.chmod(0o700)
        return state
    mesh, said = unpurged(folder, closed_by_root)
    assert said.startswith(f"plait: cannot remove {mesh.state}: Permission denied; it belongs to root\n"), said


def test_a_name_that_is_taken_is_the_answer_no(used):
    second = used.plait("up", str(used.directory), "--name", used.name, check=False)
    assert second.returncode == 1 and "is running already" in second.stderr and "plait down" in second.stderr


def test_ps_and_check_show_what_a_proxy_refuses_with_its_reason(used):
    cds = lambda: {row[0]: row[2] for row in (re.split(r"\s{2,}", line) for line in used.named("ps").stdout.splitlines())}
    file = used.directory / "roots.yaml"
    # plaitd cannot know what a proxy finds in its file system.
    m.write(file, m.destination_rule("roots", {"host": "ratings", "trafficPolicy": {
        "tls": {"mode": "SIMPLE", "caCertificates": "/nowhere/ca.pem"}}}))
    try:
        until(lambda: cds()["reviews-v2-0.default"] == "NACK", 10, "the proxy refuses the cluster")
        refused = "reviews-v2-0.default refuses Cluster: outbound|9080||ratings.default.svc.cluster.local: "
        told = used.named("ps").stderr
        assert refused in told and "/nowhere/ca.pem cannot be read" in told
        check = used.named("check", check=False)
        assert check.returncode == 1 and refused in check.stdout and "fix:" in check.stdout
        assert cds()["details-v1-0.default"] != "NACK"  # has no use for it
    finally:
        file.unlink()
    until(lambda: "NACK" not in cds().values(), 10, "it is mended")


def test_ps_shows_a_proxy_that_acknowledges_nothing_as_stale(used):
    row = lambda: next(line for line in used.named("ps").stdout.splitlines() if line.startswith("details-v1-0"))
    file = used.directory / "stale.yaml"
    with used.stopped(used.proxy_pid("details-v1-0")):
        try:
            m.write(file, m.peer_authentication("PERMISSIVE", "stale", selector={"matchLabels": {"app": "details"}}))
            until(lambda: "STALE" in row(), 10, "what was sent is not acknowledged")
        finally:
            file.unlink()
    until(lambda: "STALE" not in row(), 10, "it has caught up")
