"""The requests of each parity case: fifty a file, as (connection options, bytes on the wire)."""


def http(method="GET", target="/", host="any.test", headers=(), body=b"", version="HTTP/1.1"):
    lines = [f"{method} {target} {version}"]
    if host is not None:
        lines.append(f"Host: {host}")
    lines += [f"{n}: {v}" for n, v in headers]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


def plain(*requests):
    return [({}, r) for r in requests]


def routes():
    targets = ["/exact", "/exact?x=1", "/exact/", "/case", "/CASE", "/q?debug=1", "/q?debug=2", "/q?flag", "/q?flag=", "/q?other&flag=1",
               "/q", "/item/12", "/item/12/x", "/item/x", "/item/12x", "/sep", "/sep/", "/sep/a", "/sep?x=1", "/separate",
               "/prefix/a", "/prefix", "/none", "/item/1?x=/y", "/exact%20"]
    out = plain(*(http(target=t) for t in targets))
    out += plain(*(http(target="/h", headers=[("X-User", u)]) for u in ("jason", "jack", "12", "12a", "", "bob")))
    out += plain(http(target="/h"), http(target="/h", headers=[("x-user", "jason"), ("x-user", "bob")]))
    out += plain(http("POST", "/m", body=b"data"), http("GET", "/m"), http("PUT", "/m", body=b"d"), http("OPTIONS", "*"))
    for host in ("a.example.com", "A.Example.COM", "example.com", "named.example.com", "named.example.com:8080", "named.example.com:81",
                 "begin.here", "begin", "beginning.x", "x.y.example.com", "a.example.com:9", "[::1]:80", "unknown"):
        out += plain(http(host=host))
    return out


def sni():
    out = []
    for name in ("a.example.com", "b.example.com", "x.b.example.com", "y.x.b.example.com", "A.EXAMPLE.COM", "c.example.com", None,
                 "example.com", "a.example.com.evil", "b.example.co"):
        for target in ("/", "/one", "/two?x=1", "/three"):
            out.append(({"tls": name or "", "sni": name}, http(target=target, host=name or "none")))
        out.append(({"tls": name or "", "sni": name}, http("POST", "/p", host=name or "none", body=b"payload")))
    return out


def mutual_tls():
    out = []
    spoofed = ("x-forwarded-client-cert", "By=spoofed;URI=spiffe://evil")
    for client, count in (("client", 22), ("stranger", 7), ("foreign", 7), (None, 7), ("backend", 7)):
        for i in range(count):
            request = http("POST" if i % 4 == 3 else "GET", f"/{i}", headers=[spoofed] if i % 2 else [], body=b"x" if i % 4 == 3 else b"")
            out.append(({"tls": "a", "sni": "a.example.com", "client": client, "tls_version": 2 if i % 3 == 2 else 3}, request))
    return out


def rbac():
    out = []
    for target in ("/", "/admin", "/admin/x", "/administrator", "/Admin", "/a.secret", "/a.secret?x=1", "/secret"):
        for method in ("GET", "HEAD", "DELETE"):
            out += plain(http(method, target))
    for user in ("mallory", "editor-ann", "editor-", "editor-Ann", "bob"):
        for host in ("edit.test", "view.test"):
            out += plain(http("POST", "/doc", host=host, headers=[("x-user", user)], body=b"text"))
        out += plain(http("GET", "/doc", headers=[("x-user", user)]))
    for users in (("mallory", "bob"), ("bob", "mallory"), ("bob", "bob")):  # one line cannot hide another
        out += plain(http(headers=[("x-user", user) for user in users]))
    return out + plain(http(headers=[("x-blocked", "")]), http(headers=[("x-blocked", "1")]), http(headers=[("X-BLOCKED", "1")]),
                       http("POST", "/x", headers=[("x-blocked", "1")]), http("PATCH", "/"), http("GET", "/%61dmin"),
                       http("GET", "//admin"), http("OPTIONS", "*"))


def weights_rewrite():
    targets = ["/a", "/a/b?c=d", "/w", "/w?x=1", "/old/", "/old/x", "/old/x?y=1", "/old", "/one", "/one?x=1", "/one/more", "/v1/a", "/v12/a/b?c=d",
               "/vx/a", "/v1/", "/v/", "/host", "/none", "/none/x", "/missing", "/missing?x", "/nowhere", "/old/%20x", "/v2/a%2Fb", "/old//x"]
    return plain(*(http(target=t) for t in targets)) + plain(*(http("POST", t, body=b"body") for t in targets))


def retries():
    out = []
    for path in ("/5xx", "/gw", "/codes", "/reset", "/none"):
        for fail in (0, 1, 2, 3, 4):
            out += plain(http(target=path, headers=[("x-backend", f"fail={fail};key={path}{fail}")]))
    for path in ("/5xx", "/gw", "/codes", "/none"):
        for status in (200, 404, 409, 500, 502):
            out += plain(http("POST", path, headers=[("x-backend", f"status={status}")], body=b"again"))
    return out + plain(http(target="/reset", headers=[("x-backend", "reset")]), http(target="/5xx", headers=[("x-backend", "reset")]),
                       http(target="/none", headers=[("x-backend", "reset")]), http(target="/connect"), http("POST", "/connect", body=b"x"))


def redirect_direct():
    targets = ["/hr", "/hr/a?b=c", "/pr", "/pr?x=1", "/xr/", "/xr/a/b", "/xr/a?b=c", "/s", "/s/a?b", "/strip?x=1", "/strip", "/direct", "/empty", "/direct?x", "/no"]
    out = plain(*(http(target=t) for t in targets)) + plain(*(http(target=t, host="named.test:8080") for t in targets))
    out += plain(*(http("HEAD", t) for t in targets[:13]))
    for headers in ([], [("x-added", "zero")], [("x-over", "old")], [("x-over", "a"), ("x-over", "b")], [("x-absent-only", "mine")],
                    [("x-secret", "s")], [("X-Secret", "s"), ("x-other", "o")]):
        out += plain(http(target="/headers", headers=headers))
    return out


def tcp():
    out = [({"raw": True, "half_close": True}, bytes([97 + i % 26]) * (1 if i < 5 else i * 997)) for i in range(40)]
    # The upstream ends first: after an answer, and without one.
    out += [({"raw": True}, b"!bye " + b"b" * (i * 100)) for i in range(5)]
    return out + [({"raw": True}, b"!go " + b"g" * i) for i in range(5)]


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
    pipelined = [({"answers": 2}, http(target="/1") + http("POST", target="/2", body=b"second")),
                 ({"answers": 2}, http("POST", target="/1", body=b"first") + b"GET / HTTP/1.1\r\nHost : a\r\n\r\n")]
    bad = [
        b"GET / HTTP/1.1\r\n\r\n", b"GET /\r\n\r\n", b"GET / HTTP/9.9\r\nHost: a\r\n\r\n", b"G\x00T / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nBad Name: 1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: abc\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n", b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", b"get / HTTP/1.1\r\nHost: a\r\n\r\n",
        http(headers=[("x-big", "v" * 70000)]), http(headers=[(f"x-{i}", "1") for i in range(120)]), b"\x16\x03\x01garbage\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    ]
    return plain(*good) + pipelined + plain(*bad)


CASES = {
    "01-routes": routes, "02-sni": sni, "03-mutual-tls": mutual_tls, "04-rbac": rbac, "05-weights-rewrite": weights_rewrite,
    "06-retries": retries, "07-redirect-direct": redirect_direct, "08-tcp": tcp, "09-h2-upstream": h2_upstream, "10-messages": messages,
}
