-- DIR/erased.db: entities whose curves have to leave the store, and never come again. Names are kept as keyed BLAKE2b only, so
-- that the list itself forgets them.

-- What the hashes are made with: the first is this store's own, others came with lists that were merged into this one.
CREATE TABLE key (
    n   INTEGER PRIMARY KEY,
    key BLOB NOT NULL UNIQUE CHECK (length(key) = 32) -- random, made with the file
) STRICT;

CREATE TABLE entity (
    n       INTEGER PRIMARY KEY AUTOINCREMENT,        -- the order in which they were erased
    key     INTEGER NOT NULL REFERENCES key (n),
    hash    BLOB NOT NULL UNIQUE CHECK (length(hash) = 16), -- BLAKE2b-128 of the entity's name under that key
    at_us   INTEGER NOT NULL,                         -- wall clock of the erasure
    done_us INTEGER                                   -- since when no file has anything of it; NULL: pending
) STRICT;
CREATE INDEX entity_pending ON entity (n) WHERE done_us IS NULL;
