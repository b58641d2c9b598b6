-- audit.db: the chain of what was asked of the vault. docs/VAULT.md.
CREATE TABLE entry (
    seq     INTEGER PRIMARY KEY, -- from 1, without gaps
    t_us    INTEGER NOT NULL, -- microseconds since 1970 UTC
    actor   TEXT NOT NULL,
    action  TEXT NOT NULL,
    purpose TEXT NOT NULL,
    result  TEXT NOT NULL, -- done, notfound, denied, restricted ...
    detail  TEXT NOT NULL,
    subject BLOB NOT NULL, -- keyed hash of the subject's id, or empty
    link    BLOB NOT NULL, -- the subject's id under the subject's own key, or empty
    hash    BLOB NOT NULL CHECK (length(hash) = 32) -- BLAKE2b of the hash before and of this row
);
CREATE INDEX entry_subject ON entry (subject, seq);
