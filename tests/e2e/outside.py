"""Servers of the host that the tests run, as workloads reach them."""
import contextlib
import http.server
import threading

HOST = "169.254.7.1"  # of workloads, for the host's 127.0.0.1
NAME = "host.plait.internal"


class Page(http.server.BaseHTTPRequestHandler):
    """Answers with what it was asked for."""
    protocol_version = "HTTP/1.1"

    def text(self):
        return f"outside {self.path} {self.headers['Host']}\n"

    def do_GET(self):
        body = self.text().encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def serving(server_class, handler, **attributes):
    """On a port of 127.0.0.1, which it yields; `attributes` are the server's."""
    with server_class(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        for name, value in attributes.items():
            setattr(server, name, value)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@contextlib.contextmanager
def web_server():
    with serving(http.server.ThreadingHTTPServer, Page) as port:
        yield port
