"""Static files on Envoy and on plait-proxy in one run: each request gets the same answer (status, headers, body,
trailers, whether the connection ends), the backend sees the same, and the access log says the same (flags, details,
route, cluster, bytes, TLS ...). `suite.py` says what a case is.

What is not compared, and why: the value of times and of generated identifiers; the case of header names (kept by Plait,
lowered by Envoy) and the reason phrase (kept by Plait); which of an alert and a reset a refused TLS client sees first.
What differs on purpose stands in `differences.yaml` with its reason; an entry that no longer differs fails the test.
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
DIFFERENCES = yaml.safe_load((HERE / "differences.yaml").read_text()) or {}
AT_ONCE = 16  # connections; a case whose order matters has one


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
        with concurrent.futures.ThreadPoolExecutor(1 if case.ordered else AT_ONCE) as pool:
            seen = list(pool.map(one, enumerate(requests)))
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
    answers = [{**normalize.answer(answer, proxy.port), "log": [normalize.log_line(line, addresses) for line in lines.get(own, [])]}
               for own, answer in seen]
    for answer in answers:  # the streams of one connection end in any order
        answer["log"].sort(key=lambda line: (line.get("path", ""), line.get("by", "")))
    return answers, counters


@pytest.mark.parametrize("name", sorted(suite.CASES))
def test_plait_proxy_answers_as_envoy(name, backends, folder):
    case, file = suite.CASES[name], HERE / "cases" / f"{name}.yaml"
    requests = case.requests()
    labels = [request.label for request in requests]
    assert len(set(labels)) == len(labels), "each request of a case has a name of its own"
    pair = [proxies.Proxy(kind, file, backends.ports, folder, folder) for kind in ("envoy", "plait")]
    try:
        (envoy, envoy_counters), (plait, plait_counters) = [run(proxy, case, requests, folder, backends) for proxy in pair]
    finally:
        for proxy in pair:
            if proxy.process.poll() is None:
                proxy.stop()
    problems = compare(requests, envoy, plait, DIFFERENCES.get(name, {}))
    problems += [f"counter {key}: envoy {value}, plait {plait_counters.get(key)}"
                 for key, value in envoy_counters.items() if value != plait_counters.get(key)]
    assert not problems, f"{len(problems)} differences\n" + "\n".join(problems)


def test_the_suite_is_as_large_as_it_says():
    files = {path.stem for path in (HERE / "cases").glob("*.yaml")}
    assert files == set(suite.CASES), "each file has its requests and each case its file"
    assert len(files) >= 40
    assert len({request.data for request in subjects.common.requests({})}) >= 150
    assert not set(DIFFERENCES) - files, "differences.yaml names cases that are no more"


def compare(requests, envoy, plait, allowed):
    problems = []
    for request, a, b in zip(requests, envoy, plait):
        differs = {key for key in {*a, *b} if a.get(key) != b.get(key)}
        entry = allowed.get(request.label, {})
        may_differ = set(entry.get("in", ()))
        if entry and not entry.get("because"):
            problems.append(f"differences.yaml gives no reason for request {request.label}")
        if idle := may_differ - differs:
            problems.append(f"differences.yaml says that request {request.label} differs in {sorted(idle)}; it does not")
        if wrong := differs - may_differ:
            problems.append(f"request {request.label}: {request.options or ''} {request.data[:160]!r}\n" + describe(a, b, wrong))
    problems += [f"differences.yaml knows a request {label} that is no more" for label in set(allowed) - {r.label for r in requests}]
    return problems


def describe(envoy, plait, keys):
    out = []
    for key in sorted(keys):
        a, b = envoy.get(key), plait.get(key)
        if isinstance(a, dict) and isinstance(b, dict):
            out += [f"  {key} {part}:\n    envoy {a.get(part)!r:.600}\n    plait {b.get(part)!r:.600}"
                    for part in sorted({*a, *b}) if a.get(part) != b.get(part)]
        elif key == "log" and len(a) == len(b):
            out += [f"  log {part}:\n    envoy {x.get(part)!r}\n    plait {y.get(part)!r}"
                    for x, y in zip(a, b) for part in x if x.get(part) != y.get(part)]
        elif key == "headers" and a and b:
            out += [f"  headers:\n    only envoy {[h for h in a if h not in b]!r:.600}\n    only plait {[h for h in b if h not in a]!r:.600}"]
        else:
            out.append(f"  {key}:\n    envoy {a!r:.600}\n    plait {b!r:.600}")
    return "\n".join(out)
