-- What the whole cluster knows of a host, beside its pause.
-- bucket: the politeness bucket of the host; null in rows from before this migration, which are forgotten within minutes.
-- next_at: not before then may a request to it begin. connections: how many requests may be under way while it recovers
-- from a pause, null when it has. strikes: pauses since it last recovered.
ALTER TABLE host ADD COLUMN bucket smallint, ADD COLUMN next_at timestamptz, ADD COLUMN connections smallint,
    ADD COLUMN strikes smallint NOT NULL DEFAULT 0;

CREATE INDEX host_bucket ON host (bucket);

-- The host of all the items of a shard, where they have one in common and it is known.
ALTER TABLE shard ADD COLUMN host text;
