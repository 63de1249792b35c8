-- The cache a preview has beside its database: redis, or nothing.
ALTER TABLE preview_instances ADD COLUMN cache_type TEXT;
