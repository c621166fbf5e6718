"""A worker that takes a connection for dead after two seconds of silence."""

from thresher.engine import worker
from thresher.settings import Settings

if __name__ == "__main__":
    worker._SILENCE = 2.0
    worker.run(Settings())
