"""Which host of a cluster a request goes to, and copies of requests."""
from suite import asks, case, gets, http, plain

_KEYS = [f"key-{i}" for i in range(24)] + ["", "a", "jason", "key-1-x", "key-2-y"]


def _hashed():
    out = [http(target=t, headers=[("x-key", k)]) for t in ("/header", "/rewritten", "/weighted", "/terminal") for k in _KEYS]
    out += [http(target=f"/path/{i}") for i in range(12)] + [http(target=f"/query?k={k}") for k in _KEYS[:12]]
    out += [http(target=t, headers=[("Cookie", c)]) for t in ("/cookie", "/made", "/session") for c in (
        "user=ann", "user=bob", 'user="ann"', "other=1; user=ann", "user=ann; user=bob", "xuser=1;user=carl")]
    out += [http(target=f"/two?k={k}", headers=[("x-key", k)]) for k in _KEYS[:12]] + [http(target=f"/terminal?k={k}") for k in _KEYS[:6]]
    out += [http(target=f"/ip/{i}") for i in range(12)] + [http(target="/ip/x", headers=[("X-Forwarded-For", a)]) for a in ("1.2.3.4", "5.6.7.8", "2001:db8::1")]
    return plain(*out, http(target="/header/two", headers=[("x-key", "a"), ("x-key", "b")]), http(target="/alone/made"), http(target="/alone/session"),
                 http(target="/alone/made", headers=[("Cookie", "user=")]), http(target="/alone/made", headers=[("Cookie", "user=ann")]))


@case("39-ring-hash")
def ring_hash():
    return _hashed()


@case("40-maglev")
def maglev():
    return _hashed()


@case("41-priorities")
def priorities():
    names = ("failover", "draining", "timeout", "all-degraded", "third", "panic", "no-panic", "first", "locality", "local-down", "random", "least")
    return [request for name in names for request in gets(*(f"/{name}/{i}" for i in range(4)))]


@case("38-mirrors", ordered=True)
def mirrors():
    out = []
    for i, (target, order, host, asked) in enumerate((
            ("/one", "on=B", "any.test", "b"), ("/one?x=1", "on=B", "any.test:8080", "b"), ("/pre/x?y", "on=B", "any.test", "b"), ("/plain", "on=B", "any.test", "b"),
            ("/two", "on=B", "any.test", "b"), ("/two/2", "on=C", "any.test", "c"), ("/", "on=D", "any.test", "d"), ("/of/host", "on=B", "host.test", "b"))):
        for method, body in (("GET", b""), ("POST", b"a body")):
            key = f"{i}{method}"
            out += [asks(f"{order};note={key}", method, target, host=host, body=body), asks(f"tell={key}", target=f"/tell/{asked}")]
    out += [asks("on=B;status=500;note=500", target="/one"), asks("tell=500", target="/tell/b"), asks("on=B;reset", target="/one/reset"), *gets("/never", "/refused")]
    chunked = http("POST", "/one/chunked", headers=[("Transfer-Encoding", "chunked"), ("x-backend", "on=B;note=chunked")]) + b"3\r\nabc\r\n0\r\n\r\n"
    return out + plain(chunked) + [asks("tell=chunked", target="/tell/b"), asks("on=B;note=large", "POST", "/one/large", body=b"z" * 100000), asks("tell=large", target="/tell/b")]
