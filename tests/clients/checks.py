"""Counts what a client test checked. The first check that fails ends the test and says what was expected."""

import json
import sys
import time
import urllib.request


class Checks:
    def __init__(self, client):
        self.client = client
        self.count = 0

    def that(self, what, condition, seen=None):
        if not condition:
            sys.exit(f"{self.client}: {what}: {seen!r}" if seen is not None else f"{self.client}: {what}")
        self.count += 1

    def equal(self, what, have, want):
        self.that(what, have == want, (have, "instead of", want))

    def refused(self, what, error, call):
        """Carries out `call`, which must raise `error`, and returns what it raised."""
        try:
            call()
        except error as refusal:
            self.count += 1
            return refusal
        sys.exit(f"{self.client}: {what}: was not refused")

    def eventually(self, what, question, seconds=10.0):
        """Asks until the answer is true, and returns it."""
        deadline = time.monotonic() + seconds
        while True:
            answer = question()
            if answer:
                self.count += 1
                return answer
            if time.monotonic() > deadline:
                sys.exit(f"{self.client}: {what}: not within {seconds} s")
            time.sleep(0.02)

    def done(self):
        version = sys.version.split()[0]
        print(f"{self.client} (Python {version}): {self.count} checks passed")


def settings():
    """What the test says of the exchange that runs: one JSON object as the only argument."""
    return json.loads(sys.argv[1])


def true_book(sim, ticker):
    """The exchange's own book in YES prices: two dictionaries of price and count."""
    with urllib.request.urlopen(f"{sim}/book/{ticker}", timeout=10) as answer:
        book = json.load(answer)
    return {price: count for price, count in book["bids"]}, {price: count for price, count in book["asks"]}
