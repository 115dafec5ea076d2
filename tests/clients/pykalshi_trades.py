"""pykalshi 2.0.0, unchanged, against the simulated exchange.

REST is reached by the client's own `api_base`. Its feed knows only the venue's addresses, so the one thing that is changed
is the address that it connects to. The client signs with RSA; `Ed25519Client` replaces its signer and nothing else.
"""

import base64
import time
import uuid
from decimal import Decimal

from checks import Checks, settings, true_book
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pykalshi import KalshiClient
from pykalshi.enums import Action, BookSide, MarketStatus, OrderStatus, SelfTradePrevention, Side, TimeInForce
from pykalshi.exceptions import (
    AuthenticationError,
    InsufficientFundsError,
    KalshiAPIError,
    OrderRejectedError,
    ResourceNotFoundError,
)
from pykalshi.feed import OrderbookSnapshotMessage
from pykalshi.orderbook import OrderbookManager


class Ed25519Client(KalshiClient):
    """Signs as the venue's newer keys do."""

    def _load_private_key(self, key_path):
        with open(key_path, "rb") as file:
            key = load_pem_private_key(file.read(), password=None)
        assert isinstance(key, Ed25519PrivateKey)
        return key

    def _sign_request(self, method, path):
        stamp = str(int(time.time() * 1000))
        return stamp, base64.b64encode(self.private_key.sign(f"{stamp}{method}{path}".encode())).decode()


def connect(kind, told, account):
    return kind(api_key_id=account["id"], private_key_path=account["key"], api_base=told["rest"], max_retries=0)


def plain(text):
    return format(Decimal(text).normalize(), "f")


class Books:
    """The books of a feed, by the client's own means."""

    def __init__(self):
        self.books = {}

    def take(self, message):
        book = self.books.setdefault(message.market_ticker, OrderbookManager(message.market_ticker))
        if isinstance(message, OrderbookSnapshotMessage):
            book.apply_snapshot(message.yes_dollars, message.no_dollars)
        else:
            book.apply_delta(message.side, message.price_dollars, message.delta_fp)

    def shown(self, ticker):
        """Bids and asks in YES prices."""
        book = self.books.get(ticker)
        if book is None:
            return None
        bids = {plain(price): plain(count) for price, count in book.yes.items()}
        asks = {plain(str(1 - Decimal(price))): plain(count) for price, count in book.no.items()}
        return bids, asks


def markets(checks, client, ticker):
    status = client.exchange.get_status()
    checks.that("the exchange trades", status.exchange_active and status.trading_active)
    checks.that("there is a schedule", "standard_hours" in client.exchange.get_schedule())
    market = client.get_market(ticker)
    checks.equal("a market by its ticker", (market.ticker, market.status), (ticker, MarketStatus.ACTIVE))
    series = market.resolve_series_ticker()
    checks.equal("the series of the market", client.get_series(series).ticker, series)
    listed = client.get_markets(series_ticker=series, status=MarketStatus.OPEN, limit=4, fetch_all=True)
    checks.that("the series lists the market, over pages", ticker in [found.ticker for found in listed], listed)
    siblings = client.get_markets(event_ticker=market.event_ticker)
    checks.equal("six markets in the event", len(siblings), 6)
    checks.equal("an event by its ticker", client.get_event(market.event_ticker).series_ticker, series)
    checks.that("events of the series", client.get_events(series_ticker=series))
    refusal = checks.refused("an unknown market", ResourceNotFoundError, lambda: client.get_market("NO-SUCH-MARKET"))
    checks.equal("an unknown market is not found", refusal.error_code, "not_found")
    client.get_trades(ticker=ticker)
    return market


def book(checks, client, sim, market):
    def same():
        shown = market.get_orderbook().orderbook
        bids = {plain(price): plain(count) for price, count in shown.yes_dollars or []}
        asks = {plain(str(1 - Decimal(price))): plain(count) for price, count in shown.no_dollars or []}
        truth = tuple({plain(p): plain(c) for p, c in side.items()} for side in true_book(sim, market.ticker))
        return (bids, asks) == truth

    checks.eventually("the book over REST is the exchange's", same)


def orders(checks, client, ticker):
    """One order through its life, alone in the book: the price is below everything that is bid."""
    portfolio = client.portfolio
    mine = str(uuid.uuid4())
    order = portfolio.place_order(
        ticker, book_side=BookSide.BID, price_dollars="0.01", count_fp="10", client_order_id=mine, post_only=True
    )
    checks.equal("a placed order rests", (order.status, order.remaining_count_fp), (OrderStatus.RESTING, "10.00"))
    read = portfolio.get_order(order.order_id)
    checks.equal("and is read as it was placed", (read.client_order_id, read.book_side), (mine, BookSide.BID))
    checks.equal("at its price", Decimal(read.yes_price_dollars), Decimal("0.01"))
    checks.that("its queue position is known", Decimal(portfolio.get_queue_position(order.order_id).queue_position_fp) >= 0)
    positions = portfolio.get_queue_positions(market_tickers=[ticker])
    checks.that("in the list as well", order.order_id in [position.order_id for position in positions])

    order.amend(price_dollars="0.02", count_fp="12.00")
    read = portfolio.get_order(order.order_id)
    checks.equal("an amended order", (Decimal(read.yes_price_dollars), read.remaining_count_fp), (Decimal("0.02"), "12.00"))
    order.decrease("2")
    checks.equal("a decreased order", portfolio.get_order(order.order_id).remaining_count_fp, "10.00")
    resting = portfolio.get_orders(status=OrderStatus.RESTING, ticker=ticker, fetch_all=True)
    checks.that("is listed as resting", order.order_id in [found.order_id for found in resting])

    order.cancel()
    checks.equal("a cancelled order", portfolio.get_order(order.order_id).status, OrderStatus.CANCELED)
    refusal = checks.refused("a second cancel", ResourceNotFoundError, lambda: portfolio.cancel_order(order.order_id))
    checks.equal("is not found", refusal.error_code, "not_found")
    refusal = checks.refused(
        "a client's id used twice",
        KalshiAPIError,
        lambda: portfolio.place_order(
            ticker, book_side=BookSide.BID, price_dollars="0.01", count_fp="1", client_order_id=mine
        ),
    )
    checks.equal("is told", (refusal.status_code, refusal.error_code), (409, "order_already_exists"))


def refusals(checks, told, client, ticker):
    portfolio = client.portfolio
    off_grid = lambda: portfolio.place_order(ticker, book_side=BookSide.BID, price_dollars="0.0151", count_fp="1")
    checks.equal("off the grid", checks.refused("off", OrderRejectedError, off_grid).error_code, "invalid_price")
    too_much = lambda: portfolio.place_order(ticker, book_side=BookSide.BID, price_dollars="0.01", count_fp="100000000")
    checks.equal("too much", checks.refused("much", InsufficientFundsError, too_much).error_code, "insufficient_balance")
    nobody = connect(KalshiClient, told, {"id": str(uuid.uuid4()), "key": told["accounts"][0]["key"]})
    refusal = checks.refused("an unknown key", AuthenticationError, nobody.portfolio.get_balance)
    checks.equal("is told", refusal.response_body["error"]["details"], "NOT_FOUND")
    other = connect(KalshiClient, told, {"id": told["accounts"][0]["id"], "key": told["accounts"][1]["key"]})
    refusal = checks.refused("another's key", AuthenticationError, other.portfolio.get_balance)
    checks.equal("does not sign", refusal.response_body["error"]["details"], "INCORRECT_API_KEY_SIGNATURE")
    old = lambda: client.post("/portfolio/orders", {"ticker": ticker, "action": "buy", "side": "yes", "count": 1, "yes_price": 1})
    checks.equal("the old order endpoint is gone", checks.refused("old", KalshiAPIError, old).status_code, 410)


def groups(checks, client, ticker):
    portfolio = client.portfolio
    group = portfolio.create_order_group("50")
    place = lambda: portfolio.place_order(
        ticker, book_side=BookSide.BID, price_dollars="0.01", count_fp="1", order_group_id=group.id
    )
    order = place()
    checks.that("a group knows its orders", order.order_id in portfolio.get_order_group(group.id).orders)
    checks.that("groups are listed", group.id in [found.id for found in portfolio.get_order_groups()])
    portfolio.update_order_group_limit(group.id, "60")
    checks.equal("its limit", Decimal(portfolio.get_order_group(group.id).contracts_limit_fp), 60)
    portfolio.trigger_order_group(group.id)
    checks.equal("a trigger cancels", portfolio.get_order(order.order_id).status, OrderStatus.CANCELED)
    checks.refused("and blocks", KalshiAPIError, place)
    portfolio.reset_order_group(group.id)
    order = place()
    checks.equal("until it is reset", order.status, OrderStatus.RESTING)
    order.cancel()


def batches(checks, client, ticker):
    portfolio = client.portfolio
    item = lambda price: {"ticker": ticker, "book_side": "bid", "price_dollars": price, "count": "1"}
    placed = portfolio.batch_place_orders([item("0.01"), item("0.02")])
    checks.equal("a batch rests", [order.status for order in placed], [OrderStatus.RESTING] * 2)
    ids = [order.order_id for order in placed]
    checks.equal("a batch is cancelled", [order.order_id for order in portfolio.batch_cancel_orders(ids)], ids)
    for order_id in ids:
        checks.equal("for good", portfolio.get_order(order_id).status, OrderStatus.CANCELED)


def trade(checks, feed, maker, taker, market):
    """Two accounts meet inside the spread, so that nobody else can be the other side."""
    ticker = market.ticker
    shown = market.get_orderbook()
    price = Decimal(shown.best_yes_bid or "0") + Decimal("0.01")
    checks.that("there is room inside the spread", price < Decimal(shown.best_yes_ask or "1"), shown)
    before = {name: held(account, ticker) for name, account in (("maker", maker), ("taker", taker))}
    quote = maker.portfolio.place_order(ticker, book_side=BookSide.BID, price_dollars=str(price), count_fp="5", post_only=True)
    take = taker.portfolio.place_order(
        ticker,
        Action.BUY,
        Side.NO,
        "3",
        no_price_dollars=str(1 - price),
        time_in_force=TimeInForce.IOC,
        self_trade_prevention=SelfTradePrevention.CANCEL_INCOMING,
    )
    checks.equal("the taker is filled", (take.status, take.fill_count_fp), (OrderStatus.EXECUTED, "3.00"))
    read = quote.refresh()
    checks.equal("the maker in part", (read.fill_count_fp, read.remaining_count_fp), ("3.00", "2.00"))
    checks.equal("and the rest rests", read.status, OrderStatus.RESTING)
    trades = set()
    for account, order, direction, taken in ((maker, quote, 1, False), (taker, take, -1, True)):
        name = "taker" if taken else "maker"
        fills = account.portfolio.get_fills(order_id=order.order_id)
        checks.equal(f"one fill of the {name}", [(fill.count_fp, fill.is_taker) for fill in fills], [("3.00", taken)])
        fill = fills[0]
        checks.equal("at the price", Decimal(fill.yes_price_dollars), price)
        checks.equal("its direction", fill.yes_delta_fp, 3 * direction)
        # Quadratic: 7 % of p(1 - p) for the taker, nothing for the maker, up to the next hundredth of a cent.
        exact = Decimal("0.07") * 3 * price * (1 - price) if taken else Decimal(0)
        fee = Decimal(fill.fee_cost_dollars)
        checks.that("its fee", exact <= fee < exact + Decimal("0.0001"), (fee, exact))
        checks.equal("the position", held(account, ticker), before[name] + 3 * direction)
        trades.add(fill.trade_id)
    checks.equal("both sides have one trade", len(trades), 1)
    told = lambda: {seen.trade_id for seen in feed.fills if seen.order_id == quote.order_id}
    checks.equal("and the feed tells it", checks.eventually("the feed tells the fill", told), trades)
    quote.cancel()
    checks.eventually(
        "the feed tells the end of the order",
        lambda: any(seen.order_id == quote.order_id and seen.status == "canceled" for seen in feed.orders),
    )
    checks.eventually("the feed tells the position", lambda: any(seen.market_ticker == ticker for seen in feed.positions))
    checks.that("trades are public", trades <= {public.trade_id for public in maker.get_trades(ticker=ticker)})


def held(client, ticker):
    positions = client.portfolio.get_positions(ticker=ticker)
    return sum((Decimal(position.position_fp) for position in positions), Decimal(0))


class Watching:
    """The client's own feed, on loopback."""

    def __init__(self, checks, told, client, tickers):
        self.books, self.fills, self.orders, self.positions, self.tickers = Books(), [], [], [], []
        self.feed = client.feed()
        self.feed._ws_url = told["ws"]
        self.feed.on("orderbook_delta", self.books.take)
        self.feed.on("fill", self.fills.append)
        self.feed.on("user_orders", self.orders.append)
        self.feed.on("market_positions", self.positions.append)
        self.feed.on("ticker", self.tickers.append)
        self.feed.subscribe("orderbook_delta", market_tickers=tickers)
        self.feed.subscribe("ticker", market_tickers=tickers)
        for channel in ("fill", "user_orders", "market_positions"):
            self.feed.subscribe(channel)
        self.feed.start()
        checks.that("the feed connects", self.feed.is_connected)


def main():
    told = settings()
    checks = Checks("pykalshi 2.0.0")
    ticker = told["market"]
    maker = connect(KalshiClient, told, told["accounts"][0])
    taker = connect(KalshiClient, told, told["accounts"][1])
    market = markets(checks, maker, ticker)
    book(checks, maker, told["sim"], market)
    siblings = [found.ticker for found in maker.get_markets(event_ticker=market.event_ticker)]
    watching = Watching(checks, told, maker, siblings)
    orders(checks, maker, ticker)
    batches(checks, maker, ticker)
    groups(checks, maker, ticker)
    refusals(checks, told, maker, ticker)
    trade(checks, watching, maker, taker, market)

    newer = connect(Ed25519Client, told, told["ed25519"])
    checks.that("an Ed25519 key of another implementation signs reads", newer.portfolio.get_balance().balance > 0)
    orders(checks, newer, ticker)

    def same(one):
        truth = tuple({plain(p): plain(c) for p, c in side.items()} for side in true_book(told["sim"], one))
        return watching.books.shown(one) == truth

    for one in siblings:
        checks.eventually(f"the book of the feed is the exchange's: {one}", lambda: same(one), 30.0)
    checks.equal("the feed was never cut", watching.feed.reconnect_count, 0)
    watching.feed.stop()
    checks.done()


if __name__ == "__main__":
    main()
