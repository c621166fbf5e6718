"""Documents made by the tests themselves, good and hostile, byte by byte: nothing of anybody else is kept here."""
