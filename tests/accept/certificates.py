"""Certificates for tests: authorities, and what they sign."""
import datetime
import ipaddress

try:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
except ImportError:
    x509 = None

NOW = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
DAY = datetime.timedelta(days=1)
CLIENT = [ExtendedKeyUsageOID.CLIENT_AUTH] if x509 else []
SERVER = [ExtendedKeyUsageOID.SERVER_AUTH] if x509 else []


class Authority:
    """Signs certificates; `above` is who signed it."""

    def __init__(self, name, above=None):
        self.name = name
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.above = above
        self.certificate = make(name, self.key, above or self, None if above else name, ca=True, purpose=None)
        self.chain = [self.certificate] + (above.chain if above else [])


def make(name, key, authority, issuer=None, ca=False, purpose=CLIENT, begin=-DAY, end=30 * DAY, address=None):
    def named(text):
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
    builder = (x509.CertificateBuilder().subject_name(named(name))
               .issuer_name(named(issuer) if issuer else authority.certificate.subject)
               .public_key(key.public_key()).serial_number(x509.random_serial_number())
               .not_valid_before(NOW + begin).not_valid_after(NOW + end)
               .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True))
    if purpose:
        builder = builder.add_extension(x509.ExtendedKeyUsage(purpose), critical=False)
    if address:
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
        builder = builder.add_extension(names, critical=False)
    return builder.sign(authority.key, hashes.SHA256())


def pem(*certificates):
    return b"".join(c.public_bytes(serialization.Encoding.PEM) for c in certificates)


def key_pem(key):
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def write(folder, name, key, *certificates):
    """A file with chain and key, as Python's ssl takes it."""
    path = folder / f"{name}.pem"
    path.write_bytes(pem(*certificates) + key_pem(key))
    return path
