import threading
import time
from typing import Any

from thresher.plugin import Page

threading.Thread(target=time.sleep, args=(3600,), daemon=True).start()


def parse(page: Page) -> dict[str, Any]:
    return {}
