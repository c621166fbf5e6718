from thresher.plugin import Plugin

THREADS = Plugin("@acme/threads", "Nothing", "acme_threads.work:parse")
