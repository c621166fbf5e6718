-- Batches that are filled in several requests, and batches that are forgotten.

-- The politeness bucket of the item's host, so that shards are made by the database from the items that it has. The rows
-- from before this migration have their shards already.
ALTER TABLE item ADD COLUMN bucket smallint NOT NULL DEFAULT 0;

-- purged_at: nothing of it is readable any more. erased_at: its items, packs and objects are gone too.
ALTER TABLE batch ADD COLUMN erased_at timestamptz;

CREATE INDEX batch_expires ON batch (expires_at) WHERE erased_at IS NULL AND expires_at IS NOT NULL;
