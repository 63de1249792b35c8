-- Previews that nobody uses: paused until the next visitor, or ended before their time.
ALTER TABLE preview_instances ADD COLUMN paused_by TEXT;            -- request or idleness, while paused
ALTER TABLE preview_instances ADD COLUMN idle_timeout_s BIGINT;     -- the session ends after so long unused
