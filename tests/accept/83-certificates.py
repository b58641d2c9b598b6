#!/usr/bin/env python3
"""Clients with certificates: no valid one, no byte of the API; the files are read anew while connections go on."""
import http.client
import json
import re
import signal
import socket
import ssl
import sys
import threading
from types import SimpleNamespace

try:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
except ImportError:
    x509 = None

import harness
from certificates import DAY, SERVER, Authority, key_pem, make, pem, write
from harness import Site, Skip, wait_for

def client(context, name, authority=None, **how):
    """A client's file: a certificate of the authority, and what the authority itself was signed by."""
    key = how.pop("key", None) or ec.generate_private_key(ec.SECP256R1())
    authority = authority or context.authority
    return write(context.folder, name, key, make(name, key, authority, **how), *authority.chain[:-1])


def spki(path):
    key = x509.load_pem_x509_certificate(path.read_bytes()).public_key()
    digest = hashes.Hash(hashes.SHA256())
    digest.update(key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo))
    return digest.finalize().hex()


def setup(folder):
    if not x509:
        raise Skip("the Python package cryptography is not installed")
    context = SimpleNamespace(folder=folder, authority=Authority("Clients"))
    (folder / "ca.pem").write_bytes(pem(context.authority.certificate))
    (folder / "revoked").write_text("# keys that were lost\n")
    context.site = Site(folder / "site", **{
        "almanac.roles": "serve", "http.client_ca": str(folder / "ca.pem"), "http.client_revoked": str(folder / "revoked")})
    context.good = client(context, "good")
    context.site.cli("cert", "add", "--name", "good", "--scope", "read", str(context.good))
    context.site.start()
    return context


def connect(site, path=None, version=None, address=None):
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    tls.load_verify_locations(str(site.folder / "tls" / "server.pem"))
    tls.check_hostname = False
    if version or path:
        tls.set_ciphers("DEFAULT:@SECLEVEL=0")  # a weak key is for the server to refuse, not for the client
    if version:
        tls.minimum_version = tls.maximum_version = version
    if path:
        tls.load_cert_chain(str(path))
    host, port = site.settings["http.listen"].rsplit(":", 1)
    return tls.wrap_socket(socket.create_connection((address or host, int(port)), 20), server_hostname="localhost")


def exchange(connection, target="/v1/series", headers=""):
    """The bytes that come back, b"" where the connection ends instead."""
    connection.sendall(f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n".encode())
    got = b""
    while True:
        piece = connection.recv(65536)
        if not piece:
            return got
        got += piece


def answer(site, path=None, target="/v1/series", headers="", version=None, address=None):
    try:
        with connect(site, path, version, address) as connection:
            return exchange(connection, target, headers)
    except (ssl.SSLError, ConnectionError):
        return b""


def refused(context, path=None, because=None, **how):
    """Not a byte of the API comes back, in no version of TLS, whatever else is shown; because: what the log says of it."""
    token = f"Authorization: Bearer {context.site.token}\r\n"
    for version in [how.pop("version")] if "version" in how else [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]:
        for headers in "", token:
            got = answer(context.site, path, headers=headers, version=version, **how)
            assert got == b"", (path, version, got[:300])
    if because:  # the log tells of ten a second, so perhaps not of those
        before = len(context.site.log())

        def told():
            answer(context.site, path)
            return re.findall(r'client_certificate_refused key=[0-9a-f]{64} why="([^"]*)"', context.site.log()[before:])
        assert because in wait_for(told, 10)[-1], told()



def test_a_certificate_that_was_added_is_let_in(context):
    for version in ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3:
        got = answer(context.site, context.good, version=version)
        assert got.startswith(b"HTTP/1.1 200"), got[:300]


def test_one_that_nobody_added_is_a_stranger(context):
    stranger = client(context, "stranger")
    got = answer(context.site, stranger)
    assert got.startswith(b"HTTP/1.1 401") and b"almanac cert add" in got, got[:300]
    token = f"Authorization: Bearer {context.site.token}\r\n"
    assert answer(context.site, stranger, headers=token).startswith(b"HTTP/1.1 200"), "a token says who it is"
    context.site.cli("cert", "add", "--name", "guest", "--scope", "read", str(stranger))
    wait_for(lambda: answer(context.site, stranger).startswith(b"HTTP/1.1 200"), 5)
    listed = json.loads(context.site.cli("cert", "list", "--json").stdout)
    assert [(row["name"], row["scopes"], row["key"]) for row in listed] == [
        ("good", ["read"], spki(context.good)), ("guest", ["read"], spki(stranger))], listed
    context.site.cli("cert", "remove", "guest")
    wait_for(lambda: answer(context.site, stranger).startswith(b"HTTP/1.1 401"), 5)


def test_none_where_one_is_required(context):
    refused(context)
    assert answer(context.site, target="/").startswith(b""), "pages neither"
    assert answer(context.site, target="/") == b"" and answer(context.site, target="/nothing") == b""
    assert answer(context.site, target="/healthz").startswith(b"HTTP/1.1 200"), "health is for this machine"


def test_expired(context):
    refused(context, client(context, "expired", begin=-9 * DAY, end=-DAY), because="it has expired")


def test_not_yet_valid(context):
    refused(context, client(context, "early", begin=DAY), because="it is not valid yet")


def test_of_another_authority(context):
    other = Authority("Others")
    refused(context, client(context, "other", other), because="none of the authorities has signed it")
    refused(context, client(context, "namesake", Authority("Clients")))  # the name alone is no authority
    key = ec.generate_private_key(ec.SECP256R1())
    refused(context, write(context.folder, "root", key, make("root", key, other), other.certificate))


def test_signed_by_itself(context):
    lone = SimpleNamespace(key=ec.generate_private_key(ec.SECP256R1()), above=None)
    refused(context, write(context.folder, "lone", lone.key, make("lone", lone.key, lone, "lone")), because="none of the authorities has signed it")


def test_of_another_purpose(context):
    refused(context, client(context, "server", purpose=SERVER), because="its purpose (extended key usage) is not clientAuth")
    refused(context, client(context, "anything", purpose=None))


def test_an_authority_as_a_client(context):
    inner = Authority("Inner", context.authority)
    refused(context, write(context.folder, "inner", inner.key, inner.certificate), because="it is an authority's")
    refused(context, write(context.folder, "authority", context.authority.key, context.authority.certificate))
    refused(context, client(context, "both", ca=True))


def test_signed_by_a_client(context):
    """A good leaf is no authority for others."""
    key = ec.generate_private_key(ec.SECP256R1())
    leaf = make("leaf", key, context.authority)
    under = SimpleNamespace(key=key, above=context.authority, certificate=leaf, chain=[leaf, context.authority.certificate])
    refused(context, client(context, "under", under))


def test_a_chain_that_is_too_deep(context):
    deep = context.authority
    for depth in range(2):
        deep = Authority(f"Depth {depth}", deep)
    got = answer(context.site, client(context, "deep enough", deep))
    assert got.startswith(b"HTTP/1.1 401"), got[:300]
    for depth in range(2, 5):
        deep = Authority(f"Depth {depth}", deep)
    refused(context, client(context, "too deep", deep), because="its chain is too long")


def test_a_weak_key(context):
    refused(context, client(context, "weak", key=rsa.generate_private_key(65537, 1024)), because="its key or its signature is too weak")
    assert answer(context.site, client(context, "strong", key=rsa.generate_private_key(65537, 2048))).startswith(b"HTTP/1.1 401")


def test_old_versions_of_tls(context):
    for version in ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1:
        refused(context, context.good, version=version)


def test_a_broken_certificate(context):
    key = ec.generate_private_key(ec.SECP256R1())
    der = bytearray(make("broken", key, context.authority).public_bytes(serialization.Encoding.DER))
    der[-1] ^= 1  # of its signature
    refused(context, write(context.folder, "broken", key, x509.load_der_x509_certificate(bytes(der))), because="its signature is wrong")


def through_a_spoiler(context, spoil):
    """What a client gets whose Certificate message (TLS 1.2 sends it in clear) is changed on its way."""
    host, port = context.site.settings["http.listen"].rsplit(":", 1)
    der = x509.load_pem_x509_certificate(context.good.read_bytes()).public_bytes(serialization.Encoding.DER)
    hits = []
    listener = socket.create_server((host, 0))

    def pump(source, sink, change):
        try:
            while piece := source.recv(65536):
                if change and der in piece:
                    hits.append(1)
                    piece = piece.replace(der, spoil(der))
                sink.sendall(piece)
        except OSError:
            pass
        for end in source, sink:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def serve():
        inner, _ = listener.accept()
        outer = socket.create_connection((host, int(port)))
        threading.Thread(target=pump, args=(outer, inner, False), daemon=True).start()
        pump(inner, outer, True)

    threading.Thread(target=serve, daemon=True).start()
    site = SimpleNamespace(folder=context.site.folder, settings={"http.listen": "%s:%d" % listener.getsockname()})
    got = answer(site, context.good, version=ssl.TLSVersion.TLSv1_2)
    listener.close()
    assert hits, "the certificate did not come by"
    return got


def test_a_garbled_certificate(context):
    for spoil in (lambda der: der[:100] + bytes(len(der) - 100), lambda der: b"\xff" * len(der), lambda der: bytes(len(der)),
                  lambda der: der[:60] + bytes([der[60] ^ 0x55]) + der[61:], lambda der: b"\x30\x80" + der[2:]):
        assert through_a_spoiler(context, spoil) == b""
    assert answer(context.site, context.good).startswith(b"HTTP/1.1 200")


def test_strangers_from_elsewhere_finish_no_handshake(context):
    probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        probe.connect(("192.0.2.1", 9))
        address = probe.getsockname()[0]
    except OSError:
        raise Skip("this machine has no address but its own") from None
    finally:
        probe.close()
    site = context.site.another()
    port = harness.free_port()
    site.start(False, "--set", f"http.listen=0.0.0.0:{port}", "--set", "almanac.roles=serve")
    site.settings["http.listen"] = f"{address}:{port}"
    wait_for(lambda: site.process.poll() is None and reachable(address, port))
    assert answer(site, context.good).startswith(b"HTTP/1.1 200")
    for target in "/healthz", "/v1/series", "/":
        assert answer(site, target=target) == b""
    site.stop()


def reachable(address, port):
    try:
        socket.create_connection((address, port), 1).close()
        return True
    except OSError:
        return False


def kept(context, path):
    """A connection that stays open."""
    tls = connect(context.site, path)
    connection = http.client.HTTPSConnection("localhost")
    connection.sock = tls
    return connection


def status_on(connection, target="/v1/series"):
    connection.request("GET", target)
    got = connection.getresponse()
    got.read()
    return got.status


def test_a_revoked_key_is_refused_at_once(context):
    lost = client(context, "lost")
    context.site.cli("cert", "add", "--name", "lost", "--scope", "read", str(lost))
    open_one, other = kept(context, lost), kept(context, context.good)
    assert status_on(open_one) == 200 and status_on(other) == 200
    (context.folder / "revoked").write_text(f"# keys that were lost\n\nsha256:{spki(lost)} stolen laptop\n{'0' * 64}\n")
    wait_for(lambda: answer(context.site, lost) == b"", 10)  # noticed without a signal
    refused(context, lost, because="revoked")
    try:
        assert status_on(open_one) not in (200, 403), "a connection that was open"
    except (http.client.HTTPException, OSError):
        pass
    assert status_on(other) == 200, "others go on"


def test_a_broken_file_is_refused_by_name_and_the_old_ones_go_on(context):
    site = context.site
    for path, text in ((context.folder / "revoked", "nonsense\n"), (context.folder / "ca.pem", "nonsense\n"),
                       (site.folder / "tls" / "server.pem", "nonsense\n"), (site.folder / "tls" / "server.key", "")):
        good = path.read_bytes()
        before = len(site.log())
        path.write_text(text)
        wait_for(lambda: "certificates_refused" in site.log()[before:] and str(path) in site.log()[before:], 10)
        if path.name != "server.pem":
            assert answer(site, context.good).startswith(b"HTTP/1.1 200"), path
        path.write_bytes(good)
        wait_for(lambda: "certificates_read" in site.log()[before:], 10)
        assert site.log()[before:].count("certificates_refused") == 1, "told once"
    assert answer(site, context.good).startswith(b"HTTP/1.1 200")


def test_a_new_certificate_and_new_authorities_are_taken_at_a_signal(context):
    site = context.site
    open_one = kept(context, context.good)
    assert status_on(open_one) == 200
    old = x509.load_pem_x509_certificate((site.folder / "tls" / "server.pem").read_bytes()).serial_number
    lone = SimpleNamespace(key=ec.generate_private_key(ec.SECP256R1()), above=None)
    new = make("localhost", lone.key, lone, "localhost", purpose=SERVER)
    authority = Authority("Next")
    next_one = client(context, "next", authority)
    (site.folder / "tls" / "server.key").write_bytes(key_pem(lone.key))
    (site.folder / "tls" / "server.pem").write_bytes(pem(new))
    (context.folder / "ca.pem").write_bytes(pem(authority.certificate))
    before = len(site.log())
    site.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "certificates_read" in site.log()[before:], 10)
    with connect(site, next_one) as connection:
        assert x509.load_der_x509_certificate(connection.getpeercert(True)).serial_number == new.serial_number != old
        assert exchange(connection).startswith(b"HTTP/1.1 401")
    refused(context, context.good)
    assert status_on(open_one) == 200, "a connection that was open goes on"
    (context.folder / "ca.pem").write_bytes(pem(context.authority.certificate, authority.certificate))
    wait_for(lambda: answer(site, context.good).startswith(b"HTTP/1.1 200"), 10)


def test_optional_lets_tokens_in_without_a_certificate(context):
    context.site.stop()
    context.site.tls = ssl.create_default_context(cafile=str(context.site.folder / "tls" / "server.pem"))
    context.site.tls.check_hostname = False
    context.site.start(True, "--set", "http.client_certificates=optional")
    assert answer(context.site).startswith(b"HTTP/1.1 401")
    assert answer(context.site, headers=f"Authorization: Bearer {context.site.token}\r\n").startswith(b"HTTP/1.1 200")
    assert answer(context.site, context.good).startswith(b"HTTP/1.1 200")
    refused(context, client(context, "expired too", begin=-9 * DAY, end=-DAY))
    context.site.stop()


sys.exit(harness.main(globals()))
