"""A certificate that Azurite 3.37.0 can copy from itself with.

For Put Block From URL it trusts exactly the certificate that it presents. So one signed by an authority never verifies
("unable to verify the first certificate"), and it breaks the PEM of one whose base64 fills its last line.
"""

import base64
import ipaddress
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from local_cloud.certificates import Certificates

PEM_LINE = 64
LIFE = timedelta(days=30)


def with_self_signed_server(certificates: Certificates, folder: Path, as_of: datetime) -> Certificates:
    """Answer certificates whose server certificate signs itself; clients trust it beside the authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _sign(key, as_of)
    while len(base64.b64encode(certificate.public_bytes(serialization.Encoding.DER))) % PEM_LINE == 0:
        certificate = _sign(key, as_of)
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    files = replace(
        certificates,
        authority=folder / "trusted.pem",
        certificate=folder / "storage.pem",
        private_key=folder / "storage-key.pem",
    )
    files.authority.write_bytes(certificates.authority.read_bytes() + pem)
    files.certificate.write_bytes(pem)
    files.private_key.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return files


def _sign(key: ec.EllipticCurvePrivateKey, as_of: datetime) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "flexvault local storage")])
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    public = key.public_key()
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(as_of - timedelta(minutes=15))
        .not_valid_after(as_of + LIFE)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False)
        .sign(key, hashes.SHA256())
    )
