-- Generations, previews and what happens to them. The same numbers, tables and columns as in
-- ../postgres; only the types of blobs and of counted keys differ.
--
-- Times are milliseconds since 1970 UTC. JSON is TEXT. Words of enums are those the API sends.

-- What this installation has to remember about itself.
CREATE TABLE settings (
    key   TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

-- The files of generations, as a deterministic tar.gz. Generations with equal content share one;
-- it goes with the last of them.
CREATE TABLE generation_archives (
    content_hash TEXT NOT NULL PRIMARY KEY,     -- SHA-256 over metadata and files, lower-case hex
    files        BLOB NOT NULL
);

-- Immutable versions of generated code. A row is never updated.
CREATE TABLE generations (
    id           TEXT   NOT NULL PRIMARY KEY,
    owner        TEXT   NOT NULL,
    metadata     TEXT   NOT NULL,               -- JSON, as the client gave it
    content_hash TEXT   NOT NULL REFERENCES generation_archives (content_hash),
    file_count   BIGINT NOT NULL,
    total_bytes  BIGINT NOT NULL,               -- of the files unpacked
    created_at   BIGINT NOT NULL
);
CREATE INDEX generations_newest ON generations (created_at, id);
CREATE INDEX generations_of_owner ON generations (owner, created_at, id);
CREATE INDEX generations_of_content ON generations (content_hash);

-- One running instance of a generation for one user: what should be, and what was last seen.
-- No foreign key to generations: the record of a preview outlives the code it ran.
CREATE TABLE preview_instances (
    id                         TEXT    NOT NULL PRIMARY KEY,   -- UUID version 7
    generation_id              TEXT    NOT NULL,
    project_id                 TEXT,
    user_id                    TEXT    NOT NULL,
    user_tier                  TEXT    NOT NULL,
    status                     TEXT    NOT NULL,
    failure                    TEXT,                           -- JSON {stage, reason, logTail}
    port                       BIGINT,                         -- of the daemon, not of the container
    base_url                   TEXT    NOT NULL,
    preview_token              TEXT    NOT NULL,               -- SHA-256 of the token, hex; never the token
    token_version              BIGINT  NOT NULL,
    created_at                 BIGINT  NOT NULL,
    started_at                 BIGINT,
    stopped_at                 BIGINT,
    expires_at                 BIGINT  NOT NULL,
    container_id               TEXT,
    image_id                   TEXT,
    container_port             BIGINT  NOT NULL,
    container_status           TEXT,                           -- filled by sampling
    network_mode               TEXT,                           -- name of the preview's own network
    volume_mounts              TEXT,                           -- JSON; filled with databases
    environment_vars           TEXT    NOT NULL,               -- JSON {name: value}
    resource_limits            TEXT    NOT NULL,               -- JSON {memoryMb, cpu, storageMb, pids}
    resource_usage             TEXT,                           -- JSON; filled by sampling
    last_resource_check        BIGINT,                         -- filled by sampling
    startup_timeout_s          BIGINT  NOT NULL,
    db_type                    TEXT    NOT NULL,
    db_url                     TEXT,                           -- encrypted; filled with databases
    db_ready                   BOOLEAN NOT NULL DEFAULT FALSE, -- filled with databases
    log_level                  TEXT    NOT NULL DEFAULT 'INFO',
    max_log_lines              BIGINT  NOT NULL DEFAULT 10000,
    log_storage_location       TEXT,                           -- filled by the streams
    health_status              TEXT    NOT NULL,
    health_path                TEXT    NOT NULL,
    health_path_given          BOOLEAN NOT NULL,               -- the metadata named it
    health_check_interval      BIGINT  NOT NULL,               -- seconds
    last_health_check          BIGINT,
    consecutive_failures       BIGINT  NOT NULL,
    session_extensions_used    BIGINT  NOT NULL,
    session_extensions_allowed BIGINT  NOT NULL,
    request_count              BIGINT  NOT NULL,
    error_count                BIGINT  NOT NULL,
    avg_response_time          DOUBLE PRECISION NOT NULL       -- milliseconds
);
-- At most one live preview per generation and user, whatever the code does.
CREATE UNIQUE INDEX preview_instances_live ON preview_instances (generation_id, user_id)
    WHERE status NOT IN ('stopped', 'failed');
CREATE INDEX preview_instances_newest ON preview_instances (created_at, id);
CREATE INDEX preview_instances_of_generation ON preview_instances (generation_id, created_at, id);
CREATE INDEX preview_instances_of_user ON preview_instances (user_id, created_at, id);

-- The audit trail. `id` gives the order in which things happened.
CREATE TABLE preview_events (
    id         INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    preview_id TEXT    NOT NULL REFERENCES preview_instances (id) ON DELETE CASCADE,
    timestamp  BIGINT  NOT NULL,
    event_type TEXT    NOT NULL,
    event_data TEXT    NOT NULL                 -- JSON
);
CREATE INDEX preview_events_of_preview ON preview_events (preview_id, id);

-- Lines of log, filled by the streams. `seq` counts from 1 per preview, without holes.
CREATE TABLE preview_logs (
    preview_id TEXT   NOT NULL REFERENCES preview_instances (id) ON DELETE CASCADE,
    seq        BIGINT NOT NULL,
    timestamp  BIGINT NOT NULL,
    level      TEXT   NOT NULL,
    source     TEXT   NOT NULL,
    message    TEXT   NOT NULL,                 -- at most 2000 characters; longer ones are split and marked
    metadata   TEXT,                            -- JSON
    trace_id   TEXT,
    PRIMARY KEY (preview_id, seq)
);
CREATE INDEX preview_logs_oldest ON preview_logs (timestamp);

-- Samples of use, filled by the streams.
CREATE TABLE preview_metrics (
    preview_id           TEXT   NOT NULL REFERENCES preview_instances (id) ON DELETE CASCADE,
    timestamp            BIGINT NOT NULL,
    memory_usage_mb      DOUBLE PRECISION,
    cpu_usage_percent    DOUBLE PRECISION,
    disk_usage_mb        DOUBLE PRECISION,
    requests_per_minute  DOUBLE PRECISION,
    avg_response_time_ms DOUBLE PRECISION,
    p95_response_time_ms DOUBLE PRECISION,
    p99_response_time_ms DOUBLE PRECISION,
    error_rate_percent   DOUBLE PRECISION,
    bytes_in             BIGINT,
    bytes_out            BIGINT,
    PRIMARY KEY (preview_id, timestamp)
);
CREATE INDEX preview_metrics_oldest ON preview_metrics (timestamp);
