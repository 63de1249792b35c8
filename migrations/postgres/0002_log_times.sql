-- The engine tells when a line was printed to the nanosecond; `timestamp` holds the milliseconds
-- of it, and this the nanoseconds beyond them.
ALTER TABLE preview_logs ADD COLUMN nanos BIGINT NOT NULL DEFAULT 0;
