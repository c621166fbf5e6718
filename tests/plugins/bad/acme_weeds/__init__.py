from thresher.plugin import Plugin

WHIMS = Plugin("@acme/whims", "What comes to its mind, by the page's URL", "acme_weeds.whims:parse")
NOWHERE = Plugin("@acme/nowhere", "Nothing: what parses is not there", "acme_weeds.nowhere:parse")
OURS = Plugin("@thresher/mine", "Under a name that is not its own", "acme_weeds.whims:parse")
TWICE = Plugin("@acme/whims", "Under a name that is taken", "acme_weeds.whims:parse")
LOOSE = Plugin("whims", "Without a vendor", "acme_weeds.whims:parse")
DEAR = Plugin("@acme/dear", "At no price", "acme_weeds.whims:parse", credits=-1)
LIST = Plugin("@acme/list", "A list", "acme_weeds.whims:parse", {"type": "array"})
KEYS = Plugin("@acme/keys", "With a name that is none", "acme_weeds.whims:parse", {"type": "object", 1: {}})
HALF = Plugin("@acme/half", "Half \ud800 a character", "acme_weeds.whims:parse")
CLASS = Plugin
