-- Previews made ahead of their launch. They have a place of their own beside the live one of their
-- generation and user, and nobody sees them until they are claimed.
ALTER TABLE preview_instances ADD COLUMN parked_until BIGINT;   -- how long it waits; NULL once it is its owner's
DROP INDEX preview_instances_live;
CREATE UNIQUE INDEX preview_instances_live ON preview_instances (generation_id, user_id)
    WHERE status NOT IN ('stopped', 'failed') AND parked_until IS NULL;
CREATE UNIQUE INDEX preview_instances_parked ON preview_instances (generation_id, user_id)
    WHERE status NOT IN ('stopped', 'failed') AND parked_until IS NOT NULL;
