"""The admin pages of Envoy and of plait-proxy on one static file: the same status, type and content; the dumps on every file of
`cases/`.

What differs on purpose stands in DIFFERENCES, each with its reason; an entry that no longer differs fails the test.
"""
import json
import pathlib
import re
import socket
import urllib.error
import urllib.request

import pytest

import backend as upstreams
import certs
import proxies

HERE = pathlib.Path(__file__).parent
CASE = HERE / "admin" / "static.yaml"
CASES = sorted((HERE / "cases").glob("*.yaml"))

# Paths within a page: "[]" is any element of a list. What is below such a path is not compared.
OWN = "tells what this process is"
DIFFERENCES = {
    "/config_dump?include_eds": {
        "BootstrapConfigDump.bootstrap.node.user_agent_name": OWN,
        "BootstrapConfigDump.bootstrap.node.user_agent_version": OWN,
        "BootstrapConfigDump.bootstrap.node.user_agent_build_version": OWN,
        "BootstrapConfigDump.bootstrap.node.extensions": "Envoy lists what is compiled into it; no tool asks Plait for that",
        "EndpointsConfigDump.static_endpoint_configs.[].endpoint_config.endpoints.[].load_balancing_weight":
            "Envoy writes the weight 0 of localities that have none",
        "EndpointsConfigDump.static_endpoint_configs.[].endpoint_config.endpoints.[].lb_endpoints.[].endpoint.health_check_config":
            "Envoy writes an empty message; Plait has no active health checks",
        "EndpointsConfigDump.static_endpoint_configs.[].endpoint_config.endpoints.[].locality": "Envoy writes an empty message where there is none",
        "EndpointsConfigDump.static_endpoint_configs.[].endpoint_config.endpoints.[].lb_endpoints.[].load_balancing_weight":
            "Plait leaves out the weight 1, which is the default",
        "EndpointsConfigDump.static_endpoint_configs.[].endpoint_config.policy": "Plait leaves out what has its default",
    },
    **{page: {"cluster_statuses.[].host_statuses.[].stats.[rq_pending_active]": "requests wait for a cluster's connection, not for a host's"}
       for page in ("/clusters?format=json", "/clusters?filter=back.*&format=json")},
    "/config_dump?resource=dynamic_active_clusters": {"configs": "an empty list is there, for scripts; protobuf's JSON leaves it out"},
    "/server_info": {
        "version": OWN, "node.user_agent_name": OWN, "node.user_agent_version": OWN, "node.user_agent_build_version": OWN,
        "node.extensions": "Envoy lists what is compiled into it", "node.client_features": "always empty", "node.dynamic_parameters": "always empty",
        "node.listening_addresses": "always empty", "command_line_options": "the options of two different programs",
        "hot_restart_initializing": "Plait has no hot restart of this kind",
    },
    "/memory": {"": "two heaps"},
}
# Lists that have no order: sorted by this field.
SORTED_BY = {"cluster_statuses": "name", "static_clusters": "cluster.name", "static_endpoint_configs": "endpoint_config.cluster_name",
             "static_route_configs": "*", "stats": "name", "certificates": "*"}
TIMES = re.compile(r"^(last_updated|uptime_current_epoch|uptime_all_epochs)$")


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """{kind: running proxy}"""
    folder = tmp_path_factory.mktemp("admin")
    certs.make(folder)
    started = {}
    try:
        for kind in ("envoy", "plait"):
            started[kind] = proxies.Proxy(kind, CASE, {}, folder, folder)
            started[kind].wait_ready()
        yield started
    finally:
        for proxy in started.values():
            proxy.stop()


def ask(proxy, path, method="GET"):
    request = urllib.request.Request(f"http://127.0.0.1:{proxy.admin}{path}", method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, dict(answer.headers), answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, dict(refused.headers), refused.read().decode()


def field(value, path):
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return str(value)


def steady(value, proxy, name=""):
    """Without times and ports that differ between two runs; lists without order are sorted."""
    if isinstance(value, dict):
        return {k: "a time" if TIMES.match(k) else steady(v, proxy, k) for k, v in value.items()}
    if isinstance(value, list):
        by = SORTED_BY.get(name)
        items = [steady(v, proxy) for v in value]
        return sorted(items, key=lambda v: json.dumps(v, sort_keys=True) if by == "*" else field(v, by)) if by else items
    return {proxy.port: "LISTEN", proxy.admin: "ADMIN"}.get(value, value) if isinstance(value, int) and not isinstance(value, bool) else value


def sections(dump):
    """The sections of a config dump by the last part of their type."""
    return {config["@type"].rsplit(".", 1)[1]: config for config in dump["configs"]}


def compare(envoy, plait, path=""):
    """Yields the paths that differ."""
    if isinstance(envoy, dict) and isinstance(plait, dict):
        for key in sorted({*envoy, *plait}):
            inner = f"{path}.{key}" if path else key
            if key not in envoy or key not in plait:
                yield inner, envoy.get(key), plait.get(key)
            else:
                yield from compare(envoy[key], plait[key], inner)
    elif isinstance(envoy, list) and isinstance(plait, list) and path.endswith(".stats"):
        # Of a host: told apart by their names.
        yield from compare(*({f"[{one['name']}]": one for one in side} for side in (envoy, plait)), path)
    elif isinstance(envoy, list) and isinstance(plait, list) and len(envoy) == len(plait):
        for a, b in zip(envoy, plait):
            yield from compare(a, b, f"{path}.[]")
    elif envoy != plait:
        yield path, envoy, plait


def problems_of(page, envoy, plait):
    """What differs without a reason, and the reasons that were met."""
    allowed = DIFFERENCES.get(page, {})
    met, problems = set(), []
    for path, a, b in compare(envoy, plait):
        reason = next((known for known in allowed if path == known or path.startswith(known + ".") or not known), None)
        if reason is None:
            problems.append(f"{path}\n  envoy {a!r:.500}\n  plait {b!r:.500}")
        met.add(reason)
    return problems, met


def check(page, envoy, plait):
    problems, met = problems_of(page, envoy, plait)
    problems += [f"{path} no longer differs" for path in DIFFERENCES.get(page, {}) if path not in met]
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize("page", [
    "/config_dump?include_eds", "/clusters?format=json", "/clusters?filter=back.*&format=json", "/listeners?format=json", "/certs", "/server_info",
    "/memory", "/runtime",
    "/config_dump?resource=static_clusters", "/config_dump?resource=static_clusters&mask=cluster.name", "/config_dump?resource=dynamic_active_clusters",
    "/config_dump?resource=static_listeners&mask=listener.name,last_updated", "/config_dump?resource=static_secrets",
    "/config_dump?resource=static_route_configs&name_regex=loc.*", "/config_dump?mask=bootstrap.admin", "/config_dump?mask=static_secrets",
    "/config_dump?name_regex=nothing&mask=static_clusters",
])
def test_a_json_page_says_the_same(both, page):
    answers = {kind: ask(proxy, page) for kind, proxy in both.items()}
    for kind, (status, headers, body) in answers.items():
        assert (status, headers["content-type"]) == (200, "application/json"), f"{kind}: {body}"
        assert (headers["cache-control"], headers["x-content-type-options"]) == ("no-cache, max-age=0", "nosniff")
    envoy, plait = (steady(json.loads(answers[kind][2]), both[kind]) for kind in ("envoy", "plait"))
    if "configs" in envoy and "resource=" not in page:
        assert [c["@type"] for c in envoy["configs"]] == [c["@type"] for c in plait["configs"]]
        envoy, plait = sections(envoy), sections(plait)
    check(page, envoy, plait)


@pytest.fixture(scope="module")
def backends(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cases")
    certs.make(folder)
    started = upstreams.Backends(folder)
    yield folder, started.ports
    started.stop()


def without_counts(clusters):
    """The page with the names of the hosts' counts only: how far the connection has come that saw the port open, nobody knows."""
    for cluster in clusters["cluster_statuses"]:
        for host in cluster.get("host_statuses", []):
            for stat in host["stats"]:
                stat.pop("value", None)
    return clusters


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_every_case_is_dumped_alike(case, backends):
    folder, ports = backends
    started, problems = {}, []
    try:
        for kind in ("envoy", "plait"):
            started[kind] = proxies.Proxy(kind, case, ports, folder, folder)
        for proxy in started.values():
            proxy.wait_ready()
        for page in ("/config_dump?include_eds", "/clusters?format=json", "/listeners?format=json"):
            seen = {}
            for kind, proxy in started.items():
                status, _, body = ask(proxy, page)
                assert status == 200, f"{kind}: {body}"
                seen[kind] = steady(json.loads(body.replace(f"{case.stem}-{kind}", case.stem)), proxy)
            if page.startswith("/config_dump"):
                types = {kind: [config["@type"] for config in dump["configs"]] for kind, dump in seen.items()}
                if types["envoy"] != types["plait"]:
                    problems.append(f"{page}: sections: {types}")
                seen = {kind: sections(dump) for kind, dump in seen.items()}
            if page.startswith("/clusters"):
                seen = {kind: without_counts(clusters) for kind, clusters in seen.items()}
            problems += [f"{page}: {one}" for one in problems_of(page, seen["envoy"], seen["plait"])[0]]
        lines = {kind: sorted(re.sub(r"::([cr][xq]_\w+)::\d+$", r"::\1", line)
                              for line in ask(proxy, "/clusters")[2].replace(f":{proxy.port}::", ":LISTEN::").splitlines()
                              if not re.fullmatch(TEXTS["/clusters"], line)) for kind, proxy in started.items()}
        for kind, other in (("envoy", "plait"), ("plait", "envoy")):
            problems += [f"/clusters: only {kind}: {line}" for line in lines[kind] if line not in lines[other]]
    finally:
        for proxy in started.values():
            proxy.stop()
    assert not problems, "\n".join(problems)


# Pages of text, with the lines that only Envoy has.
TEXTS = {
    "/clusters": r".*::rq_pending_active::.*",  # as in JSON
    "/listeners": None, "/ready": None, "/hot_restart_version": None,
    "/stats?filter=^cluster\\.backend\\.upstream_rq_t(imeout|otal|x_reset)$": None,
}


@pytest.mark.parametrize("page", TEXTS)
def test_a_text_page_says_the_same(both, page):
    seen = {}
    for kind, proxy in both.items():
        status, headers, body = ask(proxy, page)
        assert (status, headers["content-type"].lower()) == (200, "text/plain; charset=utf-8"), kind
        lines = sorted(line.replace(str(proxy.port), "LISTEN") for line in body.splitlines())
        only_envoy = re.compile(TEXTS[page]) if TEXTS[page] else None
        if only_envoy and kind == "envoy":
            assert any(only_envoy.fullmatch(line) for line in lines), "no longer differs"
        seen[kind] = [line for line in lines if not (only_envoy and only_envoy.fullmatch(line))]
    assert seen["envoy"] == seen["plait"]


@pytest.mark.parametrize("method, page", [
    ("GET", "/nope"), ("GET", "/config_dump?resource=nope"), ("GET", "/config_dump?resource=bootstrap"), ("GET", "/config_dump?mask=nope.nope"),
    ("GET", "/config_dump?resource=static_endpoint_configs"), ("GET", "/config_dump?resource=dynamic_endpoint_configs"),
    ("GET", "/config_dump?resource=static_clusters&mask=nope"), ("GET", "/config_dump?name_regex=("), ("GET", "/clusters?filter=("),
    ("GET", "/stats?filter=("), ("GET", "/stats?format=nope"), ("GET", "/stats?type=nope"), ("GET", "/quitquitquit"), ("GET", "/reset_counters"),
    ("GET", "/logging?level=info"), ("GET", "/healthcheck/fail"), ("GET", "/drain_listeners"), ("GET", "/runtime_modify?a=b"), ("GET", "/reopen_logs"),
    ("POST", "/logging?nothing=trace"), ("POST", "/logging?http2=loud"), ("POST", "/logging?level=info&http2=debug"), ("POST", "/runtime_modify"),
    ("POST", "/runtime_modify?a=b"),
])
def test_what_is_wrong_is_refused_with_the_same_status(both, method, page):
    statuses = {kind: ask(proxy, page, method)[0] for kind, proxy in both.items()}
    assert statuses["plait"] == statuses["envoy"] >= 400


@pytest.mark.parametrize("page", ["/reset_counters", "/reopen_logs", "/logging?http2=trace", "/logging?paths=http2:info,config:debug",
                                  "/logging?level=warning", "/drain_listeners?skip_exit", "/healthcheck/ok"])
def test_changes_are_taken_by_post(both, page):
    statuses = {kind: ask(proxy, page, "POST")[0] for kind, proxy in both.items()}
    assert statuses == {"envoy": 200, "plait": 200}


def test_a_failed_health_check_shows_in_both(both):
    for proxy in both.values():
        assert ask(proxy, "/healthcheck/fail", "POST")[0] == 200
    assert [ask(proxy, "/ready")[::2] for proxy in both.values()] == [(503, "DRAINING\n")] * 2
    for proxy in both.values():
        assert ask(proxy, "/healthcheck/ok", "POST")[0] == 200
    assert [ask(proxy, "/ready")[::2] for proxy in both.values()] == [(200, "LIVE\n")] * 2


def test_private_keys_are_in_no_dump(both):
    status, _, body = ask(both["plait"], "/config_dump?include_eds")
    assert status == 200 and "BEGIN" not in body and "a.key" not in body


def test_a_logger_tells_more_once_it_is_asked_to(both):
    proxy = both["plait"]

    def settings_seen():
        """Begins a connection of HTTP/2 and waits for the answer; whether the log tells of its frames."""
        with socket.create_connection(("127.0.0.1", proxy.admin), 10) as s:
            s.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0")
            assert s.recv(65536)
        return "received SETTINGS" in pathlib.Path(proxy.output.name).read_text()
    assert not settings_seen()
    assert "  http2: trace\n" in ask(proxy, "/logging?http2=trace", "POST")[2]
    assert settings_seen()
    assert "  http2: info\n" in ask(proxy, "/logging?http2=info", "POST")[2]
