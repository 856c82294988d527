"""What a route changes: path, host, headers; and what it answers by itself."""
from suite import asks, case, gets, http, http2, over_http2, plain


@case("13-rewrites")
def rewrites():
    out = gets("/pre/a", "/pre/", "/pre/a?b=c", "/pre//a", "/base", "/base/a", "/baseless?x", "/any/a", "/ANY/a", "/Any/", "/exact", "/exact?a=b", "/query", "/query/a", "/query?x=2",
               "/sep", "/sep/a", "/sep?x", "/rm/a", "/rm/a?x=1", "/re/a/b", "/re/a/b/c?d=e", "/re/a", "/re/a/b?q=/re/x/y", "/all/foo/boo?o=o", "/all/x", "/literal", "/literal?x",
               "/host/new.test", "/host/new.test/x?y", "/host/9", "/auto", "/auto/x", "/unnamed", "/weighted", "/both/x", "/pre/%2F", "/pre/../x", "/nothing", "/nothing?x=1", "/nothing/x")
    for name in ("/literal", "/auto", "/weighted"):
        out += plain(*(http(target=name, headers=h) for h in ([("X-Forwarded-Host", "first.test")], [("X-Forwarded-Host", "any.test")], [("X-Forwarded-Host", "a, any.test")])))
        out += gets(name, host="endpoint.test") + gets(name + "?2", host="any.test:8080")
    out += plain(*(http(target="/header", headers=h) for h in ([], [("x-host", "by.header")], [("x-host", "")], [("x-host", "a"), ("x-host", "b")])),
                 http(target="/pre/a", headers=[("X-Envoy-Original-Path", "/first")]), http(target="/literal", headers=[("X-Envoy-Original-Host", "first")]))
    return out + gets("/both-literal", "/both-regex/new.test", "/both-regex/9", "/relative/x", "/relative/x?y") + plain(*(http(target="/both-header", headers=h) for h in ([], [("x-host", "by.header")])))


@case("14-redirects")
def redirects():
    targets = ("/https", "/https/a?b=c", "/scheme", "/host", "/host/a?b", "/port", "/secure", "/path", "/path?x=1", "/pq", "/pq?x=1", "/ps?x=1", "/pre/a", "/pre/a?x=1",
               "/prs/a?x=1", "/prs/", "/re/a", "/re/a?x=1", "/rx/a?x=1", "/exact", "/exact?x=1", "/every", "/every?x=1", "/path%20x", "/host//a")
    out = gets(*targets)
    for host in ("any.test:80", "any.test:443", "any.test:8080", "[::1]:80", "[::1]", "ANY.test"):
        out += gets("/https", "/scheme", "/port", "/secure", "/host", "/path", host=host)
    for target in ("/https", "/secure", "/port", "/path", "/host"):
        out += [http(target=target, host="any.test:443", headers=[("X-Forwarded-Proto", "https")]), http(target=target, host="any.test:80", headers=[("X-Forwarded-Proto", "https")])]
    out += [http("POST", "/https", body=b"x"), http("HEAD", "/https"), http("GET", "/https", headers=[("Content-Type", "application/grpc")])]
    out += [http(target=t) for t in ("/relative", "/relative?x=1", "/old/a", "/cut/x", "/cut@evil.test/x", "/cut.evil.test/x?y", "/cut", "/cut?x=1", "/found")]
    for said in ("ftp", "javascript", "HTTPS", "https,http", "https"):
        out += [http(target=t, host=h, headers=[("X-Forwarded-Proto", said)]) for t in ("/path", "/found") for h in ("any.test", "any.test:80", "any.test:443")]
    out += [http(target="/path", headers=[("X-Forwarded-Proto", "https"), ("X-Forwarded-Proto", "http")])]
    for url in ("https://any.test", "https://any.test:80", "http://any.test:443", "HTTPS://any.test"):
        out += [http(target=url + t, headers=h) for t in ("/path", "/found", "/https") for h in ([], [("X-Forwarded-Proto", "https")])]
    return plain(*out) + over_http2(*(http2(target=t, host=h, scheme=s) for t in ("/path", "/found", "/https") for h in ("any.test", "any.test:80", "any.test:443") for s in ("http", "https")))


@case("15-header-mutations")
def header_mutations():
    sets = ([], [("x-absent", "mine")], [("x-over", "mine")], [("x-over", "a"), ("x-over", "b")], [("x-exists", "mine")], [("x-exists", "a"), ("x-exists", "b")], [("x-all", "mine")],
            [("x-route-append", "mine")], [("x-table-append", "mine")], [("x-table-gone", "1"), ("x-host-gone", "1"), ("x-route-gone", "1"), ("x-cluster-gone", "1")], [("X-OVER", "mine")])
    out = [http(target=t, headers=h) for t in ("/w", "/any") for h in sets] + [http(target=t) for t in ("/direct", "/redirect")]
    extra = ("x-r-over:mine", "x-table-response:1|x-host-response:1|x-route-response:1|x-cluster-response:1", "X-R-Over:a|X-R-Over:b")
    return plain(*out) + [asks(f"header={e}", target=t) for e in extra for t in ("/w", "/any")]


@case("16-header-mutations-specific")
def header_mutations_specific():
    return header_mutations()


@case("17-header-operators")
def header_operators():
    out = [http(target="/op" + t, headers=h) for t in ("", "/x?y=z") for h in (
        [], [("x-a", "va")], [("x-b", "vb")], [("x-a", ""), ("x-b", "vb")], [("x-long", "abcdefgh")], [("x-a", "1"), ("x-a", "2")], [("x-a", "caf\u00e9")],
        [("x-op-0", "mine")], [("X-Forwarded-For", "1.2.3.4")], [("x-none", "now")])]
    return plain(*out, http("POST", "/op", body=b"four")) + [asks(o, target="/op") for o in ("status=404", "status=500", "reset", "header=x-resp:own", "header=x-a:of-response")]


@case("18-direct-response")
def direct_response():
    paths = [f"/s{n}" for n in (200, 201, 202, 204, 205, 300, 301, 304, 400, 401, 404, 418, 429, 500, 503, 599)] + [
        "/empty", "/bytes", "/file", "/typed", "/typed-twice", "/none", "/posted", "/unrouted"]
    grpc = [("Content-Type", "application/grpc")]
    out = gets(*paths) + plain(*(http("HEAD", p) for p in paths), *(http("POST", p, headers=grpc) for p in paths))
    return out + plain(http("POST", "/posted", body=b"some data"), http("POST", "/posted", headers=[("Transfer-Encoding", "chunked")]) + b"3\r\nabc\r\n0\r\n\r\n",
                       http("POST", "/posted", headers=[("Expect", "100-continue")], body=b"x"))
