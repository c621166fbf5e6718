"""Files that a forecast is asked about before they are uploaded: what is known of them is a name and a size."""

from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from thresher.api.olostep.faults import Faults
from thresher.settings import Settings
from thresher.storage.files import File


class UnsentFiles:
    """Reads them from the items of a forecast. Those of one name are one file."""

    def __init__(self, settings: Settings, faults: Faults) -> None:
        self._most = settings.max_file_bytes
        self._faults = faults

    def read(self, value: Any, at: tuple[str | int, ...]) -> File | None:
        """The file as it will be, or None for a fault."""
        name, size = (value.get("name"), value.get("size")) if isinstance(value, dict) else (None, None)
        if not isinstance(name, str) or type(size) is not int:
            self._faults.add(at, "must be an object with a name and a size in bytes")
        elif not 0 < size <= self._most:
            self._faults.add(at, f"{size} bytes; a file has 1 to {self._most} (THRESHER_MAX_FILE_BYTES)")
        else:
            here = uuid5(NAMESPACE_URL, name.encode(errors="replace").decode())
            return File(here, 0, 0, name, "", None, size, "", datetime.now(UTC), None)
        return None
