"""Small real servers on loopback, for every test that needs something to fetch from."""
