-- How much a user has stored is asked at every upload, and answered by this alone.
CREATE INDEX generations_size_of_owner ON generations (owner, total_bytes);
