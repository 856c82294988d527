"""`plait explain`: what it says is what happens, live and from a directory."""
import json
import os
import shlex
import subprocess

import pytest

import manifests as m
from certificates import self_signed, shared_folder
from mesh import SAMPLES, TEST_UID, Mesh, copy_sample, until
from test_gateway_tls import TLS_SERVER, secret


def chown(path):
    if os.geteuid() == 0:
        os.chown(path, TEST_UID, TEST_UID)


@pytest.fixture(scope="module")
def used(bookinfo):
    until(lambda: bookinfo.get("/productpage")[0] == 200, 10, "the page is there")
    return bookinfo


def explain(mesh, *arguments, code=0):
    result = mesh.named("explain", *arguments, "-o", "json", check=False)
    assert result.returncode == code, result.stdout + result.stderr
    return json.loads(result.stdout)


def steps(answer, name):
    return [step for step in answer["steps"] if step["step"] == name]


def test_a_request_is_followed_from_the_client_to_the_application(used):
    answer = explain(used, "productpage-v1", "reviews", "GET", "/reviews/0")
    assert answer["forwarded"] and [step["passes"] for step in answer["steps"]].count(False) == 0
    [route] = steps(answer, "route")[:1]
    assert route["decidedBy"].startswith("VirtualService default/reviews (") and "reviews-split.yaml:" in route["decidedBy"]
    assert "(80 %)" in route["text"] and "(20 %)" in route["text"]
    assert "spiffe://cluster.local/ns/default/sa/bookinfo-reviews" in steps(answer, "tls")[0]["text"]
    assert "STRICT" in steps(answer, "admission")[0]["text"]
    assert steps(answer, "application")


def test_a_denial_is_explained_as_it_happens(used):
    assert used.exec("reviews-v1", "curl", "-s", "http://details:9080/details/0").stdout == "RBAC: access denied"
    answer = explain(used, "reviews-v1", "details:9080", "GET", "/details/0", code=1)
    assert answer["verdict"]["status"] == 403
    assert answer["verdict"]["details"] == "rbac_access_denied_matched_policy[none]"
    [miss] = steps(answer, "authorization")[-1]["misses"]
    assert "AuthorizationPolicy default/details-viewer" in miss and "policy.yaml:" in miss
    assert "principal must be spiffe://cluster.local/ns/default/sa/bookinfo-productpage" in miss
    assert miss.endswith("but is spiffe://cluster.local/ns/default/sa/bookinfo-reviews")
    # Another field of the same rule.
    [miss] = steps(explain(used, "productpage-v1", "details", "POST", "/details/0", code=1), "authorization")[-1]["misses"]
    assert miss.endswith("method must be GET, but is POST")


def test_what_has_no_route_no_endpoint_or_no_place_in_the_mesh(used):
    outside = explain(used, "productpage-v1", "192.0.2.1", "GET", "http://example.com/")
    assert "not in the mesh" in steps(outside, "destination")[0]["text"] and outside["forwarded"]
    assert used.named("explain", "productpage-v1", "10.96.255.254", check=False).returncode in (0, 1)
    unknown = used.named("explain", "nobody", "reviews", check=False)
    assert unknown.returncode == 1 and "there is no workload" in unknown.stderr and "try:" in unknown.stderr


def test_the_gateway_explains_what_a_browser_asks(used):
    answer = explain(used, "istio-ingressgateway.istio-system", "localhost", "GET", "/productpage")
    assert "productpage" in steps(answer, "endpoint")[0]["text"] and answer["forwarded"]
    assert answer["steps"][0]["step"] == "capture" and "a gateway" in answer["steps"][0]["text"]


def test_the_edit_of_a_policy_changes_the_answer(used):
    policy = used.directory / "policy.yaml"
    text = policy.read_text()
    policy.write_text(text.replace("sa/bookinfo-productpage", "sa/bookinfo-reviews", 1))
    try:
        until(lambda: explain(used, "reviews-v1", "details:9080", "/details/0")["forwarded"], 10, "it is let in")
    finally:
        policy.write_text(text)
    until(lambda: explain(used, "reviews-v1", "details:9080", "/details/0", code=1), 10, "it is denied again")


def test_a_directory_that_nobody_runs_gives_the_same_answers(used, folder):
    nobody = Mesh(folder, folder, name="nobody")
    for question, code in ((["productpage-v1", "reviews", "GET", "/reviews/0"], 0),
                           (["reviews-v1", "details:9080", "GET", "/details/0"], 1)):
        live = explain(used, *question, code=code)
        saved = explain(nobody, "-f", str(SAMPLES / "bookinfo"), *question, code=code)
        assert [(s["step"], s["passes"]) for s in live["steps"]] == [(s["step"], s["passes"]) for s in saved["steps"]]
        assert live["verdict"] == saved["verdict"]
    missing = nobody.named("explain", "-f", str(SAMPLES / "bookinfo"), "nobody", "reviews", check=False)
    assert missing.returncode == 1 and "there is no workload" in missing.stderr
    assert nobody.named("explain", "-f", "/nowhere", "a", "b", check=False).returncode == 2


def test_a_name_without_an_address_is_not_said_to_be_reached(used):
    for question in (["nosuchhost", "GET", "/"], ["http://nosuchhost/"]):
        answer = explain(used, "productpage-v1", *question, code=1)
        assert answer["forwarded"] is None and answer["result"].startswith("unknown")
        [destination] = steps(answer, "destination")
        assert destination["passes"] is None and "nosuchhost is no name of the mesh" in destination["text"]
        assert "getent hosts nosuchhost" in destination["text"] and "0.0.0.0" not in json.dumps(answer)
    assert used.exec("productpage-v1", "curl", "-s", "http://nosuchhost/", check=False).returncode == 6  # cannot resolve
    ours = explain(used, "productpage-v1", "gone.default.svc.cluster.local", code=1)
    assert ours["forwarded"] is False and [s["step"] for s in ours["steps"]] == ["destination"]
    assert "gone.default.svc.cluster.local has no address" in ours["steps"][0]["text"]


def curl(mesh, client, url, *options):
    """The status of a request of this workload's application; 000: no answer."""
    return mesh.exec(client, "curl", "-s", "-o", "/dev/null", "-m", "5", "-w", "%{http_code}", *options, url, check=False).stdout


def test_the_host_header_leads_where_it_leads_a_request(used):
    url, header = "http://details:9080/details/0", ["-H", "Host: ratings"]
    answer = explain(used, "productpage-v1", "details", "GET", "/details/0", *header, code=1)
    assert curl(used, "productpage-v1", url, *header) == "403" == str(answer["verdict"]["status"])
    assert "ratings" in steps(answer, "endpoint")[0]["text"]
    two = used.named("explain", "productpage-v1", url, *header, check=False)
    assert two.returncode == 2 and "names another host than details:9080" in two.stderr, two.stderr
    [again] = [line for line in two.stderr.splitlines() if "with that Host: " in line]
    words = shlex.split(again.split("with that Host: ")[1])
    assert words[:3] == ["details:9080", "GET", "/details/0"]
    assert explain(used, "productpage-v1", *words, code=1)["verdict"] == answer["verdict"]


def test_a_workloads_own_loopback_is_past_its_proxy(used, folder):
    nobody = Mesh(folder, folder, name="nobody")
    for host in ("127.0.0.1", "[::1]", "localhost"):
        answer = explain(used, "productpage-v1", f"{host}:9080", "GET", "/productpage")
        real = curl(used, "productpage-v1", f"http://{host}:9080/productpage")
        assert answer["forwarded"] and (real == "200" or host != "127.0.0.1"), (host, real)  # it may listen at IPv4 only
        assert ["capture", "application"] == [step["step"] for step in answer["steps"]]
        assert "goes past the proxy" in answer["steps"][0]["text"] and "own application on port 9080" in answer["steps"][1]["text"]
        assert answer["steps"] == explain(nobody, "-f", str(SAMPLES / "bookinfo"), "productpage-v1", f"{host}:9080")["steps"]
    undeclared = explain(used, "productpage-v1", "localhost:9081", code=1)
    assert undeclared["forwarded"] is None and "declares port 9081 (there is 9080)" in undeclared["steps"][-1]["text"]
    assert curl(used, "productpage-v1", "http://localhost:9081/") == "000"
    refused = explain(used, "productpage-v1", "127.0.0.1:15001", code=1)
    assert refused["result"].startswith("no connection") and curl(used, "productpage-v1", "http://127.0.0.1:15001/") == "000"
    assert explain(used, "productpage-v1", "127.0.0.1:53", code=1)["forwarded"] is False
    assert curl(used, "productpage-v1", "http://127.0.0.1:53/") == "000"


def test_a_workload_is_asked_at_the_port_that_it_declares(used, folder):
    nobody = Mesh(folder, folder, name="nobody")
    directory = ["-f", str(SAMPLES / "bookinfo")]
    for mesh, words in ((used, []), (nobody, directory)):
        answer = explain(mesh, *words, "productpage-v1", "details-v1")
        assert answer["steps"][-1]["text"] == "the application on port 9080" and answer["forwarded"]
        other = explain(mesh, *words, "productpage-v1", "details-v1:80", code=1)
        assert other["forwarded"] is None and other["result"] == "unknown: forwarded if step application passes"
        assert "no container of details-v1-0.default declares port 80 (there is 9080)" in other["steps"][-1]["text"]
    ip = next(w["ip"] for w in used.status()["workloads"] if w["name"] == "details-v1-0")
    assert curl(used, "productpage-v1", f"http://{ip}:80/") == "503"
    assert "! application" in used.named("explain", "productpage-v1", "details-v1:80", check=False).stdout


def test_a_url_is_a_destination_and_a_wrong_word_is_named(used):
    by_url = explain(used, "productpage-v1", "http://reviews:9080/reviews/0")
    assert by_url["steps"] == explain(used, "productpage-v1", "reviews:9080", "GET", "/reviews/0")["steps"]
    for words, part in ((["details:99999"], 'TO "details:99999"'), (["details", "-H", "bad"], '-H "bad"'),
                        (["ftp://details/"], "ftp://"), (["details", "reviews/0"], 'METHOD "reviews/0"')):
        result = used.named("explain", "productpage-v1", *words, check=False)
        assert result.returncode == 2 and part in result.stderr and "try:" in result.stderr, result.stderr


# -- files that cannot be read ----------------------------------------------

def closed(path):
    path.mkdir()
    chown(path)
    path.chmod(0)


def big(path):
    with path.open("wb") as file:
        file.truncate(105 << 20)


@pytest.mark.parametrize("name, make, says", [
    ("broken.yaml", lambda path: path.write_text("kind: ConfigMap\ndata: ["), "broken.yaml:3:1"),
    ("routes.yaml", lambda path: path.write_text(path.read_text().replace("subset:", "subsett:", 1)), "subsett"),
    ("big.yaml", big, "big.yaml"),
    ("latin.yaml", lambda path: path.write_bytes(b"kind: Service\nmetadata: {name: caf\xe9}\n"), "latin.yaml:2"),
    ("circle.yaml", lambda path: path.symlink_to(path), "circle.yaml"),
    ("closed", closed, "closed"),
], ids=["broken", "unknown-field", "105-MB", "not-UTF-8", "circle-of-links", "closed-folder"])
def test_what_cannot_be_read_of_a_directory_is_told_beside_the_answer(folder, request, name, make, says):
    directory = copy_sample(folder, into=f"bad-{request.node.callspec.id}")
    path = directory / ("reviews-split.yaml" if name == "routes.yaml" else name)
    make(path)
    nobody = Mesh(folder, folder, name="nobody")
    try:
        question = ["explain", "-f", str(directory), "productpage-v1", "details", "GET", "/details/0"]
        result = nobody.named(*question, "-o", "json", check=False)
        assert result.returncode == 4, result.stderr
        answer = json.loads(result.stdout)
        assert any(says in problem["text"] and problem["severity"] == "error" for problem in answer["problems"]), answer["problems"]
        assert says in result.stderr and path.name in result.stderr and answer["forwarded"]
        text = nobody.named(*question, check=False)
        assert text.returncode == 4 and says in text.stderr and "result: forwarded" in text.stdout
        # What was asked for may stand in the file that cannot be read.
        missing = nobody.named("explain", "-f", str(directory), "nobody", "details", check=False)
        assert missing.returncode == 4 and says in missing.stderr and "there is no workload" in missing.stderr
    finally:
        if name == "closed":
            path.chmod(0o700)


def test_a_policy_of_a_directory_that_cannot_be_read_denies_as_it_would_in_a_mesh(folder):
    directory = copy_sample(folder, into="bad-policy")
    (directory / "policy.yaml").write_text("apiVersion: security.istio.io/v1\nkind: [")
    nobody = Mesh(folder, folder, name="nobody")
    result = nobody.named("explain", "-f", str(directory), "productpage-v1", "details", "GET", "/details/0", check=False)
    assert result.returncode == 4 and "policy.yaml:3:1" in result.stderr, result.stderr
    place = directory / "policy.yaml"
    assert f"result: 403 rbac_access_denied_matched_policy[invalid_policy[default/{place}:1:1]]" in result.stdout, result.stdout
    assert f"AuthorizationPolicy default/{place}:1:1 ({place}:1)" in result.stdout, result.stdout


def test_a_directory_needs_no_program_for_its_images(folder):
    directory = copy_sample(folder, into="images-only")
    (directory / "local.yaml").unlink()
    nobody = Mesh(folder, folder, name="nobody")
    for question, code in ((["productpage-v1", "reviews", "GET", "/reviews/0"], 0), (["reviews-v1", "details:9080"], 1)):
        known = explain(nobody, "-f", str(SAMPLES / "bookinfo"), *question, code=code)
        assert explain(nobody, "-f", str(directory), *question, code=code)["verdict"] == known["verdict"]


def test_each_pod_of_a_directorys_stateful_set_runs(folder):
    directory = folder / "kinds"
    directory.mkdir()
    container = {"name": "app", "image": "none", "ports": [{"containerPort": 8000}]}
    m.write(directory / "mesh.yaml", m.service("db", {"http": 8000}, headless=True), m.deployment("client", [m.APP, "client"]),
            m.document("StatefulSet", "db", {"serviceName": "db", "replicas": 3, "selector": {"matchLabels": {"app": "db"}}, "template": {
                "metadata": {"labels": {"app": "db"}}, "spec": {"containers": [container]}}}, "apps/v1"))
    nobody = Mesh(folder, folder, name="nobody")
    for n in range(3):
        answer = explain(nobody, "-f", str(directory), "client", f"db-{n}.db:8000")
        assert answer["forwarded"] and answer["steps"][-1]["workload"] == f"db-{n}.default"
        assert explain(nobody, "-f", str(directory), f"db-{n}", "db")["forwarded"]
    assert "(3 of 3 healthy)" in steps(answer, "endpoint")[0]["text"]


def test_the_address_of_a_name_of_elsewhere_is_not_known_of_a_directory(folder):
    directory = folder / "names"
    directory.mkdir()
    port = {"number": 80, "name": "http", "protocol": "HTTP"}

    def entry(name, resolution, *endpoints):
        return m.document("ServiceEntry", name, {"hosts": [f"{name}.example"], "resolution": resolution, "ports": [port],
                                                 "endpoints": [{"address": one} for one in endpoints]}, "networking.istio.io/v1")
    m.write(directory / "mesh.yaml", m.deployment("client", [m.APP, "client"]), entry("host", "DNS"), entry("named", "DNS", "one.example"),
            entry("round", "DNS_ROUND_ROBIN"), entry("fixed", "DNS", "192.0.2.7"),
            m.document("Service", "outside", {"type": "ExternalName", "externalName": "api.example", "ports": [{"name": "http", "port": 80}]}))
    nobody = Mesh(folder, folder, name="nobody")
    for to, name in (("host.example", "host.example"), ("named.example", "one.example"), ("round.example", "round.example"),
                     ("outside", "api.example")):
        answer = explain(nobody, "-f", str(directory), "client", to, code=1)
        assert answer["forwarded"] is None and answer["result"] == "unknown: forwarded if step endpoint passes", answer
        assert f"for example {name} port 80" in steps(answer, "endpoint")[0]["text"] and "0.0.0.0" not in json.dumps(answer["steps"][1:])
    assert explain(nobody, "-f", str(directory), "client", "fixed.example")["forwarded"]


# -- capture ----------------------------------------------------------------

TRAFFIC = "traffic.sidecar.istio.io/"


@pytest.fixture(scope="module")
def capture(folder):
    """Workloads whose annotations leave port 8000 out, on either side."""
    directory = folder / "capture"
    directory.mkdir()

    def server(name, **annotations):
        marks = {TRAFFIC + key: value for key, value in annotations.items()}
        return [m.deployment(name, [m.APP, "echo", "--port", "8000"], ports=[8000], annotations=marks), m.service(name, {"http": 8000})]

    def led_to(app, name, ports):
        ports = [{"name": f"http-{port}", "port": port, "targetPort": target} for port, target in ports.items()]
        return m.document("Service", name, {"selector": {"app": app}, "ports": ports})
    m.write(directory / "mesh.yaml",
            *server("strict"), *server("open"), *server("bare", excludeInboundPorts="8000"),
            m.peer_authentication("PERMISSIVE", "open", selector={"matchLabels": {"app": "open"}}),
            led_to("open", "odd", {53: 8000, 80: 15006, 15006: 8000}),
            m.deployment("client", [m.APP, "client"]),
            m.deployment("past", [m.APP, "client"], annotations={TRAFFIC + "excludeOutboundPorts": "53,8000,15000,15006,15021"}))
    mesh = Mesh(folder, directory, name="capture").start()
    yield mesh
    mesh.stop()


@pytest.mark.parametrize("client, server, to_pod, taken, refused_at", [
    ("client", "strict", False, [True, True], None),
    ("past", "strict", False, [False, True], "admission"),
    ("past", "open", False, [False, True], None),
    ("past", "bare", False, [False, False], None),
    ("past", "strict", True, [False, True], "admission"),
    ("past", "open", True, [False, True], None),
    ("client", "bare", False, [True, False], "application"),  # mutual TLS that nobody ends
    ("past", "bare", True, [False, False], None),
])
def test_what_goes_past_a_proxy_is_explained_as_it_happens(capture, client, server, to_pod, taken, refused_at):
    pod = next(w for w in capture.status()["workloads"] if w["name"] == f"{server}-0")
    question = [client, f"{server}-0:8000" if to_pod else f"{server}:8000", "GET", "/"]
    url = f"http://{pod['ip'] if to_pod else server}:8000/"
    real = curl(capture, client, url)
    live = explain(capture, *question, code=0 if refused_at is None else 1)
    assert (real == "200") == live["forwarded"], (real, live)
    assert real == str(live["verdict"].get("status") or {True: 200, False: "000"}[live["forwarded"]])
    captures = steps(live, "capture")
    assert [("is taken to the proxy" in step["text"]) for step in captures] == taken and live["steps"][0] == captures[0]
    for step in captures:
        assert "is taken" in step["text"] or "port 8000 is one of traffic.sidecar.istio.io/exclude" in step["text"]
    assert [step["step"] for step in live["steps"] if not step["passes"]] == ([refused_at] if refused_at else [])
    if not taken[0]:
        assert not steps(live, "tls") and not steps(live, "route")[:1 if len(taken) == 1 else 0]
    saved = explain(Mesh(capture.folder, capture.folder, name="nobody"), "-f", str(capture.directory), *question,
                    code=0 if refused_at is None else 1)
    assert [(s["step"], s["passes"]) for s in live["steps"]] == [(s["step"], s["passes"]) for s in saved["steps"]]


# One question over TCP to a name server; says how long the answer is.
ASK_OVER_TCP = r"""
import socket, struct, sys
with socket.create_connection((sys.argv[1], 53), 5) as one:
    question = struct.pack("!6H", 7, 0x100, 1, 0, 0, 0) + b"\4open\7default\3svc\7cluster\5local\0" + struct.pack("!2H", 1, 1)
    one.sendall(struct.pack("!H", len(question)) + question)
    print(struct.unpack("!H", one.recv(2))[0])
"""


@pytest.mark.parametrize("client, to, real, refused_at, details", [
    # Every connection to port 53 is the proxy's, even where an annotation excludes the port.
    ("client", "odd:53", "000", "application", "dns_port"),
    ("client", "open-0:53", "000", "application", "dns_port"),
    ("past", "open-0:53", "000", "application", "dns_port"),
    ("client", "192.0.2.1:53", "000", "application", "dns_port"),
    # Nobody reaches a port that capture leads to by its number. A Service may have it.
    ("client", "open-0:15006", "503", "capture", "capture_port"),
    ("client", "open-0:15001", "503", "capture", "capture_port"),
    ("past", "open-0:15006", "000", "capture", "capture_port"),
    ("open", "open-0:15006", "000", "capture", "capture_port"),
    ("client", "odd:80", "503", "capture", "capture_port"),
    ("client", "odd:15006", "200", None, None),
    # The proxy's own: at its loopback only, and for everybody.
    ("client", "open-0:15000", "503", "application", "proxy_port"),
    ("past", "open-0:15000", "503", "application", "proxy_port"),
    ("past", "strict-0:15000", "000", "admission", "plaintext_refused_by_strict_mutual_tls"),
    ("client", "open-0:15053", "503", "application", "proxy_port"),
    ("past", "strict-0:15021", "200", None, None),
    ("client", "open-0:15021", "503", "application", "no_mutual_tls_past_the_proxy"),
    # Of a workload to itself: its proxy takes what is excluded, too.
    ("open", "open-0:15021", "200", None, None),
    ("open", "open-0:15000", "503", "application", "proxy_port"),
    ("bare", "bare-0:8000", "200", None, None),
])
def test_ports_of_the_proxy_and_of_dns_are_explained_as_they_are(capture, client, to, real, refused_at, details):
    host, port = to.split(":")
    address = {w["name"]: w["ip"] for w in capture.status()["workloads"]}.get(host, host)
    path = "/healthz/ready" if port == "15021" else "/"
    assert curl(capture, client, f"http://{address}:{port}{path}", "-m", "2") == real
    live = explain(capture, client, to, "GET", path, code=0 if refused_at is None else 1)
    assert live["forwarded"] == (real == "200"), live
    assert str(live["verdict"].get("status") or {True: 200, False: "000"}[live["forwarded"]]) == real
    assert (live["verdict"].get("details") or None) == details
    assert [step["step"] for step in live["steps"] if step["passes"] is not True] == ([refused_at] if refused_at else [])
    saved = explain(Mesh(capture.folder, capture.folder, name="nobody"), "-f", str(capture.directory), client, to, "GET", path,
                    code=0 if refused_at is None else 1)
    assert [(s["step"], s["passes"]) for s in live["steps"]] == [(s["step"], s["passes"]) for s in saved["steps"]]
    assert live["verdict"] == saved["verdict"]


def test_the_dns_of_the_proxy_answers_in_the_place_of_another_name_server(capture):
    pod = next(w for w in capture.status()["workloads"] if w["name"] == "open-0")
    for address, to in ((pod["ip"], "open-0:53"), ("192.0.2.1", "192.0.2.1:53")):
        assert int(capture.exec("client", "python3", "-c", ASK_OVER_TCP, address).stdout) > 12  # a header and more
        answer = explain(capture, "client", to, "--tcp", code=1)
        assert answer["forwarded"] is False and answer["result"] == "answered by the DNS of the proxy"
        [taken, application] = answer["steps"]
        assert taken["step"] == "capture" and "taken to the DNS of the proxy" in taken["text"]
        assert "another port than 53" in application["text"]


def test_a_pod_that_is_not_ready_is_not_said_to_answer(capture):
    never = {"exec": {"command": ["false"]}, "periodSeconds": 1}
    m.write(capture.directory / "late.yaml",
            m.deployment("late", [m.APP, "echo", "--port", "8000"], ports=[8000], probe=never),
            m.deployment("crash", ["sh", "-c", "exit 3"], ports=[8000]))
    try:
        for name in ("late", "crash"):
            until(lambda name=name: [w for w in capture.status()["workloads"] if w["name"] == f"{name}-0" and w["reason"]], 10, "it is there")
            until(lambda name=name: "is not ready" in capture.named("explain", "client", f"{name}-0", check=False).stdout, 10, "it is known")
            answer = explain(capture, "client", f"{name}-0", code=1)
            last = answer["steps"][-1]
            assert answer["forwarded"] is None and answer["result"] == "unknown: forwarded if step application passes"
            assert last["passes"] is None and f"{name}-0.default is not ready (" in last["text"]
            assert f"plait logs --name {capture.name} {name}-0.default" in last["text"]
    finally:
        (capture.directory / "late.yaml").unlink()


def test_a_workload_without_a_proxy_is_asked_at_its_port_too(capture):
    m.write(capture.directory / "plain.yaml",
            m.deployment("plain", [m.APP, "echo", "--port", "8000"], ports=[8000], inject=False))
    try:
        until(lambda: [w for w in capture.status()["workloads"] if w["name"] == "plain-0" and w["ready"]], 10, "it is there")
        until(lambda: "has no proxy" in capture.named("explain", "client", "plain-0", check=False).stdout, 10, "it is known")
        nobody = Mesh(capture.folder, capture.folder, name="nobody")
        for mesh, words in ((capture, []), (nobody, ["-f", str(capture.directory)])):
            assert ":8000 plain-0.default" in json.dumps(explain(mesh, *words, "client", "plain-0"))
            last = explain(mesh, *words, "client", "plain-0:81", code=1)["steps"][-1]
            assert last["passes"] is None and "declares port 81 (there is 8000)" in last["text"]
    finally:
        (capture.directory / "plain.yaml").unlink()


# -- gateways ---------------------------------------------------------------


@pytest.fixture(scope="module")
def edge(folder):
    """Applications behind a gateway, which clients in the mesh reach by a Service."""
    directory = folder / "edge"
    directory.mkdir()
    echo = [m.APP, "echo", "--port", "8000"]
    gateway_ports = {"selector": {"istio": "ingressgateway"}, "ports": [{"name": "http", "port": 80}, {"name": "https", "port": 8443}]}
    with shared_folder() as shared:
        pem = self_signed(shared, "somebody", ["site.example", "pass.example", "shut.example", "open.example"])
        site = secret("site", (pem, pem))
        env = [{"name": key, "value": pem.read_text()} for key in ("CERT", "KEY")]

    def own_tls(name):
        app = m.deployment(name, ["python3", "-c", TLS_SERVER], ports=[8443], probe={"tcpSocket": {"port": 8443}, "periodSeconds": 1})
        app["spec"]["template"]["spec"]["containers"][0]["env"] = env
        return app, m.service(name, {"tls": 8443})
    outside = {"resolution": "STATIC", "location": "MESH_EXTERNAL", "endpoints": [{"address": "192.0.2.7"}],
               "ports": [{"number": 443, "name": "tls", "protocol": "TLS"}]}

    def by_name(host, gateway, port, to):
        return m.virtual_service(host.replace(".", "-"), {"hosts": [host], "gateways": [gateway], "tls": [
            {"match": [{"port": port, "sniHosts": [host]}], "route": [{"destination": {"host": to, "port": {"number": 8443}}}]}]})
    m.write(directory / "mesh.yaml", site, *own_tls("open"), *own_tls("shut"),
            m.document("ServiceEntry", "outside", {"hosts": ["shut.example", "open.example"], **outside}, "networking.istio.io/v1"),
            by_name("shut.example", "mesh", 443, "shut"), by_name("open.example", "mesh", 443, "open"),
            by_name("pass.example", "istio-system/edge", 8443, "open"),
            m.authorization("shut", {"selector": {"matchLabels": {"app": "shut"}}, "action": "DENY", "rules": [
                {"to": [{"operation": {"ports": ["8443"]}}]}]}),
            m.deployment("client", [m.APP, "client"]), m.deployment("shop", echo, ports=[8000]), m.service("shop", {"http": 8000}),
            m.document("Service", "gwsvc", gateway_ports, namespace="istio-system"),
            m.gateway("edge", m.server(80, "HTTP", "*"), m.server(8443, "HTTPS", "site.example", mode="SIMPLE", credentialName="site"),
                      m.server(8443, "HTTPS", "gone.example", mode="SIMPLE", credentialName="gone"),
                      m.server(8443, "TLS", "pass.example", mode="PASSTHROUGH")),
            m.virtual_service("shop", {
                "hosts": ["shop.example", "site.example", "gone.example"], "gateways": ["istio-system/edge"],
                "http": [{"rewrite": {"uri": "/inner"}, "match": [{"uri": {"prefix": "/rewritten"}}],
                          "route": [{"destination": {"host": "shop", "port": {"number": 8000}}}]},
                         {"route": [{"destination": {"host": "shop", "port": {"number": 8000}}}]}]}),
            m.virtual_service("round", {"hosts": ["round.example"], "gateways": ["istio-system/edge"], "http": [
                {"route": [{"destination": {"host": "gwsvc.istio-system.svc.cluster.local", "port": {"number": 80}}}]}]}),
            m.authorization("no-admin", {"selector": {"matchLabels": {"app": "shop"}}, "action": "DENY", "rules": [
                {"to": [{"operation": {"paths": ["/admin/*"]}}]}]}))
    mesh = Mesh(folder, directory, name="edge").start()
    yield mesh
    mesh.stop()


def as_saved(mesh, live, *question, code=0):
    """What `-f` says of the directory of `mesh`; the same as `live`, step by step."""
    saved = explain(Mesh(mesh.folder, mesh.folder, name="nobody"), "-f", str(mesh.directory), *question, code=code)
    assert [(s["workload"], s["step"], s["passes"]) for s in saved["steps"]] == [(s["workload"], s["step"], s["passes"]) for s in live["steps"]]
    assert live["verdict"] == saved["verdict"]
    return saved


@pytest.mark.parametrize("method, path, status", [("POST", "/admin/x", 403), ("GET", "/x", 200), ("GET", "/rewritten/admin/x", 200)])
def test_a_request_is_followed_through_a_gateway_to_the_application(edge, method, path, status):
    real = curl(edge, "client", f"http://gwsvc.istio-system{path}", "-X", method, "-H", "Host: shop.example")
    assert real == str(status)
    question = ["client", "gwsvc.istio-system", method, path, "-H", "Host: shop.example"]
    live = explain(edge, *question, code=0 if status == 200 else 1)
    assert live["forwarded"] == (status == 200) and live["verdict"]["status"] == (status if status != 200 else 0)
    sides = list(dict.fromkeys(step["workload"] for step in live["steps"]))
    assert sides == ["client-0.default", "istio-ingressgateway-0.istio-system", "shop-0.default"]
    last = live["steps"][-1]
    assert last["step"] == ("application" if status == 200 else "authorization")
    if status == 403:
        assert last["decidedBy"].startswith("AuthorizationPolicy default/no-admin (")
    as_saved(edge, live, *question, code=0 if status == 200 else 1)


def test_gateways_that_lead_to_each_other_are_not_followed_for_ever(edge):
    question = ["client", "gwsvc.istio-system", "GET", "/", "-H", "Host: round.example"]
    live = explain(edge, *question, code=1)
    assert live["forwarded"] is None and live["steps"][-1]["passes"] is None and "for ever" in live["steps"][-1]["text"]
    as_saved(edge, live, *question, code=1)


GATEWAY = "istio-ingressgateway.istio-system"


def curl_gateway(mesh, host, path):
    """The status of a request to its port for TLS; 000: no answer."""
    port = mesh.gateway_ports()[8443]
    return subprocess.run(["curl", "-sk", "-m", "5", "-o", "/dev/null", "-w", "%{http_code}", "--http1.1", "--resolve", f"{host}:{port}:127.0.0.1",
                           f"https://{host}:{port}{path}"], capture_output=True, text=True, check=False).stdout


@pytest.mark.parametrize("words, host, path, status, says", [
    (["site.example:8443", "GET", "/x"], "site.example", "/x", "200", "server name site.example, that of the host that is asked for"),
    (["https://site.example:8443/x"], "site.example", "/x", "200", "TLS with server name site.example ends here"),
    (["https://site.example:8443/admin/x"], "site.example", "/admin/x", "403", "ends here"),
    (["gone.example:8443"], "gone.example", "/", "000", "ends TLS with the Secret gone, which this gateway does not have"),
    (["pass.example:8443", "--tcp"], "pass.example", "/", "200", "server name pass.example, that of the host that is asked for"),
    (["https://pass.example:8443/"], "pass.example", "/", "200", "TLS with server name pass.example is passed on as it is"),
    (["other.example:8443"], "other.example", "/", "000", "it takes TLS for gone.example, pass.example, site.example"),
])
def test_ports_of_a_gateway_for_tls_are_explained_as_they_answer(edge, words, host, path, status, says):
    assert curl_gateway(edge, host, path) == status
    code = 0 if status == "200" else 1
    live = explain(edge, GATEWAY, *words, code=code)
    assert live["forwarded"] == (status == "200") and live["verdict"].get("status", 0) == {"403": 403}.get(status, 0)
    assert says in steps(live, "tls")[0]["text"], live
    if status != "000":
        assert live["steps"][-1]["workload"] == ("open-0.default" if host == "pass.example" else "shop-0.default")
    as_saved(edge, live, GATEWAY, *words, code=code)


def test_a_port_that_no_listener_has_is_named_with_each_that_there_is(edge):
    refused = edge.named("explain", GATEWAY, "site.example:444", check=False)
    assert refused.returncode != 0 and "no listener takes port 444" in refused.stderr and "it listens on 80, 8443" in refused.stderr


@pytest.mark.parametrize("words, url, real, last", [
    (["https://open.example/"], "https://open.example/", "200", "open-0.default"),
    (["https://shut.example/"], "https://shut.example/", "000", "shut-0.default"),
    (["shut.example:443", "--tcp"], "https://shut.example/", "000", "shut-0.default"),  # its port declares TLS
    (["open.example:443", "--tcp", "--sni", "open.example"], "https://open.example/", "200", "open-0.default"),
    (["gwsvc.istio-system", "https://site.example:8443/x"], "https://site.example:8443/x", "200", "shop-0.default"),
    (["gwsvc.istio-system", "https://site.example:8443/admin/x"], "https://site.example:8443/admin/x", "403", "shop-0.default"),
    (["gwsvc.istio-system:8443", "--sni", "pass.example"], "https://pass.example:8443/", "200", "open-0.default"),
    (["gwsvc.istio-system", "https://site.example:80/x"], "https://site.example:80/x", "000", "istio-ingressgateway-0.istio-system"),
])
def test_tls_of_an_application_is_led_by_its_server_name(edge, words, url, real, last):
    host, _, port = url.split("/")[2].partition(":")
    led = ["--connect-to", f"{host}:{port}:gwsvc.istio-system:{port}"] if port else []
    assert curl(edge, "client", url, "-k", "--http1.1", *led) == real
    code = 0 if real == "200" else 1
    live = explain(edge, "client", *words, code=code)
    assert live["forwarded"] == (real == "200") and live["steps"][-1]["workload"] == last, live
    assert live["verdict"].get("status", 0) == {"403": 403}.get(real, 0)
    if last == "shut-0.default":
        assert live["steps"][-1]["decidedBy"].startswith("AuthorizationPolicy default/shut (")
    if words[-1] == "--tcp":
        assert "server name shut.example, that of the host that is asked for (--sni says another)" in steps(live, "protocol")[0]["text"]
    as_saved(edge, live, "client", *words, code=code)
