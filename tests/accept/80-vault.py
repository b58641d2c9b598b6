#!/usr/bin/env python3
"""The vault's process and `almanac vault`, as an operator and a foreign client see them: no Kafka, no HTTP."""
import atexit
import json
import os
import pwd
import shutil
import socket
import sqlite3
import struct
import subprocess
import sys

import harness

VAULTD = harness.BUILD / "almanac-vaultd"
ALMANAC = harness.BUILD / "almanac"


def run(*args, check=True, **more):
    done = subprocess.run([str(a) for a in args], capture_output=True, text=True, timeout=60, **more)
    assert not check or done.returncode == 0, (args, done.stdout, done.stderr)
    return done


def init(folder, *settings, **more):
    run(ALMANAC, "init", folder, *(a for s in settings for a in ("--set", s)), **more)
    return folder


class Process:
    """A vault's process of its own, spoken to in Python."""

    def __init__(self, site, *args, **more):
        if (site / "run" / "vault.lock").exists():
            harness.vault_ended(site)
        self.process = subprocess.Popen([VAULTD, "--dir", site, *args], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                                        **more)
        atexit.register(self.process.kill)
        path = site / "run" / "vault.sock"

        def dialled():
            assert self.process.poll() is None, self.process.stderr.read()
            self.socket = socket.socket(socket.AF_UNIX)
            try:
                self.socket.connect(str(path))
                return True
            except OSError:
                self.socket.close()
                return False
        harness.wait_for(dialled, 20)

    def send(self, frame):
        self.socket.sendall(frame)

    def receive(self):
        def exactly(n):
            got = b""
            while len(got) < n:
                piece = self.socket.recv(n - len(got))
                if not piece:
                    return None
                got += piece
            return got
        head = exactly(4)
        return json.loads(exactly(struct.unpack("<I", head)[0])) if head else None

    def ask(self, do, **question):
        text = json.dumps({"do": do, **question}).encode()
        self.send(struct.pack("<I", len(text)) + text)
        return self.receive()

    def put(self, i):
        return self.ask("put", actor="t", subject=f"s-{i}", fields={"name": f"Canary {i} Novak", "email": f"c{i}@example.org"},
                        entities=[f"m-{i}"], consents=[{"purpose": "billing"}])

    def read(self, i):
        return self.ask("read", actor="t", subject=f"s-{i}", purpose="billing")

    def end(self):
        self.socket.close()
        assert self.process.wait(20) == 0, self.process.stderr.read()
        return self.process.stderr.read()


def files_with(folder, *words):
    return [p for p in folder.rglob("*") if p.is_file() and any(w in p.read_bytes() for w in words)]


def test_init_makes_a_vault_that_answers_and_ends(folder):
    site = init(folder / "site")
    assert (site / "keys" / "vault.key").stat().st_mode & 0o777 == 0o600
    assert len((site / "vault" / "public.key").read_bytes()) == 32
    status = json.loads(run(ALMANAC, "vault", "status", "--json", "--dir", site).stdout)
    assert status["epoch"] == 1 and status["locked"] is False, status
    vault = Process(site)
    for i in range(50):
        assert vault.put(i)["created"] is True
    assert vault.read(7)["fields"]["name"] == "Canary 7 Novak"
    assert "Canary" not in vault.end()
    assert not files_with(site, b"Canary", b"Novak", b"@example.org")


def test_frames_that_are_none_cost_their_sender_the_connection(folder):
    vault = Process(folder / "site", "--stay")
    for frame in (b"\0\0\0\0", b"\xff\xff\xff\xff", struct.pack("<I", (1 << 21) + 1)):
        other = socket.socket(socket.AF_UNIX)
        other.connect(str(folder / "site" / "run" / "vault.sock"))
        other.sendall(frame)
        other.settimeout(20)
        assert other.recv(1) == b""
    vault.send(struct.pack("<I", 9) + b"[1,2,3,4]")
    assert vault.receive()["error"] == "invalid"
    text = b'{"do":"hello","do":"status"}'
    for piece in [struct.pack("<I", len(text)), *(text[i:i + 1] for i in range(len(text)))]:
        vault.send(piece)
    assert vault.receive()["error"] == "invalid"      # one member twice
    assert vault.read(7)["ok"] is True
    vault.process.terminate()
    vault.end()


def test_a_second_process_is_refused(folder):
    vault = Process(folder / "site")
    second = run(VAULTD, "--dir", folder / "site", check=False)
    assert second.returncode == 1 and "running already" in second.stderr, second.stderr
    vault.end()


def test_a_long_path_is_no_obstacle(folder):
    deep = folder / ("d" * 100) / ("e" * 100)
    deep.mkdir(parents=True)
    site = init(deep / "site")
    assert "epoch" in run(ALMANAC, "vault", "status", "--dir", site).stdout
    shutil.rmtree(folder / ("d" * 100))


def test_backup_erase_restore(folder):
    site = folder / "site"
    run(ALMANAC, "vault", "backup", "--dir", site, folder / "data-1")
    run(ALMANAC, "vault", "backup", "--keys", "--dir", site, folder / "keys-1")
    assert not (folder / "data-1" / "keys.db").exists() and not list((folder / "keys-1").glob("epoch*"))
    assert not list((site / "vault").glob("backup/*"))
    vault = Process(site)
    receipt = vault.ask("erase", actor="t", subject="s-3", series="delete")
    assert receipt["entities"] == ["m-3"], receipt
    assert vault.ask("restrict", actor="t", subject="s-4", restricted=True)["ok"]
    busy = run(ALMANAC, "vault", "restore", "--dir", site, folder / "data-1", check=False)
    assert busy.returncode == 1 and "in use" in busy.stderr, busy.stderr
    vault.end()
    run(ALMANAC, "vault", "restore", "--dir", site, folder / "data-1")
    vault = Process(site)
    assert vault.read(3)["error"] == "notfound" and vault.read(4)["error"] == "restricted"
    assert vault.read(5)["fields"]["name"] == "Canary 5 Novak"
    vault.end()
    harness.vault_ended(site)
    with sqlite3.connect(site / "vault" / "vault.db") as db:
        assert db.execute("SELECT count(DISTINCT subject) FROM record").fetchone() == (49,)


def test_lost_keys_are_put_back_and_know_what_came_since(folder):
    site = folder / "site"
    stale = run(ALMANAC, "vault", "restore", "--dir", site, folder / "keys-1", check=False)
    assert stale.returncode == 1 and "is there" in stale.stderr, stale.stderr
    run(ALMANAC, "vault", "backup", "--keys", "--dir", site, folder / "keys-2")
    vault = Process(site)
    assert vault.ask("restrict", actor="t", subject="s-6", restricted=True)["ok"]
    assert vault.put(100)["created"] is True
    vault.end()
    harness.vault_ended(site)
    (site / "vault" / "keys.db").unlink()
    assert run(ALMANAC, "vault", "status", "--dir", site, check=False).returncode == 1
    harness.vault_ended(site)
    stale = run(ALMANAC, "vault", "restore", "--dir", site, folder / "keys-1", check=False)
    assert stale.returncode == 1 and "destroyed by" in stale.stderr, stale.stderr
    done = run(ALMANAC, "vault", "restore", "--dir", site, folder / "keys-2")
    assert "1 subjects were added since" in done.stderr, done.stderr
    vault = Process(site)
    assert vault.put(3)["error"] == "erased" and vault.read(6)["error"] == "restricted" and vault.read(100)["error"] == "notfound"
    assert vault.read(5)["fields"]["name"] == "Canary 5 Novak"
    assert vault.ask("restrict", actor="t", subject="s-6", restricted=False)["ok"]
    vault.end()


def test_older_keys_refuse_a_newer_backup(folder):
    site = folder / "site"
    run(ALMANAC, "vault", "backup", "--dir", site, folder / "data-2")
    manifest = folder / "data-2" / "vault.json"
    told = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({**told, "newest_erase": "2099-01-01T00:00:00Z"}))
    refused = run(ALMANAC, "vault", "restore", "--dir", site, folder / "data-2", check=False)
    assert refused.returncode == 1 and "older than the backup" in refused.stderr, refused.stderr
    # and keys of an epoch that is over open nothing at all
    harness.vault_ended(site)
    aside = (site / "vault" / "keys.db").read_bytes()
    shutil.copy(folder / "keys-1" / "keys.db", site / "vault" / "keys.db")
    assert run(ALMANAC, "vault", "status", "--dir", site, check=False).returncode == 1
    harness.vault_ended(site)
    (site / "vault" / "keys.db").write_bytes(aside)
    assert run(ALMANAC, "vault", "status", "--dir", site).returncode == 0


def test_the_chain_verifies_until_somebody_edits_it(folder):
    site = folder / "site"
    told = json.loads(run(ALMANAC, "vault", "audit", "verify", "--json", "--dir", site).stdout)
    assert told["broken"] is None and told["entries"] > 50 and told["covered"] == told["entries"], told
    harness.vault_ended(site)
    whole = (site / "vault" / "audit.db").read_bytes()
    with sqlite3.connect(site / "vault" / "audit.db") as db:
        db.execute("UPDATE entry SET actor = 'nobody' WHERE seq = 20")
    db.close()
    done = run(ALMANAC, "vault", "audit", "verify", "--dir", site, check=False)
    assert done.returncode == 1 and "entry 20" in done.stderr, done.stderr
    harness.vault_ended(site)
    (site / "vault" / "audit.db").write_bytes(whole)
    assert run(ALMANAC, "vault", "audit", "verify", "--dir", site).returncode == 0


def test_rotation_keeps_everybody(folder):
    site = folder / "site"
    before = json.loads(run(ALMANAC, "vault", "status", "--json", "--dir", site).stdout)
    run(ALMANAC, "vault", "rotate", "--dir", site)
    after = json.loads(run(ALMANAC, "vault", "status", "--json", "--dir", site).stdout)
    assert after["epoch"] == before["epoch"] + 1 and after["subjects"] == before["subjects"] == 49
    assert [p.name for p in (site / "vault").glob("epoch.*")] == [f"epoch.{after['epoch']}"]
    vault = Process(site)
    assert vault.read(5)["ok"] is True
    vault.end()


def test_a_passphrase_unlocks(folder):
    word, wrong = folder / "word", folder / "wrong"
    word.write_text("correct horse\n")
    wrong.write_text("battery\n")
    site = init(folder / "locked", "vault.key=passphrase", env={**os.environ, "ALMANAC_PASSPHRASE_FILE": str(word)})
    assert not (site / "keys").exists() or not list((site / "keys").iterdir())
    vault = Process(site, "--key", "passphrase")
    assert vault.put(1)["error"] == "locked" and vault.ask("status")["locked"] is True
    unlock = lambda path: run(ALMANAC, "vault", "unlock", "--dir", site, check=False,
                              env={**os.environ, "ALMANAC_PASSPHRASE_FILE": str(path)})
    assert unlock(wrong).returncode != 0
    assert unlock(word).returncode == 0
    assert vault.put(1)["created"] is True and vault.read(1)["ok"] is True
    vault.end()


def test_the_unlocking_key_is_changed(folder):
    site = init(folder / "turned")
    vault = Process(site)
    assert vault.put(1)["created"] is True
    vault.end()
    harness.vault_ended(site)
    same = run(ALMANAC, "vault", "rewrap", "--dir", site, check=False)
    assert same.returncode != 0 and "name another place" in same.stderr, same.stderr
    done = run(ALMANAC, "vault", "rewrap", "--dir", site, "--key", "file:keys/next.key")
    assert "key = file:keys/next.key" in done.stderr, done.stderr
    assert (site / "keys" / "next.key").stat().st_mode & 0o777 == 0o600
    harness.vault_ended(site)
    old = run(ALMANAC, "vault", "status", "--dir", site, check=False)
    assert old.returncode == 1 and "does not fit" in old.stderr, old.stderr
    harness.vault_ended(site)
    conf = site / "almanac.conf"
    conf.write_text(conf.read_text() + "\n[vault]\nkey = file:keys/next.key\n")
    (site / "keys" / "vault.key").unlink()
    assert json.loads(run(ALMANAC, "vault", "status", "--json", "--dir", site).stdout)["subjects"] == 1
    harness.vault_ended(site)
    # to a passphrase, which only an unlocked vault changes once more
    word = folder / "word"
    word.write_text("correct horse\n")
    env = {**os.environ, "ALMANAC_PASSPHRASE_FILE": str(word)}
    run(ALMANAC, "vault", "rewrap", "--dir", site, "--key", "passphrase", env=env)
    harness.vault_ended(site)
    locked = run(ALMANAC, "vault", "rewrap", "--dir", site, "--set", "vault.key=passphrase", check=False, env=env)
    assert locked.returncode == 1 and "locked" in locked.stderr, locked.stderr
    vault = Process(site, "--key", "passphrase")
    set_to = ["--dir", site, "--set", "vault.key=passphrase"]
    run(ALMANAC, "vault", "unlock", *set_to, env=env)
    word.write_text("battery staple\n")
    run(ALMANAC, "vault", "rewrap", *set_to, env=env)
    assert vault.read(1)["ok"] is True       # who has it open goes on
    vault.end()
    vault = Process(site, "--key", "passphrase")
    assert vault.ask("unlock", passphrase="correct horse")["error"] == "denied"
    run(ALMANAC, "vault", "unlock", *set_to, env=env)
    assert vault.read(1)["fields"]["name"] == "Canary 1 Novak"
    run(ALMANAC, "vault", "backup", *set_to, folder / "word-1")
    vault.end()
    harness.vault_ended(site)
    run(ALMANAC, "vault", "restore", *set_to, folder / "word-1", env=env)     # which has to unlock it


def test_a_directory_without_a_vault_is_given_one(folder):
    site = init(folder / "bare")
    shutil.rmtree(site / "vault")
    shutil.rmtree(site / "keys")
    almanacd = [harness.BUILD / "almanacd", "-c", site / "almanac.conf"]
    refused = run(*almanacd, check=False)
    assert refused.returncode == 1 and "`almanac vault init`" in refused.stderr, refused.stderr
    done = run(ALMANAC, "vault", "init", "--dir", site)
    assert "keys/vault.key" in done.stderr, done.stderr
    vault = Process(site)
    assert vault.put(1)["created"] is True
    vault.end()
    harness.vault_ended(site)
    public = (site / "vault" / "public.key").read_bytes()
    again = run(ALMANAC, "vault", "init", "--dir", site, check=False)
    assert again.returncode == 1 and "is there already" in again.stderr, again.stderr
    (site / "vault" / "public.key").unlink()
    again = run(ALMANAC, "vault", "init", "--dir", site, check=False)
    assert again.returncode == 1 and "put the file back" in again.stderr, again.stderr
    (site / "vault" / "public.key").write_bytes(public)
    vault = Process(site)
    assert vault.read(1)["ok"] is True
    vault.end()
    # what fails leaves nothing behind
    harness.vault_ended(site)
    shutil.rmtree(site / "vault")
    failed = run(ALMANAC, "vault", "init", "--dir", site, "--set", "vault.key=credential:none", check=False)
    assert failed.returncode == 1 and not list((site / "vault").iterdir()), failed.stderr
    run(ALMANAC, "vault", "init", "--dir", site)


def test_root_s_process_becomes_a_user_of_its_own(folder):
    if os.geteuid() != 0:
        raise harness.Skip("not root")
    nobody = pwd.getpwnam("nobody")
    site = init(folder / "apart", "vault.user=nobody")
    assert all(p.stat().st_uid == nobody.pw_uid for p in [site / "vault" / "keys.db", site / "keys" / "vault.key"])
    vault = Process(site, "--user", "nobody")
    status = (harness.Path("/proc") / str(vault.process.pid) / "status").read_text()
    assert f"Uid:\t{nobody.pw_uid}\t{nobody.pw_uid}\t{nobody.pw_uid}" in status and "NoNewPrivs:\t1" in status, status
    assert "CapEff:\t0000000000000000" in status, status
    assert vault.put(1)["created"] is True and vault.ask("erase", actor="t", subject="s-1", series="keep")["epoch"] == 2
    vault.end()
    for _ in range(2):      # what it could not take away (the socket) is in nobody's way
        run(ALMANAC, "vault", "rotate", "--dir", site)
    run(ALMANAC, "vault", "backup", "--dir", site, folder / "apart-1")
    run(ALMANAC, "vault", "restore", "--dir", site, folder / "apart-1")
    assert run(ALMANAC, "vault", "audit", "verify", "--dir", site).returncode == 0


if __name__ == "__main__":
    sys.exit(harness.main(globals()))
