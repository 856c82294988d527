"""Ten static files, fifty requests each, on Envoy and on plait-proxy in one run: the same answer (status, headers, body,
whether the connection ends) and the same access log line (flags, details, route, cluster, bytes, TLS ...).

What is not compared, and why: the value of times and of generated identifiers; the case of header names (kept by Plait,
lowered by Envoy) and the reason phrase (kept by Plait); which of an alert and a reset a refused TLS client sees first.
What differs on purpose stands in `differences.yaml` with its reason; an entry that no longer differs fails the test.
"""
import asyncio
import email.utils
import json
import pathlib
import re
import socket
import ssl
import threading

import pytest
import yaml

import certs
import proxies
import wire_requests
from backend import Backend

HERE = pathlib.Path(__file__).parent
DIFFERENCES = yaml.safe_load((HERE / "differences.yaml").read_text()) or {}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("parity")
    certs.make(path)
    return path


@pytest.fixture
def backend(folder):
    """A fresh backend for each proxy, in a thread of its own."""
    started = []

    def start():
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, daemon=True)
        thread.start()
        server = Backend()
        ports = asyncio.run_coroutine_threadsafe(server.start(folder), loop).result(10)
        started.append((loop, thread))
        return ports

    yield start
    for loop, thread in started:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)


def secure(raw, options, folder):
    if "tls" not in options:
        return raw
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if options.get("tls_version") == 2:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    if client := options.get("client"):
        context.load_cert_chain(folder / f"{client}.pem", folder / f"{client}.key")
    return context.wrap_socket(raw, server_hostname=options.get("sni"))


def exchange(port, options, request, folder):
    """Sends the bytes; returns the client's port and what a client can see of the answer."""
    with socket.create_connection(("127.0.0.1", port), 10) as raw:
        raw.settimeout(10)
        own_port = raw.getsockname()[1]
        try:
            with secure(raw, options, folder) as s:
                return own_port, converse(s, options, request)
        except TimeoutError:
            return own_port, {"silent": True}
        except (OSError, EOFError):
            return own_port, {"broken": True}


def converse(s, options, request):
    s.sendall(request)
    if options.get("half_close"):
        s.shutdown(socket.SHUT_WR)
    if options.get("raw"):
        return {"body": read_all(s).decode("latin1")}
    stream = s.makefile("rb")
    answers = [read_response(stream, head=request.startswith(b"HEAD")) for _ in range(options.get("answers", 1))]
    answer = {**answers[-1], "before": answers[:-1]}
    if "tls" in options:
        answer["tls"] = (s.version(), fingerprint(s))
    return answer


def fingerprint(s):
    """Which of the proxy's certificates it was."""
    return s.getpeercert(binary_form=True).hex()


def read_all(s):
    out = b""
    while piece := s.recv(65536):
        out += piece
    return out


def read_response(stream, head):
    status_line = stream.readline()
    if not status_line:
        raise EOFError
    version, status = status_line.decode("latin1").split()[:2]
    headers = []
    while (line := stream.readline().rstrip(b"\r\n")):
        name, _, value = line.decode("latin1").partition(":")
        headers.append((name.lower(), value.strip()))
    if status == "100":
        return {**read_response(stream, head), "continued": headers}
    fields = dict(headers)
    body = b""
    closes = fields.get("connection") == "close"
    if head or status in ("204", "304"):
        pass
    elif fields.get("transfer-encoding") == "chunked":
        while size := int(stream.readline().split(b";")[0], 16):
            body += stream.read(size)
            stream.readline()
        while stream.readline().strip():
            pass
    elif "content-length" in fields:
        body = stream.read(int(fields["content-length"]))
    else:
        body, closes = stream.read(), True
    answer = {"status": int(status), "version": version, "headers": headers, "body": body.decode("latin1")}
    if closes:
        answer["after the end"] = stream.read().decode("latin1")
    return answer


def steady_header(name, value):
    """A header's value without what time and chance put in it."""
    if name == "date":
        return "a date" if email.utils.parsedate_to_datetime(value) else value
    if name == "x-envoy-upstream-service-time":
        return "N" if value.isdecimal() else value
    if name == "x-request-id" and value != "mine":
        return "ID" if re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", value) else value
    if name == "x-envoy-expected-rq-timeout-ms":  # what is left of the route's time-out when a retry starts
        return str(-(-int(value) // 500) * 500)
    return value


def normalize(answer):
    """Leaves out what must differ between two runs of the same proxy."""
    answer = dict(answer)
    if "before" in answer:
        answer["before"] = [normalize(one) for one in answer["before"]]
    if "headers" in answer:
        answer["headers"] = sorted((n, steady_header(n, v)) for n, v in answer["headers"])
    try:
        report = json.loads(answer.get("body", ""))
        report["headers"] = sorted([n, steady_header(n, v)] for n, v in report["headers"])
        answer["body"] = report
    except (ValueError, TypeError, KeyError):
        pass
    return answer


def run(kind, case, backends, folder, requests):
    """What the proxy did with each request: the answer, and under "log" its lines in the access log."""
    proxy = proxies.Proxy(kind, case, backends, folder, folder)
    try:
        proxy.wait_ready()
        seen = [exchange(proxy.port, options, request, folder) for options, request in requests]
    finally:
        code = proxy.stop()
    assert code == 0, f"{kind} ended with {code}:\n" + pathlib.Path(proxy.output.name).read_text()[-3000:]
    lines = proxy.log_lines()
    backend_names = {f"127.0.0.1:{port}": name for name, port in backends.items()}

    def steady(line):
        return {**line, "upstream": backend_names.get(line["upstream"], line["upstream"])}
    return [{**normalize(answer), "log": [steady(line) for line in lines.get(port, [])]} for port, answer in seen]


@pytest.mark.parametrize("name", sorted(wire_requests.CASES))
def test_plait_proxy_answers_as_envoy(name, backend, folder):
    case = HERE / "cases" / f"{name}.yaml"
    requests = wire_requests.CASES[name]()
    assert len({repr(request) for request in requests}) == 50, "a case has fifty different requests"
    envoy = run("envoy", case, backend(), folder, requests)
    plait = run("plait", case, backend(), folder, requests)
    allowed, problems = DIFFERENCES.get(name, {}), []
    for i, (options, request) in enumerate(requests):
        differs = {key for key in {*envoy[i], *plait[i]} if envoy[i].get(key) != plait[i].get(key)}
        may_differ = set(allowed[i]["in"]) if i in allowed else set()
        if i in allowed and not allowed[i].get("because"):
            problems.append(f"differences.yaml gives no reason for request {i}")
        if idle := may_differ - differs:
            problems.append(f"differences.yaml says that request {i} differs in {sorted(idle)}; it does not")
        if wrong := differs - may_differ:
            problems.append(f"request {i}: {options} {request[:120]!r}\n" + describe(envoy[i], plait[i], wrong))
    assert not problems, f"{len(problems)} differences\n" + "\n".join(problems)


def describe(envoy, plait, keys):
    out = []
    for key in sorted(keys):
        a, b = envoy.get(key), plait.get(key)
        if isinstance(a, dict) and isinstance(b, dict):
            out += [f"  {key} {part}:\n    envoy {a.get(part)!r:.600}\n    plait {b.get(part)!r:.600}"
                    for part in sorted({*a, *b}) if a.get(part) != b.get(part)]
        elif key == "log" and len(a) == len(b):
            out += [f"  log {part}:\n    envoy {x[part]!r}\n    plait {y[part]!r}"
                    for x, y in zip(a, b) for part in x if x[part] != y[part]]
        else:
            out.append(f"  {key}:\n    envoy {a!r:.600}\n    plait {b!r:.600}")
    return "\n".join(out)
