"""The access log: operators, forms and filters."""
from suite import asks, case, gets, http, http2, over_http2, plain


def _logged():
    grpc = [("Content-Type", "application/grpc")]
    out = gets("/", "/direct", "/refused", "/pre/a?b", "/none") + plain(
        http(headers=[("X-A", "abcdef")]), http(headers=[("X-B", "b")]), http(headers=[("X-A", ""), ("X-B", "b")]), http(headers=[("X-A", "1"), ("X-A", "2")]), http(headers=[("X-A", 'quote " and \\ back')]),
        http(headers=[("X-Forwarded-For", "1.2.3.4")]), http("POST", body=b"body"), http(headers=[("User-Agent", "curl/8")]), b"GET / HTTP/1.1\r\nHost: a\r\nBad Name: 1\r\n\r\n")
    out += [asks(o) for o in ("status=404", "status=500", "reset", "body=1000", "chunked", "late=20", "trailers", "odd=not-http", "header=x-backend-says:again", "odd=cut-in-the-head", "cut;body=400")]
    out += [asks(o, "POST", "/h2/call", headers=grpc) for o in ("trailers", "grpc-only;header=grpc-status:5", "grpc-only;header=grpc-status:0", "grpc-only;header=grpc-status:99", "status=503", "reset")]
    return out + plain(http("POST", "/refused", headers=grpc)) + over_http2(http2("GET", "/h2/x"), http2("POST", "/p", body=b"body"))


@case("61-log-text", common={})
def log_text():
    return _logged()


@case("62-log-json", common={})
def log_json():
    return _logged()


@case("63-log-omitted", common={})
def log_omitted():
    return _logged()


@case("69-log-operators", common={})
def log_operators():
    return _logged() + gets("/q?x=1&y=two%20b&x=9&e=&f&p%71=esc&plus=a+b", "/pre/q?x=%31", "/?", "/direct?x")


@case("64-log-filters", common={})
def log_filters():
    return _logged() + [asks(f"status={s}") for s in (200, 201, 299, 300, 404, 499, 500, 501, 599)]
