"""Virtual hosts, route matches, weights, rewrites, redirects and direct responses."""
from suite import case, http, plain


@case("01-routes")
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


@case("05-weights-rewrite")
def weights_rewrite():
    targets = ["/a", "/a/b?c=d", "/w", "/w?x=1", "/old/", "/old/x", "/old/x?y=1", "/old", "/one", "/one?x=1", "/one/more", "/v1/a", "/v12/a/b?c=d",
               "/vx/a", "/v1/", "/v/", "/host", "/none", "/none/x", "/missing", "/missing?x", "/nowhere", "/old/%20x", "/v2/a%2Fb", "/old//x"]
    return plain(*(http(target=t) for t in targets)) + plain(*(http("POST", t, body=b"body") for t in targets))


@case("07-redirect-direct")
def redirect_direct():
    targets = ["/hr", "/hr/a?b=c", "/pr", "/pr?x=1", "/xr/", "/xr/a/b", "/xr/a?b=c", "/s", "/s/a?b", "/strip?x=1", "/strip", "/direct", "/empty", "/direct?x", "/no"]
    out = plain(*(http(target=t) for t in targets)) + plain(*(http(target=t, host="named.test:8080") for t in targets))
    out += plain(*(http("HEAD", t) for t in targets[:13]))
    for headers in ([], [("x-added", "zero")], [("x-over", "old")], [("x-over", "a"), ("x-over", "b")], [("x-absent-only", "mine")],
                    [("x-secret", "s")], [("X-Secret", "s"), ("x-other", "o")]):
        out += plain(http(target="/headers", headers=headers))
    return out
