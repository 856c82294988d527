"""Authorization of requests and connections."""
from suite import case, gets, http, plain, sent


@case("04-rbac")
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


@case("44-rbac-more", stats="rbac")
def rbac_more():
    out = gets("/path", "/path?x=1", "/pathx", "/and", "/a.secret", "/a.secret?x", "/x/hidden/y", "/not", "/or", "/or.x", "/tls", "/port", "/dip", "/sni", "/re/12", "/re/x", "/re/12?x", "/source",
               "/open", "/own", "/logged", "/nobody", "/direct", "/ids", "/remote", "/shop/a/items/1/2", "/shop/a/b/items/1", "/shop/a/items", "/shop/a/items/")
    out += plain(http(target="/and", headers=[("x-a", "1")]), http(target="/not", headers=[("x-allowed", "1")]), http(host="deny.test"), http(host="DENY.test"), http(host="deny.test:80"),
                 *(http(target=t, headers=[("x-user", u)]) for t in ("/ids", "/or") for u in ("ann", "abe", "bob")), *(http("POST", t, body=b"x") for t in ("/own", "/open", "/logged", "/plain", "/path")),
                 *(http(target="/remote", headers=[("X-Forwarded-For", a)]) for a in ("10.1.2.3", "1.2.3.4, 10.1.2.3", "10.1.2.3, 1.2.3.4", "11.0.0.1")),
                 http("POST", "/path", headers=[("Content-Type", "application/grpc")]), http("HEAD", "/path"),
                 *(http(target=t, headers=h) for t in ("/not/moved", "/not/direct") for h in ([], [("x-allowed", "1")])))
    return out


@case("45-network-rbac", common={"tls": True, "sni": "a.example.com", "client": "client"})
def network_rbac():
    out = [sent(http(target=f"/{sni}"), tls=True, sni=sni, client=c) for sni in ("a.example.com", "x.test", "by.address", None) for c in ("client", "stranger", None)]
    return out + [sent(http("POST", "/again", body=b"x"), tls=True, sni="a.example.com", client="client", tls_version=v) for v in (2, 3)]
