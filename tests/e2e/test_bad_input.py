"""Bad input, everywhere: a clear message with its place, nothing lost, nothing crashes.

| input | test |
|---|---|
| files: 100 MB, aliases in a circle or exploding, not UTF-8, NUL bytes, tabs, no permission, vanishing while they are read, read errors, links in a circle | src/control/source/bad_files_test.cc |
| files: written in steps, emptied first, never closed | src/control/source/directory_source_test.cc, here: `written_in_steps`, test_edits.py (`written_in_steps`) |
| files: with a byte order mark, UTF-16 | src/core/yaml/parse_test.cc |
| files: in JSON, also what JSON may hold and YAML may not; names that are nearly read | src/core/yaml/parse_test.cc, src/control/source/file_names_test.cc, here: `a_policy_in_json` |
| files: that become pipes, sockets, devices; more directories or open files than there may be | src/control/source/bad_files_test.cc, here: `becomes_a_pipe` |
| files: local.yaml, and commands in annotations | src/control/source/config_files_test.cc, src/control/source/pods_test.cc, test_last_good.py (`a_slip_in_what_is_run`) |
| files: in a mesh that runs | here: `a_bad_edit`, `a_directory_that_is_closed` |
| objects: unknown kinds and versions, references to nothing, delegates in a circle, conflicts, selectors that match nothing, impossible hosts, CIDRs, weights (negative, all 0) | src/control/model/bad_objects_test.cc |
| objects: references to nothing, by an edit: the last good version stays | src/control/source/waiting_edits_test.cc, test_last_good.py, here: `a_bad_edit[reference]` |
| objects: accounts, callers and container ports that are not there | src/control/model/pod_references_test.cc, here: `names_of_what_no_pod_has` |
| objects: weights that do not add up to 100: shares of their sum, as in Istio, and told | src/control/model/bad_objects_test.cc, here: `weights_that_do_not_add_up` |
| objects: MeshConfig and MeshNetworks in the text of a ConfigMap: the place in the file | src/control/model/decode_test.cc, here: `a_mistake_in_the_mesh_configuration` |
| objects: unknown fields and wrong values of any kind: a next step | src/core/yaml/message_test.cc, src/control/model/bad_objects_test.cc, test_last_good.py |
| objects: warnings of a last good version, whose lines the file no longer has | src/control/source/config_files_test.cc, here: `a_warning_of_a_last_good_version` |
| objects: the same name in two files | src/control/source/config_files_test.cc (SayWhichObjectStandsTwice), here: `a_bad_edit[duplicate]` |
| objects: a policy that cannot be understood, or not even read as one | src/control/model/unread_policies_test.cc, src/control/source/closed_policies_test.cc, here: `an_invalid_policy`; test_failing_closed.py |
| streams: garbage on 15012 and 15014 | test_control_plane.py (`garbage_on_either_port`) |
| streams: garbage on 15000, 15020, 15021, 15053, 15090 and through 15001, 15006 | here: `garbage_on_the_ports_of_a_proxy` |
| streams: 100,000 names, never reading, wrong nonces, acknowledging what was never sent | test_control_plane.py |
| state: full disk, read-only, truncated key, second plaitd | test_control_plane.py; as `plait up` tells it, here: `told_by_plait_up`, `goes_on_in_the_background`, `truncated_while_the_mesh_runs` |
| run directory: files that cannot be written | logs: src/local/log_file_test.cc; those of a pod, here: `gets_its_proxy` |
"""
import ctypes
import json
import os
import subprocess

import pytest

import manifests as m
from mesh import BIN, Mesh, leftovers_of, nothing_runs, unprivileged, until

APP = m.APP


def echo_mesh(folder, name, *more):
    directory = folder / name
    directory.mkdir()
    m.write(directory / "mesh.yaml",
            m.account("server"),
            m.deployment("echo", [APP, "echo", "--port", "8000"], account="server", ports=[8000], probe=m.http_probe(8000)),
            m.service("echo", {"http": 8000}),
            m.account("client"),
            m.deployment("client", [APP, "client"], account="client"),
            m.deployment("plain", [APP, "client"], inject=False))
    for file, text in more:
        (directory / file).write_text(text)
    return Mesh(folder, directory, name=name).start()


@pytest.fixture(scope="module")
def mesh(folder):
    mesh = echo_mesh(folder, "bad-input", ("routes.yaml", ROUTES))
    yield mesh
    mesh.stop()


ROUTES = """apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: echo
spec:
  hosts: [echo]
  http:
    - headers: {response: {set: {x-rule: good}}}
      route: [{destination: {host: echo}}]
"""


def status_of(mesh, caller="client"):
    """Of one request: {"200": 1}; {} when there was no answer."""
    return mesh.load(caller, "http://echo:8000/", "--count", "1")["status"]


def rule(mesh):
    return set(mesh.load("client", "http://echo:8000/", "--count", "2", "--count-by", "x-rule")["by"])


def said(mesh, *parts):
    """A message of `plait up`, also in `plait status`, that holds all parts."""
    def found():
        lines = mesh.output.read_text(errors="replace").splitlines()
        return next((line for line in lines if all(part in line for part in parts)), None)
    return until(found, 5, f"a message with {parts}")


@pytest.mark.short
@pytest.mark.parametrize("text, parts", [
    (ROUTES.replace("  hosts: [echo]", "  hosts: [echo"), ["routes.yaml:"]),
    (ROUTES.replace("      route:", "      rout:"), ["routes.yaml:9:7", "rout", "route"]),
    (ROUTES + "---\n" + ROUTES, ["routes.yaml:1", "echo", "twice"]),
    (ROUTES.replace("metadata:", "\tmetadata:"), ["routes.yaml:3"]),
    (ROUTES.replace("kind: VirtualService", "kind: VirtualServise"), ["routes.yaml:", "VirtualServise"]),
    (ROUTES.replace("{host: echo}", "{host: eccho}"), ["routes.yaml:9:", '"eccho"', 'did you mean "echo"?', "the last good version of this file stays in force"]),
], ids=["broken", "unknown-field", "duplicate", "tab", "unknown-kind", "reference"])
def test_a_bad_edit_is_told_with_its_place_and_changes_nothing(mesh, text, parts):
    file = mesh.directory / "routes.yaml"
    assert rule(mesh) == {"good"}
    file.write_text(text)
    said(mesh, *parts)
    # Another object, changed meanwhile, is unaffected by the bad file.
    m.write(mesh.directory / "other.yaml", m.authorization("deny-post", {"action": "DENY", "selector": {"matchLabels": {"app": "echo"}}, "rules": [{"to": [{"operation": {"methods": ["POST"]}}]}]}))
    until(lambda: mesh.load("client", "http://echo:8000/", "--count", "1", "--method", "POST")["status"] == {"403": 1}, 5, "the other file is live")
    assert rule(mesh) == {"good"}
    (mesh.directory / "other.yaml").unlink()
    until(lambda: mesh.load("client", "http://echo:8000/", "--count", "1", "--method", "POST")["status"] == {"200": 1}, 5, "the other file is gone")
    file.write_text(ROUTES)
    until(lambda: rule(mesh) == {"good"}, 5, "all is well")
    # What was mended is told, and no problem any more.
    said(mesh, "mended: ", *parts)
    until(lambda: not [message for message in mesh.status()["messages"] if "routes.yaml" in message], 5, "nothing is wrong")


def test_a_policy_in_json_is_in_force_and_one_whose_name_is_not_read_is_told(mesh):
    posted = lambda: mesh.load("client", "http://echo:8000/", "--count", "1", "--method", "POST")["status"]
    file = mesh.directory / "deny.JSON"
    policy = m.authorization("deny-json", {"action": "DENY", "selector": {"matchLabels": {"app": "echo"}}, "rules": [{"to": [{"operation": {"methods": ["POST"]}}]}]})
    file.write_text(json.dumps(policy, indent="\t"))
    said(mesh, "deny.JSON: the file is not read", "rename it to deny.json")
    assert posted() == {"200": 1}
    file = file.rename(file.with_suffix(".json"))
    until(lambda: posted() == {"403": 1}, 5, "it denies")
    file.unlink()
    until(lambda: posted() == {"200": 1}, 5, "it is gone")


def test_a_policy_whose_file_becomes_a_pipe_or_a_link_to_a_device_goes_on_denying(mesh):
    posted = lambda: mesh.load("client", "http://echo:8000/", "--count", "1", "--method", "POST")["status"]
    file = mesh.directory / "deny.yaml"
    m.write(file, m.authorization("deny", {"action": "DENY", "selector": {"matchLabels": {"app": "echo"}}, "rules": [{"to": [{"operation": {"methods": ["POST"]}}]}]}))
    until(lambda: posted() == {"403": 1}, 5, "it denies")
    aside = mesh.directory / ".aside"
    for make in (os.mkfifo, lambda path: path.symlink_to("/dev/null")):
        make(aside)
        aside.rename(file)
        said(mesh, "deny.yaml: it is a pipe, a socket or a device, which is not read", "what it held stays in force")
        assert posted() == {"403": 1}
    pid = mesh.plaitd_pid()
    mesh.signal(pid, "KILL")
    until(lambda: mesh.plaitd_pid() not in (0, pid), 10, "plaitd runs again")
    mesh.wait_ready()
    # Another object is live: what is in force is that of the new plaitd.
    m.write(mesh.directory / "other.yaml", m.authorization("deny-put", {"action": "DENY", "selector": {"matchLabels": {"app": "echo"}}, "rules": [{"to": [{"operation": {"methods": ["PUT"]}}]}]}))
    until(lambda: mesh.load("client", "http://echo:8000/", "--count", "1", "--method", "PUT")["status"] == {"403": 1}, 10, "the other file is live")
    assert posted() == {"403": 1}
    (mesh.directory / "other.yaml").unlink()
    file.unlink()
    until(lambda: posted() == {"200": 1}, 5, "it is gone")


@pytest.mark.parametrize("weights, shares", [((60, 60), "echo 50 %, echo 50 %"), ((60, 30), "echo 66.7 %, echo 33.3 %")], ids=["120", "90"])
def test_weights_that_do_not_add_up_to_a_hundred_are_shares_of_their_sum_and_told(mesh, weights, shares):
    file = mesh.directory / "routes.yaml"
    m.write(file, m.virtual_service("echo", {"hosts": ["echo"], "http": [{"route": [
        {"destination": {"host": "echo"}, "weight": weight, "headers": {"response": {"set": {"x-rule": name}}}}
        for name, weight in zip(("first", "second"), weights)]}]}))
    until(lambda: "good" not in rule(mesh), 5, "the split is in force")
    count = 900
    by = mesh.load("client", "http://echo:8000/", "--count", str(count), "--count-by", "x-rule")["by"]
    assert set(by) == {"first", "second"}
    assert abs(by["first"] - count * weights[0] / sum(weights)) < 6 * 15, by  # six standard deviations
    said(mesh, "routes.yaml:", "VirtualService default/echo: ", f"total destination weight {sum(weights)} != 100, so the shares are {shares}")
    file.write_text(ROUTES)
    until(lambda: rule(mesh) == {"good"}, 5, "the route is back")


def test_names_of_what_no_pod_has_are_told_and_the_pods_run(mesh):
    """A pod's account, callers of a policy, a Service's container port."""
    file = mesh.directory / "typos.yaml"
    m.write(file, m.deployment("typo", [APP, "echo", "--port", "8000"], account="clietn", ports=[8000], probe=m.http_probe(8000)),
            m.document("Service", "typo", {"selector": {"app": "typo"}, "ports": [{"name": "http", "port": 8000, "targetPort": "webb"}]}),
            m.authorization("typo", {"selector": {"matchLabels": {"app": "typo"}}, "rules": [{"from": [
                {"source": {"namespaces": ["defualt"]}}, {"source": {"principals": ["cluster.local/ns/default/sa/sevrer"]}}]}]}))
    line = next(number for number, text in enumerate(file.read_text().splitlines(), 1) if "clietn" in text)
    said(mesh, f"typos.yaml:{line}:", "Deployment default/typo: ", '"clietn"', 'did you mean "client"?', "sa/clietn, and on Kubernetes")
    said(mesh, "typos.yaml:", "Service default/typo: ", '"webb" of port 8000', "write the number")
    said(mesh, "typos.yaml:", "AuthorizationPolicy default/typo: ", '"defualt"', 'did you mean "default"?')
    said(mesh, "typos.yaml:", "AuthorizationPolicy default/typo: ", "sa/sevrer", 'did you mean "cluster.local/ns/default/sa/server"?')
    until(lambda: [pod["ready"] for pod in mesh.pods("typo")] == [True], 15, "the pod runs")
    assert "/ns/default/sa/clietn" in mesh.admin("typo", "/certs")
    file.unlink()
    until(lambda: not mesh.pods("typo") and not [line for line in mesh.status()["messages"] if "not found" in line], 15, "no other object has such names")


MESH_CONFIG = """apiVersion: v1
kind: ConfigMap
metadata: {name: istio, namespace: istio-system}
data:
  mesh: |
    accessLogFile: /dev/stdout
    defaultConfig: {zebra: 1}
"""


def test_a_mistake_in_the_mesh_configuration_is_told_with_its_place_and_what_to_do(mesh):
    file = mesh.directory / "mesh-config.yaml"
    file.write_text(MESH_CONFIG)
    line = said(mesh, "mesh-config.yaml:7:21: ", 'mesh configuration: unknown field "defaultConfig.zebra"')
    # The command that it names lists the fields.
    command = next(part for part in line.split("(")[1].split(": ") if part.startswith("plait docs "))
    command = command.removesuffix(")").removesuffix(" lists what is honoured").split()
    listed = subprocess.run([str(BIN / command[0]), *command[1:]], capture_output=True, text=True, check=True).stdout
    assert "defaultConfig.concurrency" in listed
    file.write_text(MESH_CONFIG.replace("{zebra: 1}", "{concurrency: [2}"))
    said(mesh, "mesh-config.yaml:7:36: ", "mesh configuration: did not find expected ',' or ']'", "close the [ opened at 7:34")
    file.unlink()
    until(lambda: not [message for message in mesh.status()["messages"] if "mesh-config.yaml" in message], 5, "nothing is wrong")


def test_a_warning_of_a_last_good_version_says_so_and_is_not_told_as_mended(mesh):
    """Its line is not one of the file any more, and nobody mended it."""
    warning = "No matching workloads for this resource with the following labels: app=nobody"
    file = mesh.directory / "policy.yaml"
    file.write_text(GOOD_POLICY.replace("app: echo", "app: nobody"))
    def messages():
        return [message for message in mesh.status()["messages"] if warning in message]
    said(mesh, "policy.yaml:6:", warning)
    (before,) = until(messages, 5, "it is told")
    file.write_text("broken: [\n")
    said(mesh, "policy.yaml:6:", warning, "line and column are those of its file's last good version, which is in force")
    (after,) = until(lambda: before not in messages() and messages(), 5, "it is told in these words only")
    file.unlink()
    said(mesh, f"mended: {after}")
    assert f"mended: {before}" not in mesh.output.read_text()
    until(lambda: not [message for message in mesh.status()["messages"] if "policy.yaml" in message], 5, "nothing is wrong")


BAD_POLICY = """apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata:
  name: broken
spec:
  selector: {matchLabels: {app: echo}}
  action: ALLOW
  rules:
    - to: [{operation: {methds: [GET]}}]
"""


BAD_PEERS = """apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata:
  name: broken
spec:
  mtls: {mode: PERMISIVE}
"""


# A kind that is not honoured yet: nothing mends it but to remove it.
TOKENS = """apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata:
  name: broken
spec:
  selector: {matchLabels: {app: echo}}
  jwtRules: [{issuer: someone, jwks: "{}"}]
"""


def plaitd_starts_again(mesh, attempt):
    """Another process knows only its state and the files; echo's proxy has heard all from it."""
    pid = mesh.plaitd_pid()
    mesh.signal(pid, "KILL")
    until(lambda: mesh.plaitd_pid() not in (0, pid), 20, "plaitd runs again")
    name = f"late-{attempt}"
    m.write(mesh.directory / f"{name}.yaml", m.service(name, {"http": 8000}, {"app": "echo"}))
    until(lambda: mesh.exec("echo", "getent", "hosts", name, check=False).stdout, 20, "echo's proxy follows the new plaitd")


GOOD_POLICY = BAD_POLICY.replace("methds", "methods")
GOOD_PEERS = BAD_PEERS.replace("PERMISIVE", "PERMISSIVE")
REFUSES_PLAIN = "plaintext_refused_by_strict_mutual_tls{invalid_policy[default/broken]"
DENIES = "rbac_access_denied_matched_policy[invalid_policy[default/broken]"
DENIES_HERE = "rbac_access_denied_matched_policy[invalid_policy[default/FILE:1:1]]"


@pytest.mark.parametrize("kind, bad, mended, place, caller, logged", [
    ("AuthorizationPolicy", BAD_POLICY, GOOD_POLICY, ("policy.yaml:9:", "methds"), "client", DENIES),
    # Under the PERMISSIVE mesh `plain`, which has no proxy, would be let in.
    ("PeerAuthentication", BAD_PEERS, GOOD_PEERS, ("policy.yaml:6:", "PERMISIVE"), "plain", REFUSES_PLAIN),
    ("RequestAuthentication", TOKENS, ROUTES, ("policy.yaml:2:", "RequestAuthentication is not honoured yet"), "client", DENIES),
    # What cannot even be read as a policy. Where its name is lost, too, it is called by its place.
    ("AuthorizationPolicy", GOOD_POLICY.replace("[GET]", "[GET"), GOOD_POLICY, ("policy.yaml:9:", "did not find"), "client", DENIES_HERE),
    ("AuthorizationPolicy", GOOD_POLICY.replace("/v1", "/v1alpha1"), GOOD_POLICY, ("policy.yaml:1:13", "v1alpha1", "use security.istio.io/v1"),
     "client", DENIES),
    ("AuthorizationPolicy", GOOD_POLICY.replace("nPolicy", "nPolcy"), GOOD_POLICY, ("policy.yaml:2:7", 'did you mean "AuthorizationPolicy"?'),
     "client", DENIES),
    ("AuthorizationPolicy", GOOD_POLICY.replace("spec:", "  lables: {}\nspec:"), GOOD_POLICY, ("policy.yaml:5:3", 'did you mean "labels"?'),
     "client", DENIES),
    ("AuthorizationPolicy", GOOD_POLICY + "---\n" + GOOD_POLICY.replace("ALLOW", "DENY"), GOOD_POLICY,
     ("policy.yaml:14:9", "stands twice in this file", "remove or rename one of them"), "client", DENIES),
    ("PeerAuthentication", GOOD_PEERS.replace("/v1", "/v2"), GOOD_PEERS, ("policy.yaml:1:13", "use security.istio.io/v1"), "plain", REFUSES_PLAIN),
], ids=["AuthorizationPolicy", "PeerAuthentication", "RequestAuthentication", "yaml", "version", "kind", "metadata", "twice", "version-of-peers"])
def test_an_invalid_policy_in_force_at_the_first_start_denies(folder, request, kind, bad, mended, place, caller, logged):
    """Also after plaitd has started again, as long as there is no last good version; with one, that is in force."""
    permissive = json.dumps(m.peer_authentication("PERMISSIVE", namespace="istio-system"))
    mesh = echo_mesh(folder, f"bad-{request.node.callspec.id.lower()}", ("policy.yaml", bad), ("permissive.yaml", permissive))
    file = mesh.directory / "policy.yaml"
    denied = {} if caller == "plain" else {"403": 1}
    called, line = (f"{file}:1:1", 1) if logged == DENIES_HERE else ("broken", 4)
    closes = ("lets nothing but mutual TLS through to " if caller == "plain" else "denies all requests to ") + (
        "the workloads with the labels app=echo" if called == "broken" and kind != "PeerAuthentication" else "all workloads") + " in namespace default"
    try:
        said(mesh, *place)
        said(mesh, "policy.yaml", "no last good version", "invalid policies deny")
        said(mesh, f"policy.yaml:{line}:", closes, "correct the errors of this file")
        assert status_of(mesh, caller) == denied
        until(lambda: logged.replace("FILE", str(file)) in mesh.named("logs", "echo", "-c", "istio-proxy").stdout, 5, "the log names the reason")
        explained = mesh.named("logs", "echo", "--denied").stdout
        assert f"denied by {kind} default/{called} (invalid: " in explained and f"policy.yaml:{line})" in explained, explained
        plaitd_starts_again(mesh, 1)
        assert status_of(mesh, caller) == denied
        file.write_text(mended)
        until(lambda: status_of(mesh, caller) == {"200": 1}, 5, "the mended file allows")
        file.write_text(bad)
        said(mesh, "policy.yaml", "last good version of this file stays in force")
        assert status_of(mesh, caller) == {"200": 1}
        plaitd_starts_again(mesh, 2)
        assert status_of(mesh, caller) == {"200": 1}
    finally:
        mesh.stop()


def other_edits_are_live(mesh, name):
    """The files were read since this was called."""
    m.write(mesh.directory / f"{name}.yaml", m.service(name, {"http": 8000}, {"app": "echo"}))
    until(lambda: mesh.load("client", f"http://{name}:8000/", "--count", "1").get("status"), 10, f"{name} is in force")


def test_policies_that_are_written_in_steps_deny_from_first_to_last(folder):
    """One that was in force while its file is emptied and written anew; an invalid one of a new file that was there, empty,
    for a while, also when plaitd starts while it is, and again when it is complete."""
    deny = json.dumps(m.authorization("deny", {"action": "DENY", "selector": {"matchLabels": {"app": "echo"}}, "rules": [{}]}))
    mesh = echo_mesh(folder, "in-steps", ("policy.yaml", deny))
    file, new = mesh.directory / "policy.yaml", mesh.directory / "new.yaml"
    try:
        assert status_of(mesh) == {"403": 1}
        with open(file, "w", encoding="utf-8") as out:
            other_edits_are_live(mesh, "emptied")
            assert status_of(mesh) == {"403": 1}
            out.write(deny[:-20])
            out.flush()
            other_edits_are_live(mesh, "half")
            assert status_of(mesh) == {"403": 1}
            out.write(deny[-20:])
        other_edits_are_live(mesh, "whole")
        assert status_of(mesh) == {"403": 1}
        file.unlink()
        until(lambda: status_of(mesh) == {"200": 1}, 5, "nothing denies")
        with open(new, "w", encoding="utf-8") as out:
            other_edits_are_live(mesh, "created")
            plaitd_starts_again(mesh, "created")
            out.write(BAD_POLICY)
        until(lambda: status_of(mesh) == {"403": 1}, 5, "the invalid policy denies")
        plaitd_starts_again(mesh, "written")
        assert status_of(mesh) == {"403": 1}
    finally:
        mesh.stop()


def test_a_directory_that_is_closed_for_a_while_changes_nothing(folder):
    closed = "/root"  # a folder of somebody else; plaitd may read all that belongs to its user, whatever the mode
    assert subprocess.run(unprivileged(["test", "-r", closed]), check=False).returncode != 0
    mesh = echo_mesh(folder, "closed")
    more, link = mesh.directory / "more", mesh.directory / ".link"
    more.mkdir()
    link.symlink_to(closed)
    try:
        (more / "routes.yaml").write_text(ROUTES)
        until(lambda: rule(mesh) == {"good"}, 5, "the route is in force")
        here, exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE: at no moment is there neither of them
        assert ctypes.CDLL(None).renameat2(here, str(more).encode(), here, str(link).encode(), exchange) == 0
        (mesh.directory / "other.yaml").write_text(ROUTES.replace("  name: echo", "  name: other").replace("[echo]", "[other.example]"))
        said(mesh, "more", "the directory cannot be read: Permission denied", "make it readable")
        assert rule(mesh) == {"good"}
    finally:
        mesh.stop()


# Writes each of these to a port and reads what comes until the end. Run in a workload: the ports are its proxy's own.
GARBAGE = """
import os, random, socket, sys
random.seed(15)
noise = random.randbytes(4096)
things = [noise, bytes(1000), b"\\x16\\x03\\x01\\xff\\xff" + noise, b"GET / HTTP/9.9\\r\\n\\r\\n", b"PRI * HTTP/2.0\\r\\n\\r\\nSM\\r\\n\\r\\n" + noise,
          b"GET / HTTP/1.1\\r\\nx: " + b"y" * 300000, b"POST / HTTP/1.1\\r\\ncontent-length: 99999999999999999999\\r\\n\\r\\n",
          b"POST /config_dump HTTP/1.1\\r\\nhost: x\\r\\ntransfer-encoding: chunked\\r\\n\\r\\nfffffffffffffffff\\r\\n", b"\\xff\\xff" + noise * 20, b""]
host, port, kind = sys.argv[1], int(sys.argv[2]), sys.argv[3]
family = socket.AF_INET6 if ":" in host else socket.AF_INET
for thing in things:
    if kind == "udp":
        with socket.socket(family, socket.SOCK_DGRAM) as one:
            for cut in (thing[:512], thing[:12], thing[:3], thing[:60000]):
                one.sendto(cut, (host, port))
        continue
    try:
        with socket.create_connection((host, port), 5) as one:
            one.settimeout(5)
            one.sendall(thing)
            one.shutdown(socket.SHUT_WR)
            while one.recv(65536):
                pass
    except TimeoutError:
        sys.exit(f"still open after 5 s: {thing[:40]!r}")
    except OSError:
        pass  # closed while we still sent
print("done")
"""
OWN_PORTS = [("127.0.0.1", port, "tcp") for port in (15000, 15020, 15021, 15053, 15090)] + [("127.0.0.1", 15053, "udp"), ("127.0.0.1", 53, "udp")]


def proxies(mesh):
    return {w["name"]: (mesh.proxy_pid(w["name"]), w["restarts"]) for w in mesh.status()["workloads"]}


def test_garbage_on_the_ports_of_a_proxy_hurts_nobody_else(mesh):
    before = proxies(mesh)
    echo = mesh.pods("echo")[0]
    attacks = [("client", *target) for target in OWN_PORTS]
    attacks += [("client", "echo", 8000, "tcp"), ("client", echo["ip"], 8000, "tcp")]  # through 15001 of the one, 15006 of the other
    attacks += [("plain", ip, port, "tcp") for ip in echo["ips"] for port in (8000, 15006, 15001)]  # 15006 from outside of the mesh
    for workload, *target in attacks:
        result = mesh.exec(workload, "python3", "-c", GARBAGE, *map(str, target), check=False)
        assert result.stdout == "done\n", f"{workload} {target}: {result}"
        assert rule(mesh) == {"good"}, f"after {workload} {target}"
    assert mesh.exec("client", "getent", "hosts", "echo").stdout
    assert proxies(mesh) == before, "no proxy was started again"
    memory = json.loads(mesh.admin("client", "/memory"))
    assert int(memory["allocated"]) < 64_000_000, memory


def test_a_pod_whose_files_could_not_be_written_gets_its_proxy_once_they_can(mesh):
    late = lambda: mesh.pods("late-")[0]
    in_the_way = mesh.folder / "run/plait" / mesh.name / "proxies/default.late-0"
    in_the_way.touch()
    file = mesh.directory / "late.yaml"
    m.write(file, m.deployment("late", [APP, "client"]))
    try:
        until(lambda: f"cannot write {in_the_way}/token: Not a directory" in late()["reason"], 20, "its reason is told")
        assert not late()["ready"] and late()["proxy_pid"] == 0
        in_the_way.unlink()
        until(lambda: late()["ready"], 20, "it is ready")
        assert late()["reason"] == "" and late()["proxy_pid"] != 0
        assert status_of(mesh, "late") == {"200": 1}
    finally:
        if in_the_way.is_file():
            in_the_way.unlink()
        file.unlink()
        until(lambda: not mesh.pods("late-"), 20, "it has gone")


def up_says(mesh, *told, prefix=()):
    """`plait up` in the foreground, as a person starts it: it says why it cannot serve, and ends in order."""
    command = unprivileged([*prefix, str(BIN / "plait"), "up", str(mesh.directory), "--name", mesh.name, "--port", "0"])
    with open(mesh.output, "wb") as out:
        mesh.process = subprocess.Popen(command, env=mesh.env, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        until(lambda: all(part in mesh.output.read_text() for part in told), 20, f"plait up says {told}")
    finally:
        mesh.stop()
        print(mesh.output.read_text())
    nothing_runs(found=lambda: leftovers_of(mesh))


def test_a_truncated_key_of_the_authority_is_told_by_plait_up(folder):
    mesh = echo_mesh(folder, "truncated")
    mesh.stop()
    key = mesh.state / "ca/root-key.pem"
    key.write_bytes(key.read_bytes()[:100])
    up_says(mesh, f"{key}: ", "restore it from a backup")


def test_a_key_of_the_authority_that_is_truncated_while_the_mesh_runs_is_told_and_nothing_changes(mesh):
    key = mesh.state / "ca/root-key.pem"
    whole = key.read_bytes()
    roots = mesh.roots("client")
    os.truncate(key, 100)
    said(mesh, f"{key}: ", "the mesh goes on with the authority that plaitd has read before", "restore it from a backup")
    assert any(str(key) in message for message in mesh.status()["messages"])
    check = mesh.named("check", check=False)
    assert check.returncode == 1 and str(key) in check.stdout, check
    rotated = mesh.plait("cert", "rotate", "--mesh", mesh.name, "--anchor", check=False)
    assert rotated.returncode == 1 and f"{key}: " in rotated.stderr and "nothing was changed" in rotated.stderr, rotated
    key.write_bytes(whole)
    said(mesh, "mended: ", f"{key}: ")
    until(lambda: not any(str(key) in message for message in mesh.status()["messages"]), 5, "nothing is wrong")
    assert mesh.roots("client") == roots and status_of(mesh) == {"200": 1}


def test_what_is_not_ready_is_told_to_whoever_waits_and_goes_on_in_the_background(folder):
    mesh = echo_mesh(folder, "goes-on")
    mesh.stop()
    key = mesh.state / "ca/root-key.pem"
    os.truncate(key, 0)
    up = mesh.named("up", str(mesh.directory), "--port", "0", "--detach", "--timeout", "3", check=False)
    try:
        assert up.returncode == 1, up
        *before, closing = up.stderr.splitlines()
        assert closing.endswith("not ready after 3 s; it goes on: plait status --name goes-on, plait down --name goes-on"), up.stderr
        assert sum(f"{key}: " in line for line in before) == 2, up.stderr  # when it came, and as the reason
        assert mesh.status()["state"] == "starting"
    finally:
        mesh.named("down", check=False)
    nothing_runs(found=lambda: leftovers_of(mesh))


def test_a_full_disk_is_told_by_plait_up(folder):
    directory = folder / "full"
    directory.mkdir()
    mesh = Mesh(folder, directory, name="full")
    state = mesh.state
    # A small file system in the place of the state directory, with nothing left; mounted as a root that `plait` shall not be.
    fill = f"{{ head -c 1000000 /dev/zero > {state}/fill 2>&- || true; }}"
    script = f"mkdir -p {state} && mount -t tmpfs -o size=8k tmpfs {state} && {fill} && exec unshare --map-user=1000 --map-group=1000 \"$@\""
    up_says(mesh, f"{state}/ca/root-key.pem: cannot be written: No space left on device", "is the disk full",
            prefix=["unshare", "--map-root-user", "--mount", "sh", "-c", script, "sh"])


@pytest.mark.parametrize("place", ["/sys/plait-state", "file/state"], ids=["read-only", "below a file"])
def test_a_state_directory_that_cannot_be_made_is_told_by_plait_up(folder, place):
    directory = folder / "no-state"
    directory.mkdir(exist_ok=True)
    (folder / "file").touch()
    mesh = Mesh(folder, directory, name="no-state")
    state = str(folder / place)
    mesh.env["PLAIT_STATE_DIR"] = state
    result = mesh.named("up", str(directory), check=False)
    assert result.returncode == 1 and f"cannot make the folder {state}" in result.stderr and "try: " in result.stderr, result.stderr
    assert not leftovers_of(mesh)
