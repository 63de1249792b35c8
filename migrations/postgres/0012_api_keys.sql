-- Keys of platforms. A revoked one stays, for the trail to lead somewhere.
CREATE TABLE api_keys (
    id           TEXT   NOT NULL PRIMARY KEY,   -- also the beginning of the key itself
    name         TEXT   NOT NULL,
    owner        TEXT   NOT NULL,               -- the user it is for
    tier         TEXT   NOT NULL,
    scopes       TEXT   NOT NULL,               -- JSON [word]
    created_by   TEXT   NOT NULL,
    hash         TEXT   NOT NULL,               -- SHA-256 of the key, lower-case hex; never the key
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT,
    revoked_at   BIGINT,
    last_used_at BIGINT
);
CREATE INDEX api_keys_of_owner ON api_keys (owner, created_at, id);
CREATE INDEX api_keys_newest ON api_keys (created_at, id);
