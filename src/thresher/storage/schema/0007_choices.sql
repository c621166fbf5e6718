-- What an item chooses for itself, whose page it may have instead of fetching one, batches made of others' pages,
-- receivers of webhooks told by their servers, and what has changed since an earlier batch.

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

-- digest: what is compared of a result (convert/digest.py); null in rows from before there was one.
ALTER TABLE item ADD COLUMN digest bytea;

-- The items of a batch by their custom_ids. One number holds both, so that no plan finds the batch by its key and then
-- goes through all of it. Only what has an end is in it: the copy of a submit writes nothing here.
CREATE INDEX item_custom ON item (hashtextextended(custom_id, batch_id)) WHERE state <> 0;

-- compare_with: the batch that this one is compared with when it is done; changes: how many items became what since then.
ALTER TABLE batch ADD COLUMN compare_with bigint REFERENCES batch, ADD COLUMN changes jsonb,
    ADD CHECK (changes IS NULL OR compare_with IS NOT NULL);

-- The event of the end of such a batch is due before it goes anywhere, for the changes to be counted; if it goes nowhere, too.
-- unsent: its receiver wants to know of changes, and there were none.
ALTER TABLE event DROP CONSTRAINT event_state_check, DROP CONSTRAINT event_check1,
    ADD CHECK (state IN ('pending', 'delivered', 'gone', 'given_up', 'unsent')),
    ADD CHECK (CASE WHEN url IS NULL THEN state IS NULL OR state = 'pending' ELSE state IS NOT NULL END);

-- Parsers that accounts have declared, a row for each version. Nothing of a row is ever changed but that it is retired: new
-- batches cannot choose it then, and those that have done so read it to their end. The JSON is text, for the order of its keys.
CREATE TABLE parser (
    account_id bigint NOT NULL REFERENCES account,
    name       text NOT NULL,
    version    int NOT NULL CHECK (version > 0),
    definition text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    retired_at timestamptz,
    PRIMARY KEY (account_id, name, version)
);
