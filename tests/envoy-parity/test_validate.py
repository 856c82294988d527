"""How both programs take their configuration: --mode validate, --config-yaml alone and over -c, --service-node and
--service-cluster. Envoy runs beside plait-proxy, so that both say the same."""
import contextlib
import json
import pathlib
import re
import socket
import string
import subprocess
import time
import urllib.request

import pytest

import certs
import proxies

CASES = sorted((pathlib.Path(__file__).parent / "cases").glob("*.yaml"))
BOTH = pytest.mark.parametrize("kind", ["envoy", "plait"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("validate")
    certs.make(path)
    return path


def command(kind, *options):
    if kind == "envoy":
        return [proxies.envoy_binary(), "--concurrency", "1", "--disable-hot-restart", "-l", "warning", *options]
    return [proxies.plait_binary(), "--concurrency", "1", "--log-level", "warning", *options]


def validate(kind, *options):
    return subprocess.run(command(kind, "--mode", "validate", *options), capture_output=True, text=True, check=False, timeout=60)


@contextlib.contextmanager
def taken():
    """A port that somebody else listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        yield server
        with pytest.raises(BlockingIOError):
            server.accept()  # and that nobody has called


def filled(case, folder, listen, admin, backend):
    content, log = case.read_text(), folder / f"{case.stem}.log"
    known = {"LISTEN": listen, "ADMIN": admin, "CERTS": folder, "LOG": log}
    known |= proxies.substitutions({"HTTP": backend}, log)
    names = {name.removeprefix("AT_") for name in re.findall(r"\$\{(\w+)\}", content)} - known.keys()
    backends = {name: backend for name in names | {"HTTP"}}
    return string.Template(content).substitute(known | backends | proxies.substitutions(backends, log))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_a_configuration_is_good_although_its_ports_are_taken(case, folder):
    with taken() as listen, taken() as admin, taken() as backend:
        file = folder / case.name
        file.write_text(filled(case, folder, *(each.getsockname()[1] for each in (listen, admin, backend))))
        said = validate("plait", "-c", str(file))
    assert (said.returncode, said.stdout, said.stderr) == (0, f"configuration '{file}' OK\n", "")


def listener(port=0, routes="{match: {prefix: /}, route: {cluster: there}}", tls=""):
    ext = proxies.EXTENSIONS
    return f"""{{name: web, address: {{socket_address: {{address: 127.0.0.1, port_value: {port}}}}}, filter_chains: [{{{tls}filters: [
      {{name: envoy.filters.network.http_connection_manager, typed_config: {{
        "@type": {ext}.filters.network.http_connection_manager.v3.HttpConnectionManager, stat_prefix: web,
        http_filters: [{{name: envoy.filters.http.router, typed_config: {{"@type": {ext}.filters.http.router.v3.Router}}}}],
        route_config: {{name: r, virtual_hosts: [{{name: all, domains: ["*"], routes: [{routes}]}}]}}}}}}]}}]}}"""


def text(listeners="", more="", admin=0):
    return f"""node: {{id: from-the-file, cluster: of-the-file}}
admin: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {admin}}}}}}}
static_resources: {{clusters: [{proxies.cluster("there", 1)}], listeners: [{listeners}]}}
{more}
"""


TLS = (f'transport_socket: {{name: envoy.transport_sockets.tls, typed_config: {{"@type": {proxies.EXTENSIONS}.transport_sockets.tls.v3.DownstreamTlsContext, '
       'common_tls_context: {tls_certificates: [{certificate_chain: {filename: /nowhere/a.pem}, private_key: {filename: /nowhere/a.key}}]}}}, ')
# What is wrong, and what plait-proxy says of it.
BAD = {
    "an-unknown-cluster": (text(listener(routes="{match: {prefix: /}, route: {cluster: gone}}")), "route: unknown cluster 'gone'"),
    "an-unknown-mirror": (text(listener(routes="{match: {prefix: /}, route: {cluster: there, request_mirror_policies: [{cluster: gone}]}}")),
                          "route: unknown shadow cluster 'gone'"),
    "a-certificate-that-is-not-there": (text(listener(tls=TLS)), "/nowhere/a.pem"),
    "a-broken-expression": (text(listener(routes='{match: {safe_regex: {regex: "a(b"}}, route: {cluster: there}}')), 'regular expression "a(b"'),
    "an-unknown-field": (text(more="nothing: {}"), "nothing"),
    "no-yaml": ("{", ""),
    "two-clusters-of-one-name": (text().replace("clusters: [", f"clusters: [{proxies.cluster('there', 1)}, "), "there"),
    "a-control-plane-that-is-no-cluster": (
        text(more="dynamic_resources: {ads_config: {api_type: DELTA_GRPC, transport_api_version: V3, grpc_services: [{envoy_grpc: {cluster_name: gone}}]}}"), "gone"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_configuration_is_refused_with_what_is_wrong(name, folder):
    content, wrong = BAD[name]
    file = folder / f"{name}.yaml"
    file.write_text(content)
    said = {kind: validate(kind, "-c", str(file)) for kind in ("envoy", "plait")}
    assert {kind: (one.returncode, one.stdout.strip()) for kind, one in said.items()} == {"envoy": (1, ""), "plait": (1, "")}, said
    assert str(file) in said["plait"].stderr and wrong in said["plait"].stderr
    # And a start refuses the same.
    assert subprocess.run(command("plait", "-c", str(file)), capture_output=True, check=False, timeout=60).returncode == 1


def test_all_that_is_wrong_is_told_at_once(folder):
    file = folder / "twice.yaml"
    file.write_text(text(listener(routes="{match: {prefix: /a}, route: {cluster: gone}}, {match: {prefix: /}, route: {cluster: lost}}", tls=TLS)))
    said = validate("plait", "-c", str(file)).stderr
    assert "'gone'" in said and "'lost'" in said and "/nowhere/a.pem" in said


@BOTH
def test_text_alone_is_a_configuration(kind):
    said = validate(kind, "--config-yaml", text(listener()))
    assert (said.returncode, said.stdout.strip()) == (0, "configuration '' OK"), said
    assert validate(kind, "--config-yaml", text(listener(routes="{match: {prefix: /}, route: {cluster: gone}}"))).returncode == 1


def test_without_any_configuration_it_says_how_to_give_one():
    said = validate("plait")
    assert said.returncode == 1 and "-c FILE" in said.stderr


@contextlib.contextmanager
def running(kind, admin, *options):
    """Its /server_info and the names of its clusters."""
    process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "--", *command(kind, *options)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        def page(path):
            with urllib.request.urlopen(f"http://127.0.0.1:{admin}{path}", timeout=10) as answer:
                return answer.read().decode()
        end = time.monotonic() + 30
        while True:
            with contextlib.suppress(OSError):
                info = json.loads(page("/server_info"))
                break
            assert process.poll() is None and time.monotonic() < end, process.stderr.read()
        yield info, {entry["name"] for entry in json.loads(page("/clusters?format=json"))["cluster_statuses"]}
    finally:
        process.terminate()
        process.communicate(timeout=20)


@BOTH
def test_text_is_merged_over_the_file(kind, folder):
    """Single fields replace the file's, lists go on after it."""
    file = folder / "base.yaml"
    file.write_text(text(admin=proxies.free_port()))
    admin = proxies.free_port()
    over = json.dumps({"node": {"id": "from-the-text"}, "admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": admin}}},
                       "static_resources": {"clusters": [{"name": "more", "load_assignment": {"cluster_name": "more"}}]}})
    with running(kind, admin, "-c", str(file), "--config-yaml", over) as (info, clusters):
        assert (info["node"]["id"], info["node"]["cluster"]) == ("from-the-text", "of-the-file")
        assert clusters == {"there", "more"}


@BOTH
def test_the_node_is_that_of_the_command_line(kind, folder):
    file, admin = folder / "node.yaml", proxies.free_port()
    file.write_text(text(admin=admin))
    with running(kind, admin, "-c", str(file), "--service-node", "mine", "--service-cluster", "of-mine") as (info, _):
        assert (info["node"]["id"], info["node"]["cluster"]) == ("mine", "of-mine")
        options = info["command_line_options"]
        assert (options["service_node"], options["service_cluster"]) == ("mine", "of-mine")


def test_the_file_of_a_wrong_text_is_named(folder):
    file = folder / "base.yaml"
    file.write_text(text())
    said = validate("plait", "-c", str(file), "--config-yaml", "{nothing: 1}")
    assert said.returncode == 1 and '--config-yaml:1:2: unknown field "nothing"' in said.stderr, said.stderr


def logging(fmt):
    log = json.loads(proxies.typed("f", "access_loggers.file.v3.FileAccessLog", path="/dev/null", log_format={"text_format": fmt}))
    proxy = json.loads(proxies.typed("t", "filters.network.tcp_proxy.v3.TcpProxy", stat_prefix="t", cluster="c", access_log=[log]))
    at = {"socket_address": {"address": "127.0.0.1", "port_value": 1}}
    return json.dumps({"static_resources": {"clusters": [{"name": "c", "load_assignment": {"cluster_name": "c"}}],
                                            "listeners": [{"name": "l", "address": at, "filter_chains": [{"filters": [proxy]}]}]}})


@BOTH
@pytest.mark.parametrize("fmt", [
    "%FOO%", "%RESPONSE_CODE", "100% x", "%REQ%", "%REQ()%", "%REQ(A?B?C)%", "%REQ(A:3)%", "%REQ(A):x%", "%REQ(A)x%", "%RESPONSE_CODE(x)%", "%RESPONSE_CODE:2%",
    "%START_TIME(%s):5%", "%START_TIME(%n)%", "%GRPC_STATUS(X)%", "%GRPC_STATUS:2%", "%QUERY_PARAM%", "%QUERY_PARAMS(x)%", "%PATH(x)%", "%PATH(WQ:x)%", "%FILTER_STATE%",
    "%FILTER_STATE(a:X)%", "%FILTER_STATE(a:FIELD)%", "%METADATA(X:a)%", "%DYNAMIC_METADATA%", "%COMMON_DURATION%", "%COMMON_DURATION(a:b:min)%",
    "%REQUESTED_SERVER_NAME(X)%", "%HOSTNAME:3%", "%UNIQUE_ID:3%"])
def test_a_format_of_the_access_log_that_means_nothing_is_refused(kind, fmt):
    done = validate(kind, "--config-yaml", logging(fmt))
    assert done.returncode != 0, f"{kind} takes {fmt}"


@BOTH
def test_a_format_of_the_access_log_with_odd_operators_is_taken(kind):
    fmt = ("%RESPONSE_CODE()% %REQ(?a)% %REQ(a?)% %REQ(a):0% %COMMON_DURATION(x:y)% %FILTER_STATE(a:FIELD:b):3% %METADATA(ROUTE)% %PATH(:ORIG):3% %GRPC_STATUS()%"
           " %START_TIME()% %QUERY_PARAMS():3% %CEL(metadata.filter_metadata['a'])% %UPSTREAM_FILTER_STATE(a):5%")
    done = validate(kind, "--config-yaml", logging(fmt))
    assert done.returncode == 0, done.stderr
