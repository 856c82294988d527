"""Authorities of certificates: the mesh's own, whose key the tests can read, and foreign ones."""
import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

HOUR = datetime.timedelta(hours=1)


class Authority:
    """Signs what it is told to. `of` a mesh: with the key of the mesh's own authority, which nobody else can read; `at` a
    folder: with the key of the authority whose files these are."""

    def __init__(self, certificate, key):
        self.certificate, self.key = certificate, key

    @classmethod
    def of(cls, mesh):
        return cls.at(mesh.state / "ca")

    @classmethod
    def at(cls, folder):
        return cls(x509.load_pem_x509_certificate((folder / "root-cert.pem").read_bytes()),
                   serialization.load_pem_private_key((folder / "root-key.pem").read_bytes(), None))

    @classmethod
    def new(cls, organization="foreign"):
        key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization)])
        unsigned = cls._begin(name, name, key.public_key(), 24 * HOUR).add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        unsigned = unsigned.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        return cls(unsigned.sign(key, hashes.SHA256()), key)

    @staticmethod
    def _begin(subject, issuer, key, life):
        now = datetime.datetime.now(datetime.timezone.utc)
        return (x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key).serial_number(x509.random_serial_number())
                .not_valid_before(now - 24 * HOUR).not_valid_after(now + life))

    def certificate_pem(self):
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    def key_pem(self):
        return self._pem(self.key)

    @staticmethod
    def _pem(key):
        return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()

    def issue(self, file, uri=None, dns=None, life=HOUR):
        """Writes a certificate with these names and its key, at once, where applications can read them."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = [of(name) for of, name in ((x509.UniformResourceIdentifier, uri), (x509.DNSName, dns)) if name]
        signed = (self._begin(x509.Name([]), self.certificate.subject, key.public_key(), life)
                  .add_extension(x509.SubjectAlternativeName(names), critical=True)
                  .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
                  .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
                  .sign(self.key, hashes.SHA256()))
        made = file.with_name(f".{file.name}.new")
        made.write_text(signed.public_bytes(serialization.Encoding.PEM).decode() + self._pem(key))
        made.chmod(0o644)
        return made.rename(file)
