-- Batches that are filled in several requests, and batches that are forgotten.

-- The politeness bucket of the item's host, so that shards are made by the database from the items that it has. The rows
-- from before this migration have their shards already.
ALTER TABLE item ADD COLUMN bucket smallint NOT NULL DEFAULT 0;

-- Retention is counted from the end, so what a purge goes by stands beside it.
-- purged_at: nothing of it is readable any more. erased_at: its items, packs and objects are gone too.
ALTER TABLE batch DROP COLUMN expires_at, DROP COLUMN purged_at;
ALTER TABLE batch_progress ADD COLUMN purged_at timestamptz, ADD COLUMN erased_at timestamptz,
    ADD CHECK (purged_at IS NULL OR state = 'done'),
    ADD CHECK (erased_at IS NULL OR purged_at IS NOT NULL);

-- The columns of these move with the end of a batch and after it, so that counting on the way stays cheap.
CREATE INDEX batch_progress_kept ON batch_progress (finished_at) WHERE state = 'done' AND purged_at IS NULL;
CREATE INDEX batch_progress_purged ON batch_progress (purged_at) WHERE purged_at IS NOT NULL AND erased_at IS NULL;

CREATE INDEX host_paused ON host (paused_until);
CREATE INDEX robots_expires ON robots (expires_at);
