-- What is known of a preview's database besides its kind, its address (db_url) and whether it can be
-- used (db_ready): JSON {kind, mode, version, name, migrate, limitMb, ready, migration, template}.
ALTER TABLE preview_instances ADD COLUMN db_state TEXT;
