-- keys.db: keys, each wrapped by the key of an epoch (a file of its own that no backup has). docs/VAULT.md.
CREATE TABLE own (
    name    TEXT NOT NULL PRIMARY KEY, -- index, tomb, pseudonym, audit, box
    epoch   INTEGER NOT NULL,
    wrapped BLOB NOT NULL CHECK (length(wrapped) = 72) -- nonce, ciphertext, tag
);
CREATE TABLE subject (
    id           INTEGER PRIMARY KEY AUTOINCREMENT, -- of the key; never given again
    subject      BLOB NOT NULL UNIQUE CHECK (length(subject) = 16), -- keyed hash of the subject's id
    revision     INTEGER NOT NULL, -- the newest that was written
    consents     INTEGER NOT NULL, -- the revision of the newest consents: older ones in an older vault.db do not count
    restricted   INTEGER NOT NULL,
    epoch        INTEGER NOT NULL,
    wrapped      BLOB NOT NULL CHECK (length(wrapped) = 72)
);
CREATE TABLE tombstone (
    subject   BLOB NOT NULL PRIMARY KEY CHECK (length(subject) = 16),
    erased_us INTEGER NOT NULL, -- microseconds since 1970 UTC
    ground    TEXT NOT NULL, -- who asked
    done      INTEGER NOT NULL -- 0 until the epoch is another one
) WITHOUT ROWID;
CREATE TABLE pending (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    subject   BLOB NOT NULL UNIQUE CHECK (length(subject) = 16),
    series    INTEGER NOT NULL, -- 1 delete, 0 keep
    erased_us INTEGER NOT NULL,
    sealed    BLOB NOT NULL, -- the names of the entities, under the key tomb
    confirmed INTEGER NOT NULL -- 1: the store has done its part, sealed is empty
);
CREATE TABLE pseudonym (
    identity BLOB NOT NULL PRIMARY KEY CHECK (length(identity) = 16), -- keyed hash of the identity
    epoch    INTEGER NOT NULL, -- 0: erased, and wrapped is empty
    wrapped  BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE alias (
    pseudonym BLOB NOT NULL CHECK (length(pseudonym) = 16), -- keyed hash of a pseudonym that was given out
    identity  BLOB NOT NULL,
    PRIMARY KEY (pseudonym, identity)
) WITHOUT ROWID;
CREATE INDEX alias_identity ON alias (identity);
