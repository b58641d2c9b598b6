-- vault.db: what is known of subjects, encrypted under each subject's own key (which is in keys.db). docs/VAULT.md.
CREATE TABLE record (
    subject  BLOB NOT NULL CHECK (length(subject) = 16), -- keyed hash of the subject's id
    kind     INTEGER NOT NULL, -- 1 the id, 2 a field, 3 the list of entities, 4 the list of consents
    field    TEXT NOT NULL, -- of kind 2 its name, else empty
    revision INTEGER NOT NULL, -- of the subject, when this was written
    sealed   BLOB NOT NULL, -- nonce, ciphertext of the padded JSON text, tag
    PRIMARY KEY (subject, kind, field)
) WITHOUT ROWID;
CREATE TABLE blind (
    field   TEXT NOT NULL,
    hash    BLOB NOT NULL CHECK (length(hash) = 16), -- keyed hash of field and value
    subject BLOB NOT NULL CHECK (length(subject) = 16),
    PRIMARY KEY (field, hash, subject)
) WITHOUT ROWID;
CREATE INDEX blind_subject ON blind (subject, field);
