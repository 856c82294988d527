"""Static files on Envoy and on plait-proxy in one run: each request gets the same answer (status, headers, body,
trailers, whether the connection ends), the backend receives the same bytes, and the access log says the same (flags,
details, route, cluster, bytes, TLS ...). `suite.py` says what a case is.

What is not compared, and why: the value of times and of generated identifiers; the case of the names that a client or an
upstream wrote (kept by Plait, lowered by Envoy; those that the proxy adds are compared) and the reason phrase (kept by Plait);
where a body of more than 4 KiB is cut into chunks or DATA frames (it depends on when it was read), so neither how many bytes
it was with them; HTTP/2 below its fields (how HPACK writes them, in how many bytes); which of an alert and a reset a refused
TLS client sees first. What differs on purpose stands in `differences.yaml` with its reason; an entry that no longer differs
fails the test.
"""
import concurrent.futures
import os
import pathlib

import pytest
import yaml

import backend as upstreams
import certs
import client
import normalize
import proxies
import subjects
import suite

HERE = pathlib.Path(__file__).parent
DIFFERENCES = yaml.safe_load((HERE / "differences.yaml").read_text())
EVERYWHERE = DIFFERENCES.pop("everywhere")
AT_ONCE = 16  # connections; where order matters one
HTTP_REQUESTS = 150  # that each HTTP listener gets at least


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("parity")
    certs.make(path)
    return path


@pytest.fixture(scope="module")
def backends(folder):
    started = upstreams.Backends(folder)
    yield started
    started.stop()


def run(proxy, case, requests, folder, backends):
    """What the proxy did with each request: the answer, and under "log" its lines in the access log."""
    backends.reset()

    def one(numbered):
        index, request = numbered
        return client.exchange(proxy.port, index, request, folder, backends)
    kept = []
    counters = {}
    try:
        proxy.wait_ready()
        numbered, ordered = list(enumerate(requests)), len(requests) if case.alone else len(case.own()) if case.ordered else 0
        seen = [one(request) for request in numbered[:ordered]]
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            seen += pool.map(one, numbered[ordered:])
        kept = [answer.pop("keep") for _, answer in seen if answer.get("keep")]
        if case.stats:
            counters = proxy.counters(case.stats)
    finally:
        for fd in kept:
            os.close(fd)
        code = proxy.stop()
    assert code == 0, f"{proxy.kind} ended with {code}:\n{proxy.said()}"
    lines = proxy.log_lines()
    addresses = {f"127.0.0.1:{port}": name for name, port in backends.ports.items()} | {f"127.0.0.1:{proxy.port}": "listener"}
    answers, everything = [], b"\r\n".join(request.data for request in requests)
    for request, (own, answer) in zip(requests, seen):
        log = [normalize.log_line(line, addresses) for line in lines.get(own, [])]
        log.sort(key=lambda line: (line.get("path", ""), line.get("by", "")))  # the streams of one connection end in any order
        answers.append(normalize.parts({**answer, "log": log}, proxy.port, everything if b"tell=" in request.data else request.data))
    return answers, counters


@pytest.mark.parametrize("name", sorted(suite.CASES))
def test_plait_proxy_answers_as_envoy(name, backends, folder):
    case, file = suite.CASES[name], HERE / "cases" / f"{name}.yaml"
    requests = case.own() + case.shared()
    labels = [request.label for request in requests]
    assert len(set(labels)) == len(labels), "each request of a case has a name of its own"
    pair = [proxies.Proxy(kind, file, backends.ports, folder, folder) for kind in ("envoy", "plait")]
    try:
        (envoy, envoy_counters), (plait, plait_counters) = [run(proxy, case, requests, folder, backends) for proxy in pair]
    finally:
        for proxy in pair:
            if proxy.process.poll() is None:
                proxy.stop()
    problems = compare(name, requests, envoy, plait)
    problems += [f"counter {key}: envoy {value}, plait {plait_counters.get(key)}"
                 for key, value in envoy_counters.items() if value != plait_counters.get(key)]
    assert not problems, f"{len(problems)} differences\n" + "\n".join(problems)


def test_the_suite_is_as_large_as_it_says():
    files = {path.stem for path in (HERE / "cases").glob("*.yaml")}
    assert files == set(suite.CASES), "each file has its requests and each case its file"
    assert len(files) >= 40
    assert not set(DIFFERENCES) - files, "differences.yaml names cases that are no more"
    for name, case in suite.CASES.items():
        http = "http_connection_manager" in (text := (HERE / "cases" / f"{name}.yaml").read_text()) or "${HCM}" in text
        assert http == (case.common is not None), f"{name}: an HTTP listener gets the common requests, no other"
        count = len({str((request.data, request.options)) for request in case.own() + case.shared()})
        assert count >= (HTTP_REQUESTS if http else 20), f"{name} has {count} requests"


def compare(name, requests, envoy, plait):
    """What of the answers differs and stands in differences.yaml neither for the case nor for all; and what stands there in vain."""
    problems, allowed, needed = [], DIFFERENCES.get(name, {}), set()
    for request, a, b in zip(requests, envoy, plait):
        differs = differing(a, b, needed)
        entry = allowed.get(request.label, {})
        may_differ = set(entry.get("in", ()))
        if entry and not entry.get("because"):
            problems.append(f"differences.yaml gives no reason for request {request.label}")
        if idle := may_differ - differs:
            problems.append(f"differences.yaml says that request {request.label} differs in {sorted(idle)}; it does not")
        if wrong := differs - may_differ:
            problems.append(f"request {request.label}: {request.options or ''} {request.data[:160]!r}\n" + describe(a, b, wrong))
    problems += [f"differences.yaml knows a request {label} that is no more" for label in set(allowed) - {r.label for r in requests}]
    problems += [f"differences.yaml says that {rule} is seen here; it is not" for rule, how in EVERYWHERE.items() if how["seen in"] == name and rule not in needed]
    return problems


def differing(envoy, plait, needed):
    """The parts that differ. Of a group that one of them has not (no response, no report of a backend, no line in the log) it is
    the group."""
    groups = {part.removesuffix(" order") for part in envoy.keys() ^ plait.keys() if part.endswith(" order")}
    if envoy["log lines"] != plait["log lines"]:
        groups.add("log")
    one_by_one = {part for part in {*envoy, *plait} if not any(part.startswith((f"{group}.", f"{group} ")) for group in groups)}
    return groups | {part for part in one_by_one if not same(part, envoy.get(part), plait.get(part), needed)}


def same(part, envoy, plait, needed):
    """Whether it is the same, or differs as everywhere: notes the rules of differences.yaml that say so."""
    if part.endswith(" order"):  # a name that only one of them has is a difference of its own
        envoy, plait = [name for name in envoy if name in plait], [name for name in plait if name in envoy]
    if envoy == plait:
        return True
    rules = {rule: how for rule, how in EVERYWHERE.items() if part.endswith(how["part"])}
    if part.endswith(" order"):
        def left(without=None):
            free = {name for rule, how in rules.items() if rule != without for name in how["names"]}
            return [[name for name in names if name not in free] for names in (envoy, plait)]
        a, b = left()
        if a == b:
            needed |= {rule for rule in rules if left(without=rule)[0] != left(without=rule)[1]}
        return a == b
    for rule, how in rules.items():
        if all(who not in how or {how[who]} == set(what or ()) for who, what in (("envoy", envoy), ("plait", plait))):
            needed.add(rule)
            return True
    return False


def describe(envoy, plait, parts):
    whole = {group: {part: value for part, value in {**envoy, **plait}.items() if part.startswith(group)} for group in ("headers", "request", "log")}
    return "\n".join(f"  {part}:\n    envoy {envoy.get(part, whole.get(part) if part + ' order' in envoy else None)!r:.600}\n"
                     f"    plait {plait.get(part, whole.get(part) if part + ' order' in plait else None)!r:.600}" for part in sorted(parts))
