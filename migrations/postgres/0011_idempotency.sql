-- Answers to calls that came with an Idempotency-Key, to be given again for a day.
CREATE TABLE idempotency_keys (
    caller      TEXT   NOT NULL,            -- whose token it was, and the user it was for
    key         TEXT   NOT NULL,
    fingerprint TEXT   NOT NULL,            -- SHA-256 over method, address and body, lower-case hex
    status      BIGINT,                     -- NULL while the first call is under way
    headers     TEXT,                       -- JSON [[name, value]]
    body        TEXT,                       -- encrypted
    created_at  BIGINT NOT NULL,
    PRIMARY KEY (caller, key)
);
CREATE INDEX idempotency_keys_oldest ON idempotency_keys (created_at);
