-- Accounts with credits, requests that can be repeated, limits on requests, and progress that is measured.

-- Of an account without a limit nothing is looked at but its own batches; one with a limit is locked by each of its submits.
-- Operators call them by their names.
ALTER TABLE account ADD COLUMN credit_limited boolean NOT NULL DEFAULT false, ADD UNIQUE (name);

-- What an account may spend is its grants, less what its finished batches were billed, less what its live ones reserve.
-- A grant belongs to no batch, may be negative (taken back), and says why.
ALTER TABLE ledger ALTER COLUMN batch_id DROP NOT NULL, ADD COLUMN note text,
    DROP CONSTRAINT ledger_kind_check,
    ADD CHECK (kind IN ('grant', 'reserve', 'settle')),
    ADD CHECK ((kind = 'grant') = (batch_id IS NULL));

CREATE INDEX ledger_spent ON ledger (account_id) INCLUDE (kind, amount) WHERE kind <> 'reserve';

-- price: the credits that a completed item costs, as its parser said when the batch was made. source: who made the batch.
ALTER TABLE batch ADD COLUMN price int NOT NULL DEFAULT 1 CHECK (price >= 0),
    ADD COLUMN source text NOT NULL DEFAULT 'api';

-- For the list of the latest ones, which need not walk over those that are only tombstones.
CREATE INDEX batch_progress_listed ON batch_progress (account_id, batch_id DESC) WHERE purged_at IS NULL;

-- The answer to a POST with an Idempotency-Key, written in the transaction of what it did.
CREATE TABLE idempotency (
    account_id  bigint NOT NULL REFERENCES account,
    key         text NOT NULL,
    fingerprint bytea NOT NULL,
    status      smallint NOT NULL,
    media_type  text NOT NULL,
    body        bytea NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    expires_at  timestamptz NOT NULL,
    PRIMARY KEY (account_id, key)
);

CREATE INDEX idempotency_expires ON idempotency (expires_at);

-- When the requests of a key so far would have come in at its steady pace, and whether the latest was allowed; lost in a
-- crash, and no harm done.
CREATE UNLOGGED TABLE request_pace (
    key_hash bytea PRIMARY KEY,
    due      timestamptz NOT NULL,
    allowed  boolean NOT NULL
);

-- rate: items finished a second, as of moved_at, newer ones counting more; both are moved by the settle.
ALTER TABLE batch_progress ADD COLUMN rate double precision NOT NULL DEFAULT 0 CHECK (rate >= 0),
    ADD COLUMN started_at timestamptz, ADD COLUMN moved_at timestamptz;

INSERT INTO secret (name, value)
VALUES ('hosted_url', uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()));
