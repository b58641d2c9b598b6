"""A real Kafka that lets nobody in without a certificate or a password, and that forbids what no ACL allows."""
import contextlib
import shlex
import socket
import ssl
import struct
from types import SimpleNamespace

import certificates
from certificates import ec, make, pem, write
from harness import Kafka, Skip, free_port, wait_for

CREATE_TOPICS, CREATE_ACLS, DELETE_ACLS = 19, 30, 31  # keys of Kafka's protocol, and its numbers of what ACLs are made of
KINDS = {"topic": 2, "group": 3, "cluster": 4, "transactional-id": 5}
PATTERNS = {"literal": 3, "prefixed": 4}
OPERATIONS = {"READ": 3, "WRITE": 4, "CREATE": 5, "DESCRIBE": 8}


def text(value):
    return struct.pack(">h", len(value.encode())) + value.encode()


class SecureKafka(Kafka):
    """Clients are dictionaries of librdkafka's properties: `admin` may do everything, others what was granted to them."""

    def __init__(self, folder, users, **properties):
        if not certificates.x509:
            raise Skip("the Python package cryptography is not installed")
        self.certificates = folder.parent / (folder.name + "-certificates")
        self.certificates.mkdir()
        self.authority = certificates.Authority("Kafka")
        (self.certificates / "ca.pem").write_bytes(pem(self.authority.certificate))
        self.users = users
        ports = SimpleNamespace(ssl=free_port(), sasl=free_port(), controller=free_port())
        self.password_bootstrap = f"127.0.0.1:{ports.sasl}"
        super().__init__(folder, **self.configuration(ports), **properties)
        self.admin = self.by_certificate("admin")
        with self.connection():  # it is the last thing to come
            pass

    def configuration(self, ports):
        broker = self.certificate("broker", purpose=None, address="127.0.0.1")
        users = " ".join(f'user_{name}="{password}"' for name, password in self.users.items())
        return {
            "listeners": f"SSL://127.0.0.1:{ports.ssl},SASL_SSL://127.0.0.1:{ports.sasl},CONTROLLER://127.0.0.1:{ports.controller}",
            "controller.quorum.voters": f"1@127.0.0.1:{ports.controller}",
            "listener.security.protocol.map": "SSL:SSL,SASL_SSL:SASL_SSL,CONTROLLER:SSL",
            "inter.broker.listener.name": "SSL",
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": broker,
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": self.certificates / "ca.pem",
            "ssl.client.auth": "required",
            "listener.name.sasl_ssl.ssl.client.auth": "none",
            "sasl.enabled.mechanisms": "PLAIN",
            "listener.name.sasl_ssl.plain.sasl.jaas.config":
                f"org.apache.kafka.common.security.plain.PlainLoginModule required {users};",
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "allow.everyone.if.no.acl.found": "false",
            "super.users": "User:CN=broker;User:CN=admin",
            "auto.create.topics.enable": "false",
        }

    def certificate(self, name, authority=None, **how):
        """The file of a new certificate and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        folder = self.certificates / (authority or self.authority).name
        folder.mkdir(exist_ok=True)
        return write(folder, name, key, make(name, key, authority or self.authority, **how))

    # clients

    def by_certificate(self, name, authority=None):
        path = self.certificate(name, authority)
        return {"bootstrap.servers": self.bootstrap, "security.protocol": "ssl", "ssl.ca.location": self.certificates / "ca.pem",
                "ssl.certificate.location": path, "ssl.key.location": path}

    def by_password(self, name, password=None):
        return {"bootstrap.servers": self.password_bootstrap, "security.protocol": "sasl_ssl", "sasl.mechanism": "PLAIN",
                "ssl.ca.location": self.certificates / "ca.pem", "sasl.username": name, "sasl.password": password or self.users[name]}

    def by_nothing(self):
        return {"bootstrap.servers": self.bootstrap, "security.protocol": "ssl", "ssl.ca.location": self.certificates / "ca.pem"}

    @staticmethod
    def options(client):
        return [option for name, value in client.items() for option in ("-X", f"{name}={value}")]

    def produce(self, topic, messages, *options, client=None):
        client = client or self.admin
        return super().produce(topic, messages, *options, *self.options(client), bootstrap=client["bootstrap.servers"])

    def consume(self, topic):
        return super().consume(topic, *self.options(self.admin))

    # what the admin does; Kafka's own tools would start a Java machine each time

    def connection(self):
        context = ssl.create_default_context(cafile=str(self.certificates / "ca.pem"))
        context.load_cert_chain(str(self.admin["ssl.certificate.location"]))
        host, port = self.bootstrap.split(":")
        return context.wrap_socket(socket.create_connection((host, int(port)), 30), server_hostname=host)

    def ask(self, key, version, body):
        request = struct.pack(">hhi", key, version, 1) + text("admin") + body
        with contextlib.closing(self.connection()) as connection:
            connection.sendall(struct.pack(">i", len(request)) + request)
            stream = connection.makefile("rb")
            return stream.read(struct.unpack(">i", stream.read(4))[0])[8:]  # behind correlation and throttle time

    def create_topics(self, *topics, partitions=1):
        body = struct.pack(">i", len(topics)) + b"".join(
            text(topic) + struct.pack(">ihii", partitions, 1, 0, 0) for topic in topics) + struct.pack(">i?", 30000, False)
        answer = self.ask(CREATE_TOPICS, 2, body)
        assert struct.unpack(">i", answer[:4])[0] == len(topics), answer
        at = 4
        for topic in topics:
            assert answer[at + 2:at + 2 + len(topic)] == topic.encode() and answer[at + 2 + len(topic):][:2] == b"\0\0", answer
            at += 4 + len(topic)
            [n] = struct.unpack(">h", answer[at:at + 2])  # a message, or -1
            at += 2 + max(n, 0)

    def change_acls(self, key, principal, resources):
        entries = [(kind, pattern, name, operation) for kind, pattern, name, operations in resources for operation in operations]
        body = struct.pack(">i", len(entries)) + b"".join(
            struct.pack(">b", KINDS[kind]) + text(name) + struct.pack(">b", PATTERNS[pattern]) + text(principal) + text("*") +
            struct.pack(">bb", OPERATIONS[operation], 3) for kind, pattern, name, operation in entries)
        answer = self.ask(key, 1, body)
        assert answer[:6] == struct.pack(">ih", len(entries), 0), answer  # the others end alike

    def grant(self, principal, *resources):
        """resources: (kind, pattern, name, [operation ...]), as acls() makes them of commands."""
        self.change_acls(CREATE_ACLS, principal, resources)

    def revoke(self, principal, *resources):
        self.change_acls(DELETE_ACLS, principal, resources)


def acls(command):
    """What a kafka-acls --add command line grants, as SecureKafka.grant takes it; [] of one for another role."""
    words = shlex.split(command)
    pattern, resources, operations = "literal", [], []
    for name, value in zip(words, words[1:]):
        if name == "--resource-pattern-type":
            pattern = value
        elif name == "--operation":
            operations.append(value.upper())
        elif name[2:] in KINDS:
            resources.append((name[2:], value))
    return [(kind, pattern, name, operations) for kind, name in resources]
