-- Webhooks: events that go somewhere, what became of each attempt to deliver them, and the secrets that sign them.

-- url: where the event goes; null: it is a record, and goes nowhere. A test event belongs to no batch. part: the finish
-- number that an event about items begins with, so that there is one for each.
-- round: how often it was asked to be sent again. tries: attempts of the present round. due_at: when the next attempt is due, and while one is
-- under way, when its worker counts as dead. receiver: so that one which hangs is not given all the room.
ALTER TABLE event ALTER COLUMN batch_id DROP NOT NULL, ALTER COLUMN generation DROP NOT NULL,
    ADD COLUMN seq bigint GENERATED ALWAYS AS IDENTITY,
    ADD COLUMN part int NOT NULL DEFAULT 0,
    ADD COLUMN url text,
    ADD COLUMN state text CHECK (state IN ('pending', 'delivered', 'gone', 'given_up')),
    ADD COLUMN round int NOT NULL DEFAULT 0,
    ADD COLUMN tries smallint NOT NULL DEFAULT 0,
    ADD COLUMN due_at timestamptz,
    ADD COLUMN receiver bigint GENERATED ALWAYS AS (hashtextextended(url, 0)) STORED,
    DROP CONSTRAINT event_batch_id_generation_type_key,
    ADD UNIQUE (batch_id, generation, type, part),
    ADD CHECK ((batch_id IS NULL) = (type = 'webhook.test')),
    ADD CHECK ((url IS NULL) = (state IS NULL)),
    ADD CHECK ((due_at IS NOT NULL) = (state IS NOT DISTINCT FROM 'pending'));

CREATE INDEX event_due ON event (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX event_listed ON event (batch_id, seq DESC) WHERE url IS NOT NULL;
CREATE INDEX event_undelivered ON event (account_id, created_at) WHERE state IN ('gone', 'given_up');
CREATE INDEX event_items ON event (batch_id) WHERE type = 'batch.items' AND state <> 'delivered';
CREATE INDEX event_test ON event (created_at) WHERE batch_id IS NULL;

-- The log: an attempt has a status if there was an answer, and a failure (a code and a sentence) if there was none.
-- head: the first bytes of the answer, as text.
CREATE TABLE delivery (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id text NOT NULL REFERENCES event ON DELETE CASCADE,
    attempt  text NOT NULL,
    at       timestamptz NOT NULL,
    ms       int NOT NULL,
    status   smallint,
    head     text,
    failure  text,
    detail   text,
    CHECK ((status IS NULL) = (failure IS NOT NULL))
);

CREATE INDEX delivery_event ON delivery (event_id, id);

-- What signs the deliveries of an account. A retired one signs beside its successor for a while.
CREATE TABLE webhook_secret (
    account_id bigint NOT NULL REFERENCES account,
    value      bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    retired_at timestamptz
);

CREATE UNIQUE INDEX webhook_secret_current ON webhook_secret (account_id) WHERE retired_at IS NULL;
CREATE INDEX webhook_secret_account ON webhook_secret (account_id);

-- How far the items of a batch have been told of in events of their own, in the order in which they finished; so that
-- settling knows nothing of it. next: the finish number to go on with. due_at: when to look for more; null while
-- the latest event is not delivered.
CREATE TABLE item_feed (
    batch_id bigint PRIMARY KEY REFERENCES batch,
    next     int NOT NULL DEFAULT 1,
    due_at   timestamptz DEFAULT now()
);

CREATE INDEX item_feed_due ON item_feed (due_at) WHERE due_at IS NOT NULL;
