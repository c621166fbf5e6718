-- What an item chooses for itself, whose page it may have instead of fetching one, and batches made of others' pages; and
-- receivers of webhooks told by their servers.

-- options: the item's own choices, over those of its batch; price: what it costs if it is not what the batch's others cost.
-- headers: what is sent with its requests, over those of its batch; they may hold secrets, so nothing but a claim reads them.
-- body_batch, body_ord: the item whose stored page it is made of.
ALTER TABLE item ADD COLUMN options jsonb, ADD COLUMN price int CHECK (price >= 0), ADD COLUMN headers jsonb,
    ADD COLUMN body_batch bigint, ADD COLUMN body_ord int,
    ADD CHECK ((body_batch IS NULL) = (body_ord IS NULL));

-- Of the items that a parser was to read and that were there to be read: those of which it made something, those in which it
-- found nothing, those that it could not read.
ALTER TABLE batch_progress ADD COLUMN parsed int NOT NULL DEFAULT 0 CHECK (parsed >= 0),
    ADD COLUMN unmatched int NOT NULL DEFAULT 0 CHECK (unmatched >= 0),
    ADD COLUMN unparsed int NOT NULL DEFAULT 0 CHECK (unparsed >= 0),
    ADD CHECK (parsed <= completed AND unmatched + unparsed <= failed);

-- applied_to: the batch from whose stored pages it was made.
ALTER TABLE batch ADD COLUMN headers jsonb, ADD COLUMN applied_to bigint REFERENCES batch;

-- The stored pages of a URL, by its text. What was fetched with headers of its own is nobody else's.
CREATE INDEX item_page ON item (hashtextextended(ref, 0), batch_id) WHERE state = 1 AND headers IS NULL;

-- receiver: the server of an account's webhook, as many have a URL for each batch, and one of them that hangs hangs for all.
ALTER TABLE event DROP COLUMN receiver;
ALTER TABLE event ADD COLUMN receiver bigint
    GENERATED ALWAYS AS (hashtextextended(lower(coalesce(substring(url FROM '^[^/?#]*//[^/?#]*'), url)), account_id)) STORED;

-- seen: whether an earlier shard of the batch may have asked for a URL of this one, so that its page may be there already.
ALTER TABLE shard ADD COLUMN seen boolean NOT NULL DEFAULT true;
