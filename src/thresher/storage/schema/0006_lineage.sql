-- Retries: batches of what another batch left without a result.

-- root: the batch that a line of retries began with; null in a batch that is no retry.
ALTER TABLE batch ADD COLUMN root bigint REFERENCES batch, ADD CHECK ((root IS NULL) = (retry_of IS NULL));

CREATE INDEX batch_root ON batch (root) WHERE root IS NOT NULL;

-- Of an item of a retry: the batch that its line began with, and its position there. Found by them, every result of an
-- item of that batch lies together, whichever retry it is of.
ALTER TABLE item ADD COLUMN origin_batch bigint, ADD COLUMN origin_ord int,
    ADD CHECK ((origin_batch IS NULL) = (origin_ord IS NULL));

CREATE UNIQUE INDEX item_origin ON item (origin_batch, origin_ord, batch_id) WHERE origin_batch IS NOT NULL;
