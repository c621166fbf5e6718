"""The PostgreSQL that Thresher brings along: started, watched and stopped as a child of `thresher serve`.

It knows nothing of what is stored in it: from `DATABASE_URL` on, an embedded and a foreign PostgreSQL are the same.
"""

from thresher.storage.embedded.datadir import DataDir, private_folder
from thresher.storage.embedded.errors import DataDirInUse, EmbeddedError
from thresher.storage.embedded.server import EmbeddedPostgres, url_of_running

__all__ = ["DataDir", "DataDirInUse", "EmbeddedError", "EmbeddedPostgres", "private_folder", "url_of_running"]
