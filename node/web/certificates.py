"""Shell: the certificate of the page's server beyond loopback: the owner's, or one that is made here once.

One made here is signed by itself. Nobody can vouch for it but its fingerprint, which the server's log shows and a
browser shows too: compare them once.
"""

import os
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from node.configuration.config import Config

CERTIFICATE_FILE = "web-certificate.pem"
KEY_FILE = "web-key.pem"
DAYS = 3650


def certificate_of(config: Config) -> tuple[Path, Path] | None:
    """Certificate and key to serve with, None for plain HTTP on loopback. Raises OSError."""
    web = config.web
    if web.certificate is not None and web.key is not None:
        folder = Path(config.file).parent
        return (folder / web.certificate).resolve(), (folder / web.key).resolve()
    if web.is_loopback:
        return None
    certificate, key = config.directory / CERTIFICATE_FILE, config.directory / KEY_FILE
    if not (certificate.exists() and key.exists()):
        make_certificate(config.node.name, web.host, certificate, key)
    return certificate, key


def make_certificate(name: str, host: str, certificate: Path, key: Path) -> None:
    """Make a key, readable by the owner alone, and a certificate of it for a host's address."""
    secret = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"wattswarm {name}"[:64])])
    now = datetime.now(UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ip_address(host))]
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(secret.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=DAYS))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(secret, hashes.SHA256())
    )
    private = secret.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    key.unlink(missing_ok=True)
    with os.fdopen(os.open(key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(private)
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))


def fingerprint(certificate: Path) -> str:
    """The SHA-256 fingerprint of a certificate, as browsers show it. Raises OSError or ValueError."""
    read = x509.load_pem_x509_certificate(certificate.read_bytes())
    return read.fingerprint(hashes.SHA256()).hex(":").upper()
