-- Addresses that are told of events.
CREATE TABLE webhooks (
    id         TEXT    NOT NULL PRIMARY KEY,   -- UUID version 7
    owner      TEXT    NOT NULL,
    url        TEXT    NOT NULL,
    events     TEXT    NOT NULL,               -- words with a comma on either side, or * for all
    everyone   BOOLEAN NOT NULL,               -- events of everybody's previews
    secret     TEXT    NOT NULL,               -- encrypted
    created_at BIGINT  NOT NULL
);
CREATE INDEX webhooks_of_owner ON webhooks (owner, created_at, id);

-- The telling of one event to one address, written in the same transaction as the event. What was
-- said is read from the event when it is sent, and goes with it.
CREATE TABLE webhook_deliveries (
    id         TEXT    NOT NULL PRIMARY KEY,   -- the webhook's id and the event's
    webhook_id TEXT    NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    event_id   INTEGER NOT NULL REFERENCES preview_events (id) ON DELETE CASCADE,
    state      TEXT    NOT NULL,               -- pending, delivered, dead
    attempts   BIGINT  NOT NULL,
    next_at    BIGINT  NOT NULL,
    status     BIGINT,                         -- of the last answer
    problem    TEXT,                           -- why the last try did not do
    created_at BIGINT  NOT NULL,
    ended_at   BIGINT
);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (state, next_at);
CREATE INDEX webhook_deliveries_of_webhook ON webhook_deliveries (webhook_id, event_id);
CREATE INDEX webhook_deliveries_of_event ON webhook_deliveries (event_id);
