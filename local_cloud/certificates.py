"""A certificate authority of this cloud's own, and the server certificates for the loopback address.

Azurite has one of its own, signed by itself: to copy from one of its accounts into another it calls itself and then
trusts exactly the certificate that it presents, which Node accepts only of one that is its own issuer.

Python 3.13 verifies strictly: an authority without key usage, or a server certificate without key identifiers, is
refused. So the extensions here are those that RFC 5280 asks for, no fewer.
"""

import base64
import ipaddress
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from local_cloud.files import write_atomically

AUTHORITY_LIFE = timedelta(days=3650)
SERVER_LIFE = timedelta(days=397)
RENEW_BEFORE_END = timedelta(days=30)

_PEM_LINE = 64
_BACKDATED = timedelta(minutes=15)
_NAMES = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificates:
    """Absolute paths of the PEM files."""

    authority: Path
    """What clients trust: the authority and Azurite's certificate."""
    certificate: Path
    """Of the servers, for `localhost` and 127.0.0.1."""
    private_key: Path
    storage_certificate: Path
    """Of Azurite, for the same names."""
    storage_private_key: Path


def now() -> datetime:
    """Answer the present time, for `ensure_certificates`."""
    return datetime.fromtimestamp(time.time(), UTC)


def ensure_certificates(folder: Path, as_of: datetime) -> Certificates:
    """Answer the certificates kept in `folder`; make what is missing, and anew what ends within 30 days."""
    folder.mkdir(parents=True, exist_ok=True)
    folder = folder.resolve()
    files = Certificates(
        authority=folder / "trusted.pem",
        certificate=folder / "server.pem",
        private_key=folder / "server-key.pem",
        storage_certificate=folder / "storage.pem",
        storage_private_key=folder / "storage-key.pem",
    )
    authority, authority_key = folder / "ca.pem", folder / "ca-key.pem"
    if not _is_good(authority, as_of) or not authority_key.exists():
        _make_authority(authority, authority_key, as_of)
        files.certificate.unlink(missing_ok=True)
    if not _is_good(files.certificate, as_of) or not files.private_key.exists():
        _make_server(files, authority, authority_key, as_of)
    if not _is_good(files.storage_certificate, as_of) or not files.storage_private_key.exists():
        _make_storage(files.storage_certificate, files.storage_private_key, as_of)
    trusted = authority.read_bytes() + files.storage_certificate.read_bytes()
    if not files.authority.exists() or files.authority.read_bytes() != trusted:
        write_atomically(files.authority, trusted)
    return files


def _is_good(path: Path, as_of: datetime) -> bool:
    if not path.exists():
        return False
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    return certificate.not_valid_before_utc <= as_of < certificate.not_valid_after_utc - RENEW_BEFORE_END


def _make_authority(path: Path, key_path: Path, as_of: datetime) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "flexvault local cloud authority")])
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    certificate = (
        _start(name, name, key.public_key(), as_of, AUTHORITY_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(identifier, critical=False)
        .sign(key, hashes.SHA256())
    )
    _write_key(key_path, key)
    write_atomically(path, certificate.public_bytes(serialization.Encoding.PEM))


def _make_server(files: Certificates, authority_path: Path, authority_key_path: Path, as_of: datetime) -> None:
    authority = x509.load_pem_x509_certificate(authority_path.read_bytes())
    authority_key = serialization.load_pem_private_key(authority_key_path.read_bytes(), password=None)
    if not isinstance(authority_key, ec.EllipticCurvePrivateKey):
        raise TypeError(f"{authority_key_path} holds no elliptic curve key; hint: remove its folder")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    certificate = _sign_server(name, key, authority.subject, authority_key, as_of)
    _write_key(files.private_key, key)
    write_atomically(files.certificate, certificate.public_bytes(serialization.Encoding.PEM))


def _make_storage(path: Path, key_path: Path, as_of: datetime) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "flexvault local storage")])
    certificate = _sign_server(name, key, name, key, as_of)
    # Azurite breaks the PEM of a certificate whose base64 fills its last line; the next serial number may not.
    while len(base64.b64encode(certificate.public_bytes(serialization.Encoding.DER))) % _PEM_LINE == 0:
        certificate = _sign_server(name, key, name, key, as_of)
    _write_key(key_path, key)
    write_atomically(path, certificate.public_bytes(serialization.Encoding.PEM))


def _sign_server(
    subject: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Name,
    issuer_key: ec.EllipticCurvePrivateKey,
    as_of: datetime,
) -> x509.Certificate:
    issuer_identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    return (
        _start(subject, issuer, key.public_key(), as_of, SERVER_LIFE)
        .add_extension(x509.SubjectAlternativeName(_NAMES), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(issuer_identifier, critical=False)
        .sign(issuer_key, hashes.SHA256())
    )


def _start(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, as_of: datetime, life: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(as_of.astimezone(UTC) - _BACKDATED)
        .not_valid_after(as_of.astimezone(UTC) + life)
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    write_atomically(path, pem)
