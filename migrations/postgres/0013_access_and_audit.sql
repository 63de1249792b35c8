-- Previews that open only to who shows a token.
CREATE TABLE private_previews (
    preview_id TEXT NOT NULL PRIMARY KEY REFERENCES preview_instances (id) ON DELETE CASCADE
);

-- Links that open one preview until a time.
CREATE TABLE preview_shares (
    id         TEXT   NOT NULL PRIMARY KEY,
    preview_id TEXT   NOT NULL REFERENCES preview_instances (id) ON DELETE CASCADE,
    created_by TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    revoked_at BIGINT
);
CREATE INDEX preview_shares_of_preview ON preview_shares (preview_id, created_at, id);

-- Who did what, from where, and what came of it. `id` gives the order.
CREATE TABLE audit (
    id        BIGINT  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    timestamp BIGINT  NOT NULL,
    actor     TEXT,                        -- whose token or key it was; NULL for nobody known
    on_behalf TEXT,                        -- the user it was done for, where that is another
    via       TEXT    NOT NULL,            -- token, key:{id}, previewToken, share:{id}, none
    action    TEXT    NOT NULL,            -- the operation's id
    target    TEXT,                        -- what it was done to: generation, preview or key
    address   TEXT,                        -- where it came from
    status    BIGINT  NOT NULL,            -- of the answer
    trace_id  TEXT
);
CREATE INDEX audit_oldest ON audit (timestamp);
