-- Secrets: values that documents refer to by name, encrypted with a key that is not in here.

CREATE TABLE secrets (
    name       TEXT NOT NULL,
    key        TEXT NOT NULL,
    sealed     BLOB NOT NULL, -- the nonce, then the ciphertext
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (name, key)
) STRICT, WITHOUT ROWID;
