-- Files that were changed in live previews. A generation never changes, so what a preview runs on
-- top of it is kept here: it goes when the preview ends.
CREATE TABLE preview_overlays (
    preview_id   TEXT    NOT NULL PRIMARY KEY REFERENCES preview_instances (id) ON DELETE CASCADE,
    files        BYTEA   NOT NULL,             -- the changed ones, as a deterministic tar.gz
    removed      TEXT    NOT NULL,             -- JSON [paths]
    content_hash TEXT    NOT NULL,             -- SHA-256 over metadata and the files with these on top
    in_place     BOOLEAN NOT NULL              -- the container has them
);
