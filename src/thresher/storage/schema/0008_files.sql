-- Files that accounts upload, directories of them, and items that are files.

-- Bytes, stored once for each account, as one object. A row without sha256 is an upload that is under way, or was broken off.
-- dropped_at: no file is made of them any more; the object goes, then the row.
CREATE TABLE content (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id bigint NOT NULL REFERENCES account,
    key        text NOT NULL UNIQUE,
    sha256     bytea,
    size       bigint,
    created_at timestamptz NOT NULL DEFAULT now(),
    dropped_at timestamptz,
    CHECK ((sha256 IS NULL) = (size IS NULL))
);

CREATE UNIQUE INDEX content_same ON content (account_id, sha256) WHERE sha256 IS NOT NULL AND dropped_at IS NULL;
CREATE INDEX content_unfinished ON content (created_at) WHERE sha256 IS NULL AND dropped_at IS NULL;
CREATE INDEX content_dropped ON content (id) WHERE dropped_at IS NOT NULL;

-- What a caller calls by a name. seq: the order in which they came, for pages of them.
CREATE TABLE file (
    id               uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    seq              bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    account_id       bigint NOT NULL REFERENCES account,
    content_id       bigint NOT NULL REFERENCES content,
    name             text NOT NULL,
    purpose          text NOT NULL,
    external_file_id text,
    created_at       timestamptz NOT NULL DEFAULT now(),
    expires_at       timestamptz
);

CREATE INDEX file_listed ON file (account_id, seq);
CREATE INDEX file_content ON file (content_id);
CREATE INDEX file_expires ON file (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE directory (
    id                        uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    seq                       bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    account_id                bigint NOT NULL REFERENCES account,
    name                      text NOT NULL,
    type                      text NOT NULL CHECK (type IN ('user', 'ephemeral')),
    description               text,
    system_metadata           jsonb,
    connector_subscription_id text,
    created_at                timestamptz NOT NULL DEFAULT now(),
    updated_at                timestamptz NOT NULL DEFAULT now(),
    expires_at                timestamptz,
    deleted_at                timestamptz
);

CREATE INDEX directory_listed ON directory (account_id, seq);
CREATE INDEX directory_expires ON directory (expires_at) WHERE expires_at IS NOT NULL AND deleted_at IS NULL;
CREATE INDEX directory_deleted ON directory (deleted_at) WHERE deleted_at IS NOT NULL;

-- A file in a directory, under a name of its own. One whose file was deleted is deleted, too; those of a directory that was are
-- not marked each. seq: the order in which they came into the directory; unique_id may be too long for an index.
CREATE TABLE directory_file (
    id           uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    seq          bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    account_id   bigint NOT NULL REFERENCES account,
    directory_id uuid NOT NULL REFERENCES directory,
    file_id      uuid REFERENCES file ON DELETE SET NULL,
    display_name text NOT NULL,
    unique_id    text NOT NULL,
    metadata     jsonb NOT NULL DEFAULT '{}',
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    deleted_at   timestamptz,
    CHECK (file_id IS NOT NULL OR deleted_at IS NOT NULL)
);

CREATE INDEX directory_file_listed ON directory_file (directory_id, seq);
CREATE UNIQUE INDEX directory_file_unique ON directory_file (directory_id, md5(unique_id)) WHERE deleted_at IS NULL;
CREATE INDEX directory_file_deleted ON directory_file (deleted_at) WHERE deleted_at IS NOT NULL;
CREATE INDEX directory_file_of ON directory_file (file_id) WHERE file_id IS NOT NULL;

-- Of an item that is a file: which, and under which name. Nothing is referenced: a file may be deleted before its items are
-- begun, and its results outlive it. content_id tells items of the same bytes.
-- body_batch, body_ord, of one that was skipped: the item that has its result already.
ALTER TABLE item ADD COLUMN file_id uuid, ADD COLUMN content_id bigint, ADD COLUMN name text,
    ADD CHECK ((file_id IS NULL) = (content_id IS NULL) AND (file_id IS NULL) = (name IS NULL));

-- What became of a file under the name that callers know it by: custom_ids may be too long for an index.
CREATE INDEX item_named ON item (hashtextextended(custom_id, 0), batch_id) WHERE file_id IS NOT NULL;
CREATE INDEX item_content ON item (content_id, batch_id) WHERE content_id IS NOT NULL AND state = 1;

-- The directory that a batch was made of.
ALTER TABLE batch ADD COLUMN directory_id uuid;

-- The batches of the parse API by what they are there: its batch jobs, batches and single parses have ids that tell.
CREATE INDEX batch_parse ON batch (account_id, left(public_id, 4), id DESC) WHERE face = 'llamacloud';

-- begun_at: when the first of its items was taken in hand.
ALTER TABLE batch_progress ADD COLUMN begun_at timestamptz;
