"""A producer that says when: Kafka's protocol as far as it takes to put records with chosen timestamps into a partition.

Record batches of version 2 (KIP-98), Produce and Metadata requests as in Kafka's protocol guide; one request at a time."""
import random
import socket
import struct


def crc32c_table():
    table = []
    for n in range(256):
        for _ in range(8):
            n = n >> 1 ^ (0x82F63B78 if n & 1 else 0)
        table.append(n)
    return table


TABLE = crc32c_table()


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def varint(n):
    n = n << 1 if n >= 0 else (-n << 1) - 1
    out = bytearray()
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def text(value):
    return struct.pack(">h", len(value)) + value.encode()


def record(n, timestamp_delta, key, value):
    body = b"\0" + varint(timestamp_delta) + varint(n) + varint(len(key)) + key + varint(len(value)) + value + varint(0)
    return varint(len(body)) + body


def record_batch(rows):
    """rows: (timestamp in ms, key, value), as bytes."""
    first = rows[0][0]
    records = b"".join(record(n, ms - first, key, value) for n, (ms, key, value) in enumerate(rows))
    body = struct.pack(">hiqqqhii", 0, len(rows) - 1, first, max(ms for ms, _, _ in rows), -1, -1, -1, len(rows)) + records
    head = struct.pack(">ibI", 0, 2, crc32c(body))
    return struct.pack(">qi", 0, len(head) + len(body)) + head + body


class Producer:
    def __init__(self, bootstrap):
        host, port = bootstrap.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), 30)
        self.n = random.randrange(1 << 20)

    def call(self, api, version, body):
        self.n += 1
        request = struct.pack(">hhi", api, version, self.n) + text("oracle") + body
        self.socket.sendall(struct.pack(">i", len(request)) + request)
        answer = self.take(struct.unpack(">i", self.take(4))[0])
        assert struct.unpack(">i", answer[:4])[0] == self.n, "an answer to another request"
        return answer[4:]

    def take(self, n):
        data = b""
        while len(data) < n:
            piece = self.socket.recv(n - len(data))
            if not piece:
                raise ConnectionError("the broker has hung up")
            data += piece
        return data

    def produce(self, topic, partition, rows):
        """Returns when the broker has them all. The topic has to be there."""
        batch = record_batch(rows)
        body = struct.pack(">hhii", -1, -1, 30000, 1) + text(topic) + struct.pack(">iii", 1, partition, len(batch)) + batch
        answer = self.call(0, 3, body)
        at = 4 + 2 + len(topic) + 4 + 4
        [error] = struct.unpack(">h", answer[at:at + 2])
        if error:
            raise RuntimeError(f"Kafka refused a batch for {topic}/{partition} with error {error}")

    def close(self):
        self.socket.close()
