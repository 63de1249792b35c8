-- The history of use in steps that grow coarser as they age. A step's percentiles can only be had
-- from how long all of its requests took, so that is kept as well.
--
-- Nothing wrote to preview_metrics before this.

ALTER TABLE preview_metrics ADD COLUMN step_s BIGINT NOT NULL DEFAULT 10;  -- seconds, from `timestamp` on
ALTER TABLE preview_metrics ADD COLUMN requests BIGINT NOT NULL DEFAULT 0;
ALTER TABLE preview_metrics ADD COLUMN errors TEXT;      -- JSON {kind: count}; NULL when there were none
ALTER TABLE preview_metrics ADD COLUMN latencies TEXT;   -- total µs;bucket:count,…; NULL when nobody came

-- For what is old enough to be made coarser.
CREATE INDEX preview_metrics_by_step ON preview_metrics (step_s, timestamp);
