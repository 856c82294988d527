"""Which route a request takes: matchers of headers, query parameters and paths, hosts, clusters."""
from suite import asks, case, gets, http, plain


def _with(target, *headers, **how):
    return http(target=target, headers=headers, **how)


@case("11-header-match")
def header_match():
    values = ("abc", "ABC", "abcd", "def", "DEF", "dEf", "prefixed", "PREfixed", "FIXed", "fixed", "the end", "xmidx", "MID", "xcapx", "12", "12a", "", "zzz")
    out = [_with(target, ("x-s", v)) for target in ("/s", "/o", "/i") for v in values]
    out += [_with(target, ("x-s", v)) for target in ("/j", "/k") for v in ("abc", "", "zzz")]
    out += [_with(target) for target in ("/s", "/o", "/i", "/j", "/k", "/l", "/r", "/p", "/t", "/2")]
    out += [_with("/s", ("x-s", "a"), ("x-s", "b")), _with("/s", ("x-s", "abc"), ("x-s", "abc")), _with("/s", ("X-S", "abc"))]
    out += [_with("/r", ("x-n", v)) for v in ("-11", "-10", "0", "9", "10", "99", "100", "+5", "5.0", "abc", "", " 7 ", "00007", "99999999999999999999")]
    out += [_with("/l", ("x-n", v)) for v in ("0", "1")]
    out += [_with("/p", ("x-p", "")), _with("/p", ("x-q", "1")), _with("/p", ("x-p", "1"), ("x-q", "1"))]
    out += [http("POST", "/t"), http("GET", "/t", host="a.special"), http("GET", "/t", host="by.host"), _with("/t?x=1"), _with("/t?x=2"),
            _with("/t", ("X-Forwarded-Proto", "https"))]
    out += [_with("/2", ("x-a", "1")), _with("/2", ("x-a", "1"), ("x-b", "2")), _with("/2", ("x-b", "2"))]
    return plain(*out)


@case("12-query-match")
def query_match():
    queries = ("a=1", "a=2", "a=1&a=2", "a=2&a=1", "A=1", "b=pre", "b=prefix", "b=xpre", "b=theend", "c=MID", "c=xmidx", "d=abc", "d=abcd", "d=", "e", "e=", "e=1",
               "f=1", "f=1&g", "g&f=1", "x=1&a=1", "a=1&x", "a=%31", "%61=1", "a=1#e", "b=pre%20x", "a=1;e", "&&e", "e&&", "=1", "a", "c=m+id")
    return gets(*(f"/q?{q}" for q in queries)) + gets(
        "/q", "/q?", "/f", "/Any/Case", "/any/case", "/ANY/CASE?x", "/any/case/", "/start", "/STARTED", "/Sep", "/sep/x", "/SEP?x", "/separate", "/re/abc/12",
        "/re/abc/123", "/re/ABC/12", "/re/abc/12?x=1", "/one", "/one/", "/onex", "/two/x/y", "/p", "/p?h", "/p?h=1", "/p?i") + plain(
        http("POST", "/g", headers=[("Content-Type", "application/grpc")]), http("POST", "/g", headers=[("Content-Type", "application/grpc+proto")]),
        http("POST", "/g", headers=[("Content-Type", "application/grpc-web")]), http("POST", "/g", headers=[("Content-Type", "application/json")]))


@case("19-hosts")
def hosts():
    names = ("exact.test", "exact.test:80", "exact.test:81", "EXACT.test", "exact.test.", "a.suffix.test", "suffix.test", ".suffix.test", "a.b.suffix.test",
             "a.longer.suffix.test", "longer.suffix.test", "a-dash.test", "-dash.test", "prefix.a", "prefix.", "prefix.a.b:82", "[::1]", "[::1]:80", "[::1]:99",
             "[2001:db8::1]", "[2001:db8::1]:80", "none.test", "unknown.test", "a.suffix.test:80", "secure.test", "outside.test")
    out = [http(host=name) for name in names]
    for proto in ("http", "https", "HTTPS", ""):
        out += [http(host=name, headers=[("X-Forwarded-Proto", proto)]) for name in ("secure.test", "outside.test", "secure.test:80")]
    return plain(*out, http("POST", "/p?x=1", host="secure.test", body=b"x"), http(host="secure.test", target="/a%20b?c"),
                 http(host="outside.test", headers=[("X-Forwarded-For", "1.2.3.4")]), http(host="outside.test", headers=[("X-Forwarded-For", "10.0.0.1")]))


@case("20-any-port")
def any_port():
    names = ("exact.test", "exact.test:1", "exact.test.", "exact.test.:81", "other.test:9", "[::1]:80", "[::1]", "EXACT.TEST:5", "exact.test..", ".", ":80")
    return plain(*(http(host=name) for name in names), *(http(host=name, headers=[("X-Forwarded-Port", "99")]) for name in names[:3]))


@case("21-clusters")
def clusters():
    out = [http(target=t, headers=h) for t in ("/header", "/404", "/500", "/503")
           for h in ([], [("x-cluster", "backend")], [("x-cluster", "other")], [("x-cluster", "missing")], [("x-cluster", "")], [("x-cluster", "backend"), ("x-cluster", "other")])]
    out += [http(target="/authority", host=h) for h in ("backend", "other", "missing.test")]
    return plain(*out) + gets("/b", "/b?x", "/unhealthy", "/empty", "/refused", "/high") + [asks("status=404", target="/404", headers=[("x-cluster", "backend")])]
