"""Certificates of applications' own, where applications can read them."""
import contextlib
import pathlib
import subprocess
import tempfile


@contextlib.contextmanager
def shared_folder():
    """A folder that workloads see: their /tmp is their own."""
    with tempfile.TemporaryDirectory(prefix="plait-shared-", dir="/var/tmp") as folder:
        folder = pathlib.Path(folder)
        folder.chmod(0o755)
        yield folder


def self_signed(folder, name, hosts=()):
    """A file with a certificate for `hosts`, whose subject is `name`, and its key."""
    pem = folder / f"{name}.pem"
    names = ["-addext", "subjectAltName=" + ",".join(f"DNS:{host}" for host in hosts)] if hosts else []
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
                    f"/CN={name}", *names, "-keyout", folder / "key", "-out", pem], check=True, capture_output=True)
    pem.write_text(pem.read_text() + (folder / "key").read_text())
    pem.chmod(0o644)
    return pem
