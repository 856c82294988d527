"""What is measured: one Spec says what a proxy listens for and where it forwards; each driver makes its configuration and
gives its command line. Programs come from PATH and from PLAIT_BIN."""
import dataclasses
import glob
import pathlib
import shutil

import envoy_config
from mesh import BIN

PACKAGES = {"haproxy": "haproxy", "nginx": "nginx-light libnginx-mod-stream", "nghttpx": "nghttp2-proxy", "nghttpd": "nghttp2-server"}


@dataclasses.dataclass
class Spec:
    listen: int
    upstream: int
    protocol: str = "h1"           # h1, h2c, tcp
    upstream_protocol: str = "h1"
    tls_in: bool = False           # mutual TLS, TLS 1.3 with AES-128-GCM
    tls_out: bool = False
    fresh: bool = False            # each request on an upstream connection of its own, and each of these by a full handshake
    certificates: str = ""
    name: str = "single"
    clusters: int = 0              # further ones that nobody uses


class Missing(Exception):
    """The program is not installed."""


class Unsupported(Exception):
    """The proxy cannot do this."""


def find(program):
    if (BIN / program).exists():
        return str(BIN / program)
    found = shutil.which(program)
    if not found and program == "envoy":  # of the end-to-end tests' Python environment
        import sys
        beside = pathlib.Path(sys.executable).parent / "envoy"
        found = str(beside) if beside.exists() else None
    if not found:
        hint = f"apt-get install {PACKAGES[program]}" if program in PACKAGES else "cmake --build --preset release --target bench_tools"
        raise Missing(f"{program} is not installed ({hint})" if program != "envoy" else "envoy is not installed (run bench/run by tools/python_env)")
    return found


def plait(spec, folder, mesh=False):
    return [find("plait-proxy"), "-c", envoy_config.write(spec, folder, mesh, envoy=False), "--concurrency", "1", "--log-level", "error"]


def envoy(spec, folder, mesh=False):
    return [find("envoy"), "-c", envoy_config.write(spec, folder, mesh, envoy=True), "--concurrency", "1", "--log-level", "error",
            "--disable-hot-restart"]


def combined(spec, folder, who):
    path = folder / f"{who}.all.pem"
    path.write_text(pathlib.Path(spec.certificates, f"{who}.pem").read_text() + pathlib.Path(spec.certificates, f"{who}.key").read_text())
    return path


def haproxy(spec, folder):
    tcp = spec.protocol == "tcp"
    bind, server = f"bind 127.0.0.1:{spec.listen}", f"server s 127.0.0.1:{spec.upstream} pool-max-conn 1000"
    bind += " proto h2" if spec.protocol == "h2c" else ""
    server += " proto h2" if spec.upstream_protocol == "h2c" else ""
    verify = f"ca-file {spec.certificates}/ca.pem verify required ssl-min-ver TLSv1.3"
    if spec.tls_in:
        bind += f" ssl crt {combined(spec, folder, 'server')} {verify}" + (" no-tls-tickets" if spec.fresh else "")
    if spec.tls_out:
        server += f" ssl crt {combined(spec, folder, 'client')} {verify}" + (" no-ssl-reuse" if spec.fresh else "")
    options = "option splice-auto" if tcp else "option forwardfor\n  http-request set-header x-request-id %[uuid()]\n  " + (
        "option http-server-close\n  http-reuse never" if spec.fresh else "http-reuse always")
    unused = "\n".join(f"backend unused-{n}\n  server s 127.0.0.1:{spec.upstream}" for n in range(spec.clusters))
    path = folder / f"{spec.name}.haproxy.cfg"
    path.write_text(f"""global
  nbthread 1
  maxconn {4000 if tcp else 9000}
  ssl-default-bind-ciphersuites TLS_AES_128_GCM_SHA256
  ssl-default-server-ciphersuites TLS_AES_128_GCM_SHA256
  {'tune.ssl.cachesize 0' if spec.fresh else ''}
defaults
  mode {'tcp' if tcp else 'http'}
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  timeout http-keep-alive 60s
frontend f
  {bind}
  default_backend b
backend b
  {options}
  {server}
{unused}
""")
    return [find("haproxy"), "-db", "-f", path]


def nginx_tls(spec):
    suites = "TLS_AES_128_GCM_SHA256"
    inside = outside = ""
    if spec.tls_in:
        sessions = "ssl_session_tickets off; ssl_session_cache off;" if spec.fresh else ""
        inside = (f"ssl_certificate {spec.certificates}/server.pem; ssl_certificate_key {spec.certificates}/server.key; "
                  f"ssl_client_certificate {spec.certificates}/ca.pem; ssl_verify_client on; ssl_protocols TLSv1.3; "
                  f"ssl_conf_command Ciphersuites {suites}; {sessions}")
    if spec.tls_out:
        outside = (f"proxy_ssl_certificate {spec.certificates}/client.pem; proxy_ssl_certificate_key {spec.certificates}/client.key; "
                   f"proxy_ssl_trusted_certificate {spec.certificates}/ca.pem; proxy_ssl_verify on; proxy_ssl_name localhost; "
                   f"proxy_ssl_protocols TLSv1.3; proxy_ssl_session_reuse {'off' if spec.fresh else 'on'};")
    return inside, outside


def nginx(spec, folder):
    if spec.upstream_protocol == "h2c":
        raise Unsupported("nginx speaks no HTTP/2 to upstreams")
    home = folder / f"{spec.name}.nginx"
    home.mkdir(exist_ok=True)
    module = ""
    if spec.protocol == "tcp":
        modules = glob.glob("/usr/lib/nginx/modules/ngx_stream_module.so") + glob.glob("/usr/lib*/nginx/modules/ngx_stream_module.so")
        if not modules:
            raise Missing("nginx has no stream module (apt-get install libnginx-mod-stream)")
        module = f"load_module {modules[0]};"
        body = f"""stream {{ server {{ listen 127.0.0.1:{spec.listen} backlog=4096; proxy_pass 127.0.0.1:{spec.upstream};
  proxy_buffer_size 64k; tcp_nodelay on; }} }}"""
    else:
        inside, outside = nginx_tls(spec)
        kind = (" ssl" if spec.tls_in else "") + (" http2" if spec.protocol == "h2c" else "")
        keep = "" if spec.fresh else "keepalive 512; keepalive_requests 100000000;"
        unused = "\n".join(f"  upstream unused-{n} {{ server 127.0.0.1:{spec.upstream}; }}" for n in range(spec.clusters))
        temporary = " ".join(f"{name}_temp_path {home}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        body = f"""http {{ access_log off; tcp_nodelay on; keepalive_requests 100000000; keepalive_timeout 60s; sendfile off; {temporary}
  upstream up {{ server 127.0.0.1:{spec.upstream}; {keep} }}
{unused}
  server {{ listen 127.0.0.1:{spec.listen}{kind} backlog=4096; {inside}
    location / {{ proxy_pass {'https' if spec.tls_out else 'http'}://up; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header Host $host; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Request-Id $request_id; {outside} }} }} }}"""
    path = home / "nginx.conf"
    path.write_text(f"""{module} daemon off; master_process off; worker_processes 1; worker_rlimit_nofile 20000; pid {home}/pid;
error_log {home}/error.log error;
events {{ worker_connections 15000; multi_accept on; }}
{body}
""")
    return [find("nginx"), "-p", home, "-c", path, "-e", home / "error.log"]


def nghttpx(spec, folder):
    if spec.tls_in or spec.tls_out or spec.protocol == "tcp":
        raise Unsupported("nghttpx is measured for plaintext HTTP only")
    backend = f"--backend=127.0.0.1,{spec.upstream};;no-tls" + (";proto=h2" if spec.upstream_protocol == "h2c" else "")
    # By a host of its own each: a backend without a pattern is one of "/".
    unused = [f"--backend=127.0.0.1,{spec.upstream};unused-{n}.example/;no-tls" for n in range(spec.clusters)]
    return [find("nghttpx"), "--conf=/dev/null", "--workers=1", "--no-ocsp", f"--frontend=127.0.0.1,{spec.listen};no-tls", backend,
            f"--errorlog-file={folder / 'nghttpx.err'}", "--single-process", "--single-thread", "--backend-keep-alive-timeout=60s",
            "--frontend-http2-max-concurrent-streams=128", *unused]


DRIVERS = {"plait": plait, "plait meshlike": lambda spec, folder: plait(spec, folder, mesh=True),
           "Envoy": envoy, "Envoy meshlike": lambda spec, folder: envoy(spec, folder, mesh=True),
           "plait, heap on record": lambda spec, folder: [find("bench-heap-plait-proxy"), *plait(spec, folder)[1:]],
           "nginx": nginx, "HAProxy": haproxy, "nghttpx": nghttpx}
