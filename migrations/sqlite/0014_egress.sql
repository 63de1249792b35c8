-- Where a preview may connect to: open, none, or a list of targets.
ALTER TABLE preview_instances ADD COLUMN egress TEXT NOT NULL DEFAULT 'open';
