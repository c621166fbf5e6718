"""Files that nobody uploaded: rows of the database, for tests in which nothing reads their bytes."""

from uuid import UUID

from thresher.storage.database import Pool

_FILES = """
WITH numbered AS (SELECT n, (SELECT min(id) FROM account) AS account FROM generate_series(1, $1) AS n),
stored AS (
    INSERT INTO content (account_id, key, sha256, size)
    SELECT account, gen_random_uuid()::text, uuid_send(gen_random_uuid()), 1 FROM numbered ORDER BY n RETURNING id, account_id
),
named AS (
    INSERT INTO file (account_id, content_id, name, purpose)
    SELECT account_id, id, 'file' || row_number() OVER (ORDER BY id) || '.pdf', 'parse' FROM stored ORDER BY id
    RETURNING id, seq, account_id, name
)
SELECT id, account_id, name FROM named ORDER BY seq
"""

_FILED = """
INSERT INTO directory_file (account_id, directory_id, file_id, display_name, unique_id)
SELECT account_id, $1, id, 'in ' || name, name FROM unnest($2::uuid[]) WITH ORDINALITY AS u (id, n) JOIN file USING (id) ORDER BY n
RETURNING 'dfl-' || id
"""


async def put_files(pool: Pool, count: int) -> list[UUID]:
    """Files of the first account: file1.pdf, file2.pdf, ..."""
    return [row["id"] for row in await pool.fetch(_FILES, count)]


async def fill(pool: Pool, directory_id: str, count: int) -> list[str]:
    """New files in a directory, as "in file1.pdf", ...; the ids that they have there, in order."""
    files = await put_files(pool, count)
    return [row[0] for row in await pool.fetch(_FILED, UUID(directory_id.removeprefix("dir-")), files)]
