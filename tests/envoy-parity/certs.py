"""Certificates of the parity tests, made afresh for each run."""
import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def make(folder):
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "parity root")])
    ca = _sign(ca_key.public_key(), ca_name, ca_name, ca_key, ca=True)
    other_key = ec.generate_private_key(ec.SECP256R1())
    other_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "foreign root")])
    other = _sign(other_key.public_key(), other_name, other_name, other_key, ca=True)
    _write(folder / "ca.pem", ca)
    _write(folder / "foreign-ca.pem", other)
    for name, uri, dns, issuer, key in (
        ("a", None, "a.example.com", ca_name, ca_key),
        ("b", None, "b.example.com", ca_name, ca_key),
        ("default", None, "default.example.com", ca_name, ca_key),
        ("backend", None, "backend.example.com", ca_name, ca_key),
        ("client", "spiffe://cluster.local/ns/default/sa/client", None, ca_name, ca_key),
        ("stranger", "spiffe://cluster.local/ns/default/sa/stranger", None, ca_name, ca_key),
        ("foreign", "spiffe://cluster.local/ns/default/sa/client", None, other_name, other_key),
    ):
        leaf_key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        san = x509.UniformResourceIdentifier(uri) if uri else x509.DNSName(dns)
        _write(folder / f"{name}.pem", _sign(leaf_key.public_key(), subject, issuer, key, san=san))
        (folder / f"{name}.key").write_bytes(leaf_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))


def _sign(public_key, subject, issuer, key, ca=False, san=None):
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1)).not_valid_after(now + datetime.timedelta(days=1, hours=1))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    if san:
        builder = builder.add_extension(x509.SubjectAlternativeName([san]), critical=False)
    return builder.sign(key, hashes.SHA256())


def _write(path, certificate):
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
