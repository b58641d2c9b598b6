-- auth.db: who may ask. Tokens are kept as keyed BLAKE2b only: the file does not help anybody to guess one.
CREATE TABLE secret (
    id  INTEGER PRIMARY KEY CHECK (id = 1), -- one row
    key BLOB NOT NULL CHECK (length(key) = 32) -- of the hashes below; random, made with the file
);
CREATE TABLE token (
    hash       BLOB NOT NULL UNIQUE CHECK (length(hash) = 32), -- BLAKE2b of the token's text under secret.key
    name       TEXT NOT NULL UNIQUE, -- for people: who or what uses it
    scopes     INTEGER NOT NULL, -- bits: 1 read, 2 export, 4 sql, 8 ops, 16 personal:read, 32 personal:write, 64 vault:admin, 128 admin;
                                 -- where one is limited to entities, and for aggregate, text as it was given: read:p2-*,sql
    created_us INTEGER NOT NULL -- microseconds since 1970 UTC
);
CREATE TABLE user (
    name       TEXT NOT NULL UNIQUE, -- of HTTP Basic
    password   TEXT NOT NULL, -- Argon2id with its salt and costs, as libsodium prints it
    scopes     NOT NULL, -- as of a token
    created_us INTEGER NOT NULL -- microseconds since 1970 UTC
);
CREATE TABLE certificate (
    spki       BLOB NOT NULL UNIQUE CHECK (length(spki) = 32), -- SHA-256 of the public key (SubjectPublicKeyInfo) of a client's certificate
    name       TEXT NOT NULL UNIQUE, -- for people: who or what uses it
    scopes     NOT NULL, -- as of a token
    created_us INTEGER NOT NULL -- microseconds since 1970 UTC
);
