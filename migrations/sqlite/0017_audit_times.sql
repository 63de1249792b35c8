-- Visits to previews are gathered before they are written down: one entry stands for many.
ALTER TABLE audit ADD COLUMN times BIGINT NOT NULL DEFAULT 1;  -- how often it happened, up to the timestamp
