"""Requests that every HTTP listener must treat as Envoy does, whatever its file says."""
from suite import Request, http, http2


def requests(options):
    """With `options` of the connection; None - no HTTP listener, none of them; http2 - as streams of HTTP/2."""
    if options is None:
        return []
    options = {} if options is True else options
    if "http2" in options:
        return [Request(b"", f"common {i}", {**options, "http2": [one]}) for i, one in enumerate(_as_http2()) if one]
    made = [http(*args, **how) for args, how in _WRITTEN] + _BYTES
    assert len(set(made)) == len(made), "no request twice"
    return [Request(data, f"common {i}", {**options}) for i, data in enumerate(made)]


def _as_http2():
    """None for a request with fields of a connection: HTTP/2 has none (RFC 9113 8.2.2), 54-http2 sends one."""
    for (method, target), how in _WRITTEN:
        headers = [(name.lower(), value) for name, value in how.get("headers", ())]
        own = {"connection", "keep-alive", "proxy-connection", "te"} & {name for name, _ in headers}
        yield None if own else http2(method, target, **{**how, "headers": headers})


def _one(*args, **how):
    return args, how


_TARGETS = (
    "/", "/index.html", "/a/b/c", "/a/b/../c", "/a/./b", "/..", "/a//b", "//", "//a", "/a%2Fb", "/a%2fb", "/a%5Cb", "/%61", "/a%20b", "/a%00b",
    "/a%", "/a%zz", "/a;p=1", "/a?b", "/a?b=c&d=e", "/a?b=%26", "/?", "/a#f", "/a?b#f", "/~user", "/a:b", "/a@b", "/a|b", "/{a}", "/a\\b",
    "/caf\u00e9", "/a,b", "/a*b", "/('a')", "/a!b$c", "/" + "x" * 300, "/a?" + "y" * 300, "/.well-known/x", "/a/../../b", "/a%2e%2e/b", "/a/%2E/b",
    "http://other.test/abs", "http://other.test", "http://other.test?x=1", "https://other.test/abs", "http://other.test:8080/p", "ftp://other.test/x",
)
_HOSTS = (
    "any.test:80", "any.test:8080", "ANY.test", "any.test.", "127.0.0.1", "127.0.0.1:8080", "[::1]", "[::1]:8080", "a_b.test", "any.test:", "any.test:0",
    "xn--caf-dma.test", "any..test", "-a.test", "any.test:99999",
)
_METHODS = ("HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND", "REPORT")
_HEADERS = (
    [("Accept", "*/*")], [("X-Forwarded-For", "203.0.113.7")], [("X-Forwarded-For", "10.0.0.1, 203.0.113.7")], [("X-Forwarded-For", "10.0.0.1")],
    [("X-Forwarded-For", "not an address")], [("X-Forwarded-For", "")], [("X-Forwarded-For", "1.2.3.4"), ("X-Forwarded-For", "5.6.7.8")],
    [("X-Forwarded-For", "[2001:db8::1]:443")], [("X-Forwarded-For", "1.2.3.4:99")], [("X-Forwarded-Proto", "https")], [("X-Forwarded-Proto", "ftp")],
    [("X-Forwarded-Proto", "HTTPS")], [("X-Forwarded-Host", "spoofed.test")], [("X-Forwarded-Port", "99")], [("X-Forwarded-Client-Cert", "By=x;URI=spiffe://evil")],
    [("X-Request-Id", "mine")], [("X-Request-Id", "")], [("X-Envoy-Internal", "true")], [("X-Envoy-External-Address", "1.2.3.4")],
    [("X-Envoy-Expected-Rq-Timeout-Ms", "7000")], [("X-Envoy-Max-Retries", "1")], [("X-Envoy-Retry-On", "5xx")], [("X-Envoy-Upstream-Alt-Stat-Name", "a")],
    [("X-Envoy-Original-Path", "/evil")], [("X-Envoy-Original-Host", "evil")], [("X-Envoy-Decorator-Operation", "op")], [("X-Envoy-Attempt-Count", "9")],
    [("X-Envoy-Force-Trace", "true")], [("X-Envoy-Ip-Tags", "a")], [("X-Envoy-Downstream-Service-Cluster", "c")], [("X-Envoy-Downstream-Service-Node", "n")],
    [("X-Envoy-Is-Timeout-Retry", "true")], [("X-Envoy-Upstream-Service-Time", "5")], [("X-Envoy-Overloaded", "true")], [("X-Envoy-Whatever", "1")],
    [("Via", "1.1 other")], [("Server", "mine")], [("Connection", "close")], [("Connection", "X-A, X-B"), ("X-A", "1"), ("X-B", "2")],
    [("Keep-Alive", "timeout=5")], [("Proxy-Connection", "keep-alive")], [("TE", "trailers")], [("TE", "gzip, trailers")], [("TE", "gzip")],
    [("Cookie", "a=b")], [("Cookie", "a=b"), ("Cookie", "c=d")], [("X-Twice", "1"), ("X-Twice", "2")], [("X-Empty", "")], [("X-Tab", "a\tb")],
    [("X-Latin", "caf\u00e9")], [("X-Long", "v" * 4000)], [("X_Under", "1")], [("Authorization", "Basic abc")], [("Origin", "https://a.test")],
    [("Upgrade", "h2c"), ("Connection", "Upgrade, HTTP2-Settings"), ("HTTP2-Settings", "AAMAAABkAAQAAP__")], [("User-Agent", "")], [("User-Agent", "curl/8")],
    [("Content-Type", "application/grpc")], [("Range", "bytes=0-1")], [("If-None-Match", "*")], [("Expect", "100-continue")], [("Max-Forwards", "0")],
    [("Grpc-Timeout", "5S")], [("Trailer", "X-End")], [("X-Plain", "  padded  ")],
)
_WRITTEN = [
    *(_one("GET", target) for target in _TARGETS),
    *(_one("GET", "/h", host=host) for host in _HOSTS),
    *(_one(method, "/m") for method in _METHODS),
    *(_one("GET", "/f", headers=headers) for headers in _HEADERS),
    *(_one(method, "/b", body=b"body") for method in ("POST", "PUT", "PATCH", "DELETE", "GET")),
    *(_one("POST", "/big", body=b"z" * size) for size in (1000, 16384, 70000)),
    _one("OPTIONS", "*"), _one("GET", "*"),
]
_CHUNKED = http("POST", "/c", headers=[("Transfer-Encoding", "chunked")])
_BYTES = [
    _CHUNKED + b"5\r\nhello\r\n0\r\n\r\n", _CHUNKED + b"0\r\n\r\n", _CHUNKED + b"1\r\na\r\n1\r\nb\r\n0\r\n\r\n",
    _CHUNKED + b"3;a=b\r\nabc\r\n0\r\n\r\n", _CHUNKED + b"0003\r\nabc\r\n0\r\n\r\n", _CHUNKED + b"A\r\n0123456789\r\n0\r\n\r\n",
    _CHUNKED + b"3\r\nabc\r\n0\r\nX-End: 1\r\n\r\n",
    b"GET /lf HTTP/1.1\r\nHost: any.test\r\nX: \x01\r\n\r\n", b"BREW / HTTP/1.1\r\nHost: any.test\r\n\r\n",
]
