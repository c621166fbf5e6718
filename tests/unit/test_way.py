"""An item's way through redirects, read from its attempts."""

from thresher.domain.way import begun_here, failures, way


def test_without_a_move_an_item_begins_at_its_reference():
    here = way("http://a.example/x", [{"code": "timeout"}])
    assert (here.url.href, here.redirects) == ("http://a.example/x", ())


def test_an_item_goes_on_where_its_last_move_led_whatever_came_since():
    attempts = [
        {"code": "moved", "to": "http://b.example/", "redirects": ["http://a.example/x", "http://a.example/y"]},
        {"code": "http_5xx"},
        {"code": "moved", "to": "http://c.example/z", "redirects": ["http://b.example/"]},
        {"code": "timeout"},
    ]
    here = way("http://a.example/x", attempts)
    assert here.url.href == "http://c.example/z"
    assert here.redirects == ("http://a.example/x", "http://a.example/y", "http://b.example/")


def test_an_item_goes_on_from_the_country_that_it_had_last():
    attempts = [{"code": "timeout", "country": "FR"}, {"code": "timeout", "country": "DE"}, {"code": "cancelled"}]
    assert [way("http://a.example/", attempts[:n]).country for n in range(4)] == [None, "FR", "DE", "DE"]


def test_an_item_that_was_only_sent_somewhere_is_not_begun_there():
    move = {"code": "moved", "to": "http://b.example/", "redirects": ["http://a.example/x"]}
    assert [begun_here(past) for past in ([], [move], [{"code": "timeout"}], [move, {"code": "timeout"}])] == [
        False,
        False,
        True,
        True,
    ]


def test_moves_and_what_was_broken_off_are_no_failures():
    assert failures([{"code": code} for code in ("moved", "timeout", "cancelled", "http_5xx", "moved")]) == 2
    assert failures([]) == 0
