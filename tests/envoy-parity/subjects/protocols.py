"""HTTP/1 and HTTP/2 messages, well-formed and not."""
import odd_answers
from suite import asks, case, http, http2, named, over_http2, plain, sent


@case("09-h2-upstream", alone=True)
def h2_upstream():
    out = plain(*(http(target=f"/t{i}?q={i}", headers=[("X-Custom", f"v{i}"), ("Cookie", "a=b"), ("Cookie", "c=d")]) for i in range(10)))
    out += plain(*(http("POST", f"/p{n}", body=b"z" * n) for n in (1, 10, 1000, 16384, 16385, 70000, 200000)))
    out += plain(*(http(headers=[("x-backend", f"body={n}")]) for n in (0, 1, 16384, 65535, 65536, 300000)))
    out += plain(*(http(headers=[("x-backend", f"status={s}")]) for s in (200, 201, 204, 301, 304, 400, 404, 500, 503)))
    out += plain(*(http("HEAD", f"/h{i}") for i in range(2)), *(http(f, headers=[("x-backend", o)]) for f in ("GET", "POST") for o in ("reset", "drop")),
                 http(headers=[("x-backend", "trailers")]))
    out += plain(http(headers=[("TE", "trailers")]), http(headers=[("Connection", "x-hop"), ("X-Hop", "1")]), http(headers=[("Keep-Alive", "5")]),
                 http(headers=[("Upgrade", "foo")]), http(headers=[("Expect", "100-continue")]), http(headers=[("X-Empty", "")]),
                 http(headers=[("Transfer-Encoding", "chunked")]) + b"3\r\nabc\r\n0\r\n\r\n", http(host="h2.test:99"), http("DELETE", "/d"), http("PATCH", "/d", body=b"p"),
                 http(version="HTTP/1.1", target="/last"))
    return out


@case("10-messages")
def messages():
    chunked = [("Transfer-Encoding", "chunked")]
    good = [
        http("POST", headers=chunked) + b"5\r\nhello\r\n0\r\n\r\n",
        http("POST", headers=chunked) + b"5;ext=1\r\nhello\r\n3\r\nabc\r\n0\r\n\r\n",
        http("POST", headers=chunked) + b"A\r\n0123456789\r\n0\r\n\r\n",
        http("POST", headers=chunked) + b"0\r\n\r\n",
        http(version="HTTP/1.0"), http(version="HTTP/1.0", host=None), http(version="HTTP/1.0", headers=[("Connection", "keep-alive")]),
        http("POST", version="HTTP/1.0", body=b"old"),
        *(http(headers=[("x-backend", f"chunked;body={n}")]) for n in (0, 1, 100, 70000)),
        *(http(version="HTTP/1.0", headers=[("x-backend", f"chunked;body={n}")]) for n in (1, 1000)),
        *(http(headers=[("x-backend", f"close;body={n}")]) for n in (0, 10, 100000)),
        *(http("HEAD", headers=[("x-backend", o)]) for o in ("", "body=5", "status=204", "status=304")),
        *(http(headers=[("x-backend", f"status={s}")]) for s in (204, 304, 503)),
        http(headers=[("x-long", "v" * 8000)]), http(target="/" + "p" * 4000), http(target="http://abs.test/abs?x=1"), http(headers=[("X-Request-Id", "mine")]),
    ]
    pipelined = [sent(http(target="/1") + http("POST", target="/2", body=b"second"), answers=2),
                 sent(http("POST", target="/1", body=b"first") + b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", answers=2)]
    bad = [
        b"GET / HTTP/1.1\r\n\r\n", named("HTTP/0.9", b"GET /\r\n\r\n"), named("HTTP/9.9", b"GET / HTTP/9.9\r\nHost: a\r\n\r\n"), b"G\x00T / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", named("a folded line", b"GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n"), b"GET / HTTP/1.1\r\nHost: a\r\nBad Name: 1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: abc\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n", named("two spaces", b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n"), b"get / HTTP/1.1\r\nHost: a\r\n\r\n",
        http(headers=[("x-big", "v" * 70000)]), http(headers=[(f"x-{i}", "1") for i in range(120)]), b"\x16\x03\x01garbage\r\n\r\n",
        named("a chunk that is longer than it says", http("POST", headers=chunked) + b"3\r\nabcd\r\n0\r\n\r\n"),
        named("two Host fields", b"POST / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
        *(http(target=t) for t in ("http://any.test#x", "http://any.test:80#x", "http://any.test#/x", "http://any.test/#x", "http://#x", "#x", "#/x")),
    ]
    return plain(*good) + pipelined + plain(*bad, *(http("OPTIONS", t) for t in ("http://abs.test", "http://abs.test?x", "http://abs.test/*", "*")))


_SAMPLES = (
    http2("GET", "/"), http2("GET", "/a?b=c"), http2("POST", "/p", body=b"body"), http2("POST", "/p", body=b"body", headers=[("content-length", "4")]), http2("POST", "/big", body=b"z" * 100000),
    http2("HEAD", "/head"), http2("PUT", "/put", body=b"x"), http2("DELETE", "/del"), http2("OPTIONS", "/opt"), http2("GET", "/h", headers=[("x-a", "1"), ("x-a", "2")]),
    http2("GET", "/cookie", headers=[("cookie", "a=b"), ("cookie", "c=d")]), http2("POST", "/trailers", body=b"body", trailers=[("x-end", "1")]), http2("POST", "/trailers-only", trailers=[("x-end", "1")]),
    http2("GET", "/te", headers=[("te", "trailers")]), http2("GET", "/host", headers=[("host", "any.test")]), http2("GET", "/", host="ANY.test:80"), http2("GET", "/scheme", scheme="https"),
    http2("GET", "/xff", headers=[("x-forwarded-for", "1.2.3.4"), ("x-forwarded-for", "5.6.7.8")]), http2("GET", "/ua", headers=[("user-agent", "")]), http2("GET", "/empty", headers=[("x-empty", "")]),
    http2("GET", "/expect", headers=[("expect", "100-continue")]), http2("POST", "/grpc", headers=[("content-type", "application/grpc")], body=b"\0\0\0\0\0"), http2("GET", "/xfp", headers=[("x-forwarded-proto", "https")]),
)
_ORDERS = ("status=204", "status=304", "status=404", "status=500", "body=0", "body=100000", "trailers", "chunked", "close", "header=x-a:1|x-a:2", "reset", "late=20", "early")
_ODD = (
    http2("OPTIONS", "*"), http2("GET", "/caf\u00e9"), http2("GET", "/a#b"), http2("get", "/"), http2("BREW", "/"), http2("CONNECT", None, host="any.test:80"), http2("GET", "/", headers=[("x-" + "n" * 100, "1")]),
)


@case("54-http2")
def downstream_http2():
    out = []
    for prefix in ("", "/h2", "/follow"):
        for head, body, trailers in _SAMPLES:
            out.append(([(n, prefix + v if n == ":path" else v) for n, v in head], body, trailers))
        out += [http2("GET", prefix + "/o", headers=[("x-backend", o)]) for o in _ORDERS if not (prefix and o in ("close", "chunked"))]
    out += [http2("GET", t) for t in ("/direct", "/refused", "/none")] + [http2("GET", "/retry", headers=[("x-backend", o)]) for o in ("refuse", "reset", "status=503")]
    malformed = [named(label, b"", http2=[request]) for label, request in (
        ("no path", http2("GET", None)), ("a field of another connection", http2("GET", "/", headers=[("connection", "close")])), ("another Host", http2("GET", "/", headers=[("host", "other.test")])))]
    together = sent(b"", http2=[http2("GET", f"/{i}") for i in range(8)] + [http2("POST", "/h2/p", body=b"z" * 70000)])
    return over_http2(*out, *_ODD) + [together, *malformed]


@case("55-http2-limits", common={"http2": True})
def http2_limits():
    out = [http2("GET", "/", headers=[("x-long", "v" * n)]) for n in (100, 1000, 1900, 2100, 5000, 70000)]
    out += [http2("GET", "/", headers=[(f"x-{i}", "1") for i in range(n)]) for n in (4, 5, 6, 7, 9, 10, 11, 50)]
    out += [http2("GET", "/", headers=[("x_under", "1")]), http2("GET", "/", headers=[("x-backend", "late=2000")]), http2("GET", "/", headers=[("x-backend", "late=50")]), http2("POST", "/", body=b"z" * 200000)]
    out += [http2("GET", "/", scheme="https"), http2("GET", "/", headers=[("x-backend", "body=300000")])]
    return over_http2(*out) + [named("HTTP/1 on an HTTP/2 port", http())] + [sent(b"", http2=[http2("GET", f"/{i}") for i in range(10)])]


@case("56-grpc", ordered=True)
def grpc():
    call = [("content-type", "application/grpc"), ("te", "trailers")]
    message = b"\0\0\0\0\4ping"
    paths = ("/pkg.Service/Method", "/denied/M", "/refused/M", "/missing/M", "/unrouted")
    out = [http2("POST", p, headers=call) for p in paths] + [http2("POST", p, headers=[("content-type", "application/json")]) for p in paths]
    out += [http2("POST", paths[0], headers=call, body=message)]
    out += [http2("POST", "/p.S/M", headers=[*call, ("x-backend", o)], body=message) for o in (
        "trailers", "status=503", "reset", "drop", "grpc-only;header=grpc-status:5", "grpc-only;header=grpc-status:0", "header=grpc-status:3", "status=404", "status=200;body=10")]
    out += [http2("POST", "/p.S/M", headers=[("content-type", t)]) for t in ("application/grpc+proto", "application/grpc-web", "application/grpc;x")]
    out += [http2("POST", "/late/M", headers=[*call, ("x-backend", "late=300")], body=message), http2("POST", "/p.S/M", headers=call, body=message * 1000, trailers=[("x-end", "1")])]
    return over_http2(*out) + plain(http("POST", "/p.S/M", headers=call, body=message), http("POST", "/denied/M", headers=call))


@case("57-upgrades")
def upgrades():
    def upgrade(target, token, **how):
        return sent(http(target=target, headers=[("Connection", "Upgrade"), ("Upgrade", token), *how.pop("headers", [])]), then=b"over the tunnel", **how)
    out = [upgrade(t, k) for t in ("/ws", "/off", "/own", "/pre/x", "/direct") for k in ("websocket", "WebSocket", "foo", "off", "other")]
    out += [upgrade("/ws", "websocket", headers=[("x-backend", f"status={s}")]) for s in (200, 403, 503)] + [upgrade("/ws", "websocket", headers=[("Sec-WebSocket-Key", "a"), ("Keep-Alive", "1")])]
    out += [sent(f"CONNECT {t} HTTP/1.1\r\nHost: {t}\r\n\r\n".encode(), then=b"through") for t in ("any.test:80", "any.test:443", "[::1]:80", "10.0.0.1:9")]
    out += [sent(f"CONNECT {t} HTTP/1.1\r\nHost: any.test\r\n\r\n".encode()) for t in ("any.test", "/path", "any.test:", "any.test:99999", "http://any.test/")]
    out += [sent(b"CONNECT any.test:80 HTTP/1.1\r\nHost: any.test:80\r\nx-backend: status=503\r\n\r\n"), sent(b"CONNECT any.test:80 HTTP/1.1\r\n\r\n", then=b"x"), sent(b"CONNECT a.test:80 HTTP/1.1\r\nHost: b.test:81\r\n\r\n", then=b"x"),
            sent(b"CONNECT any.test:80 HTTP/1.1\r\nHost: any.test\r\nContent-Length: 3\r\n\r\nabc", then=b"x"), sent(b"CONNECT any.test:80 HTTP/1.1\r\nHost: any.test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")]
    return out + plain(http(target="/ws", headers=[("Upgrade", "websocket")]), http(target="/ws", headers=[("Connection", "Upgrade")]),
                       http("POST", "/ws", headers=[("Connection", "Upgrade"), ("Upgrade", "off")], body=b"body"), http(target="/off", headers=[("Connection", "keep-alive, Upgrade"), ("Upgrade", "h2c")]))


@case("72-http2-upgrades")
def http2_upgrades():
    def upgrade(target, orders="", token="websocket", headers=(), **how):
        told = [("x-backend", orders)] if orders else []
        return sent(http(target=target, headers=[("Connection", "Upgrade"), ("Upgrade", token), *told, *headers]), then=b"over the tunnel", **how)
    out = [upgrade("/hop/ws"), upgrade("/hop/ws", headers=[("Sec-WebSocket-Key", "a"), ("Sec-WebSocket-Version", "13"), ("Cookie", "a=b")]), upgrade("/hop/ws", token="WebSocket"), upgrade("/hop/ws", token="foo")]
    out += [upgrade("/hop/hop/ws")] + [upgrade("/hop/ws", f"status={s}") for s in (201, 204, 301, 403, 503)]
    out += [upgrade("/h2", f"early;status={s}") for s in (201, 202, 204, 206, 301, 403, 503)]
    out += over_http2(*(http2("CONNECT", t, body=b"over the tunnel", pseudo=[(":protocol", "websocket")]) for t in ("/ws", "/hop/ws")))
    return out + over_http2(*(http2("CONNECT", t, headers=[("x-backend", f"{o}status={s}")], body=b"x", pseudo=[(":protocol", "websocket")])
                              for t, o in (("/ws", ""), ("/h2", "early;")) for s in (204, 403, 503)))


@case("58-odd-upstreams")
def odd_upstreams():
    out = [named(o, http(target="/" + o, headers=[("x-backend", "odd=" + o)])) for o in odd_answers.ANSWERS] + [asks("odd=" + o, target="/retry") for o in ("not-http", "101-unasked", "many-headers", "cut-in-the-head", "bad-chunk")]
    out += [asks("odd=" + o, "HEAD") for o in ("no-length", "http10", "204-with-length", "304-with-length", "length-and-chunked", "empty-chunked", "hop-by-hop")]
    out += [asks("odd=" + o, version="HTTP/1.1", headers=[("Connection", "close")]) for o in ("no-length", "http10", "trailer-part")]
    return out + [asks("info=100", target="/info"), named("an early hint", http(target="/info", headers=[("x-backend", "info=103")]))]


@case("59-trailers")
def trailers():
    chunked = [("Transfer-Encoding", "chunked")]

    def with_trailers(fields, target="/", extra=()):
        return http("POST", target, headers=[*chunked, *extra]) + b"3\r\nabc\r\n0\r\n" + fields + b"\r\n"
    fields = (b"X-End: 1\r\n", b"X-End: 1\r\nX-End: 2\r\n", b"X-Empty:\r\n", b"Content-Length: 5\r\n", b"Host: evil\r\n", b"Transfer-Encoding: chunked\r\n", b"Bad Name: 1\r\n", b"X: a\0b\r\n", b"")
    out = [with_trailers(f, t) for f in fields for t in ("/", "/without")] + [with_trailers(b"X-End: 1\r\n", extra=[("x-backend", "trailers"), ("TE", "trailers")])]
    return plain(*out) + [asks("trailers", target=t, headers=h) for t in ("/", "/without") for h in ([], [("TE", "trailers")])]


@case("60-continue")
def expect_continue():
    body = b"the body"
    expecting = http("POST", "/", headers=[("Expect", "100-continue"), ("Content-Length", str(len(body)))])
    return [sent(expecting, then=body), sent(expecting + body), asks("info=103"), asks("info=100"), asks("info=102")] + plain(
        http(headers=[("Expect", "100-continue")]), http(headers=[("Expect", "other")]), http("POST", headers=[("Expect", "100-Continue")], body=body))
