"""The rules of the edge: who the client is, what it may not say, paths, limits."""
from suite import asks, case, gets, http, named, plain, sent

_FORWARDED = ("1.2.3.4", "10.0.0.1", "127.0.0.1", "1.2.3.4, 5.6.7.8", "1.2.3.4,5.6.7.8,9.10.11.12", "10.0.0.1, 10.0.0.2", "1.2.3.4, 10.0.0.1", "10.0.0.1, 1.2.3.4", "2001:db8::1",
              "[2001:db8::1]", "2001:db8::1, 10.0.0.9", "garbage", "1.2.3.4, garbage", "garbage, 1.2.3.4", "1.2.3.4,", ", 1.2.3.4", ",", "1.2.3.4:80", " 1.2.3.4 ", "192.168.1.1",
              "172.16.0.1", "fd00::1", "::1", "1.2.3.4,,5.6.7.8", "01.2.3.4", "::ffff:10.0.0.1")
_TRUSTED = ("X-Envoy-Retry-On", "X-Envoy-Max-Retries", "X-Envoy-Upstream-Rq-Timeout-Ms", "X-Envoy-Upstream-Rq-Per-Try-Timeout-Ms", "X-Envoy-Decorator-Operation", "X-Envoy-Force-Trace",
            "X-Envoy-Hedge-On-Per-Try-Timeout", "X-Envoy-Retriable-Status-Codes", "X-Envoy-Retriable-Header-Names", "X-Envoy-Original-Url", "X-Envoy-Peer-Metadata", "X-Inside",
            "X-Envoy-Downstream-Service-Cluster", "X-Envoy-Upstream-Alt-Stat-Name", "X-Envoy-Ip-Tags", "X-Envoy-Internal", "X-Envoy-External-Address", "X-Envoy-Attempt-Count",
            "X-Envoy-Expected-Rq-Timeout-Ms", "X-Envoy-Original-Path", "X-Envoy-Original-Host", "X-Envoy-Original-Dst-Host", "X-Envoy-Upstream-Rq-Timeout-Alt-Response")


def _edge():
    out = [http(headers=[("X-Forwarded-For", v)]) for v in _FORWARDED]
    out += [http(headers=[("X-Forwarded-For", "1.2.3.4"), ("X-Forwarded-For", "10.0.0.1")])]
    for inside in ([], [("X-Forwarded-For", "10.0.0.1")], [("X-Forwarded-For", "10.0.0.1, 10.0.0.2")]):
        out += [http(headers=[*inside, (name, "100")]) for name in _TRUSTED]
    out += [http(headers=[("X-Forwarded-Proto", p), *h]) for p in ("http", "https", "ftp", "") for h in ([], [("X-Forwarded-For", "10.0.0.1")])]
    out += [http(headers=[("X-Request-Id", r)]) for r in ("mine", "", "x" * 100)] + [http(headers=[("X-Forwarded-Port", "99")]), http(headers=[("Via", "1.0 a")])]
    return plain(*out) + [asks(o) for o in ("header=via:1.1 back", "header=server:apache", "header=x-request-id:theirs", "header=date:Thu, 01 Jan 1970 00:00:00 GMT")]


@case("22-remote-address")
def remote_address():
    return _edge()


@case("23-trusted-hops")
def trusted_hops():
    return _edge()


@case("24-inside-hops")
def inside_hops():
    return _edge()


@case("25-internal-edge")
def internal_edge():
    return _edge()


def _paths():
    return gets("/a//b", "//a", "/a///b//c", "/a/../b", "/a/./b", "/../a", "/..", "/.", "/a/..", "/a/../..", "/a/%2e%2e/b", "/a%2Fb", "/a%2fb", "/a%5Cb", "/a%5cb", "/a\\b", "/a\\..\\b",
                "/%2F", "/%2f%2fa", "/a%2F..%2Fb", "/a%252Fb", "/a%25", "/a%2", "/a%zz", "/%", "/%%32e%%32e/a", "/%2%65%2%65/a", "/%%32z", "/%%32f", "/%%41", "/%%%41b", "/a%20b", "/%41", "/%7Euser", "/a?b=//c", "/a?b=%2F", "/a%3Fb", "/a%23b", "/a;b//c", "/a//?b//c",
                "/a/b/../../../c", "/a%00b", "/a+b", "/A%C3%A9", "//", "///", "/a//", "/%2e", "/%2E%2E/a", "/a/.hidden", "/a/...", "/a/..b", "/a%2F%2Fb", "/%5c%2f", "/x/%2e%2e%2fy", "http://h.test//a%2Fb",
                "/x/..;/a", "/.;/a", "/x/..;a=b/a", "/x/..;a=/../a", "/x/y/..;/..;/a", "/x/.;..;/a", "/x//..;/a", "/x/..;", "/x/.;", "/x/..;%2Fa", "/x%2F..;%2Fa", "/x/..;\\q/a", "/x/...;/a", "/x/;../a", "/x/..%3b/a", "/x/..;?a=/..;/b") + [
                    named("escaped dots with parameters", http(target="/x/%2e%2e;/a")), named("dots with parameters between backslashes", http(target="/x\\..;\\a"))]


@case("26-normalized-paths")
def normalized_paths():
    return _paths()


@case("27-rejected-paths")
def rejected_paths():
    return _paths()


@case("28-redirected-paths")
def redirected_paths():
    return _paths()


@case("29-server-header")
def server_header():
    return [asks(o) for o in ("", "header=server:apache", "header=Server:a|Server:b", "header=date:Thu, 01 Jan 1970 00:00:00 GMT", "status=500", "header=x-request-id:theirs", "reset")] + plain(
        http(headers=[("X-Request-Id", "mine")]), http(headers=[("Server", "client")]), b"GET / HTTP/1.1\r\n\r\n")


@case("30-pass-through")
def pass_through():
    return server_header() + gets("/pre/a", "/pre/a?b", "/tried", "/x?y") + plain(http(headers=[("X-Forwarded-Proto", "https")]), http(headers=[("X-Forwarded-Proto", "http")]))


@case("31-limits")
def limits():
    out = [http(headers=[("X-Long", "v" * n)]) for n in (100, 1000, 1900, 1990, 2000, 2040, 2100, 3000, 10000, 70000)]
    out += [http(headers=[(f"X-{i}", "1") for i in range(n)]) for n in (5, 6, 7, 8, 9, 20)]
    out += [http(target="/" + "p" * n) for n in (1000, 2000, 2100, 70000)]
    out += [http(headers=[(n, "1")]) for n in ("X_Under", "_x", "x_", "X-Plain")]
    out += [http("POST", "/trailers", headers=[("Transfer-Encoding", "chunked")]) + b"1\r\na\r\n0\r\n" + b"".join(b"X-%d: 1\r\n" % i for i in range(n)) + b"\r\n" for n in (1, 30)]
    return plain(*out) + [sent(http(target="/1") + http(target="/2"), answers=2), sent(http(target="/1") + http(target="/2") + http(target="/3"), answers=2),
                          asks("odd=many-headers"), asks("odd=large-header"), named("headers that do not end", b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: 1\r\n" * 2000)]


@case("32-underscores")
def underscores():
    out = [http(headers=[(n, "1"), ("X-Kept", "1")]) for n in ("X_Under", "_x", "x_", "X-Plain", "Content_Length", "x_y_z")]
    return plain(*out) + [sent(http(target="/1", headers=[("x-backend", "late=300")]) + http(target="/2"), answers=1), asks("late=400", target="/late")]


@case("65-mesh-gateway")
def mesh_gateway():
    inside = [("X-Forwarded-For", "10.0.0.1")]
    out = [asks(o) for o in ("", "header=server:apache", "header=Server:a|Server:b", "header=server:istio-envoy", "header=x-envoy-decorator-operation:theirs", "status=503", "reset")]
    out += gets("/direct", "//direct", "/a/../direct") + plain(http(headers=[("Server", "client")]), http(version="HTTP/1.0"))
    forged = [("X-Forwarded-Client-Cert", "By=spiffe://cluster.local/ns/a/sa/b;URI=spiffe://cluster.local/ns/a/sa/c"), ("X-Envoy-Decorator-Operation", "mine"),
              ("X-Envoy-Attempt-Count", "7"), ("X-Envoy-Upstream-Rq-Timeout-Ms", "1"), ("X-Envoy-Peer-Metadata", "AAAA"), ("X-Envoy-Peer-Metadata-Id", "sidecar~1.2.3.4~a.b~c")]
    out += plain(*[http(headers=[*origin, header]) for header in forged for origin in ([], inside)])
    # What only a plait-proxy knows: it is nobody's to say, from outside or inside.
    out += [named(f"{name} of {origin}", http(headers=[*headers, (name, "1"), ("X-Kept", "1")])) for name in ("x-plait-head", "X-Plait-Anything")
            for origin, headers in (("outside", []), ("inside", inside))]
    return out


@case("66-mesh-gateway-behind-proxies")
def mesh_gateway_behind_proxies():
    return mesh_gateway() + _paths() + plain(*(http(headers=[("X-Forwarded-For", v)]) for v in _FORWARDED))


def _operations():
    name, theirs = "X-Envoy-Decorator-Operation", "header=x-envoy-decorator-operation:theirs"
    said = ([], [(name, "mine")], [(name, "seen")], [(name, "")])
    out = [http(target=target, headers=headers) for target in ("/", "/bare", "/kept", "/seen", "/direct", "/redirect", "/changed", "/denied") for headers in said]
    out += [http(target=target, headers=[(name, value) for value in values]) for target in ("/", "/changed") for values in (("mine", "too"), ("", "mine"), ("", ""))]
    out += [http(target=target, headers=[("x-backend", theirs), *headers]) for target in ("/", "/bare", "/kept") for headers in said[:2]]
    return plain(*out) + [asks("status=503"), asks("reset"), named("no trace context", http(host="traced.test"))]


@case("67-operation-inbound")
def operation_inbound():
    return _operations()


@case("68-operation-outbound")
def operation_outbound():
    return _operations()
