"""kalshi-sdk 22.4.0, unchanged, against the simulated exchange: REST and WebSocket by the client's own configuration.

It signs with RSA. Its model of a market demands `liquidity_dollars`, which the specification that it ships no longer has
(and which the venue dropped): reading markets has to fail for this one field and no other.
"""

import asyncio
import uuid
from decimal import Decimal

from checks import Checks, settings, true_book
from kalshi import KalshiClient, KalshiConfig
from kalshi.auth import KalshiAuth
from kalshi.errors import KalshiError, KalshiNotFoundError
from kalshi.models.orders import AmendOrderV2Request, CreateOrderV2Request, DecreaseOrderV2Request
from kalshi.ws.client import KalshiWebSocket
from pydantic import ValidationError


def connect(told, account):
    auth = KalshiAuth.from_key_path(account["id"], account["key"])
    config = KalshiConfig(base_url=told["rest"], ws_base_url=told["ws"], max_retries=0)
    return KalshiClient(auth=auth, config=config), auth, config


def request(ticker, price, count, **more):
    fields = {
        "ticker": ticker,
        "client_order_id": str(uuid.uuid4()),
        "side": "bid",
        "count": count,
        "price": price,
        "time_in_force": "good_till_canceled",
        "self_trade_prevention_type": "taker_at_cross",
    }
    return CreateOrderV2Request(**(fields | more))


def levels(book):
    """Bids and asks in YES prices."""
    bids = {level.price: level.quantity for level in book.yes}
    return bids, {1 - level.price: level.quantity for level in book.no}


def truth(told, ticker):
    return tuple({Decimal(p): Decimal(c) for p, c in side.items()} for side in true_book(told["sim"], ticker))


def rest(checks, told, client, ticker):
    checks.that("the exchange trades", client.exchange.status().trading_active)
    try:
        client.markets.get(ticker)
        checks.that("the client still demands liquidity_dollars", False)
    except ValidationError as error:
        missing = [(fault["type"], fault["loc"]) for fault in error.errors()]
        checks.equal("a market lacks one field of the client's", missing, [("missing", ("liquidity_dollars",))])
    series = ticker.split("-")[0]
    checks.equal("a series", client.series.get(series).ticker, series)
    checks.eventually("the book over REST", lambda: levels(client.markets.orderbook(ticker)) == truth(told, ticker))

    mine = request(ticker, "0.01", "10", post_only=True)
    placed = client.orders.create_v2(request=mine)
    checks.equal("a placed order rests", placed.remaining_count, Decimal(10))
    read = client.orders.get(placed.order_id)
    checks.equal("and is read as it was placed", (read.client_order_id, read.book_side), (mine.client_order_id, "bid"))
    change = AmendOrderV2Request(ticker=ticker, side="bid", price="0.02", count="12")
    client.orders.amend_v2(placed.order_id, request=change)
    read = client.orders.get(placed.order_id)
    checks.equal("an amended order", (read.yes_price, read.remaining_count), (Decimal("0.02"), Decimal(12)))
    less = client.orders.decrease_v2(placed.order_id, request=DecreaseOrderV2Request(reduce_by="2"))
    checks.equal("a decreased order", less.remaining_count, Decimal(10))
    checks.that("its queue position", client.orders.queue_position(placed.order_id) >= 0)
    checks.equal("a cancelled order", client.orders.cancel_v2(placed.order_id).reduced_by, Decimal(10))
    checks.refused("a second cancel", KalshiNotFoundError, lambda: client.orders.cancel_v2(placed.order_id))
    off_grid = lambda: client.orders.create_v2(request=request(ticker, "0.0151", "1"))
    checks.that("off the grid", "invalid price" in str(checks.refused("off the grid", KalshiError, off_grid)))
    checks.that("cash", client.portfolio.balance().balance_dollars > 0)


async def first(checks, what, messages, wanted):
    """The first message of a subscription that is wanted."""

    async def search():
        async for message in messages:
            if wanted(message.msg):
                return message.msg

    try:
        found = await asyncio.wait_for(search(), 10)
    except TimeoutError:
        found = None
    checks.that(what, found is not None)
    return found


async def feed(checks, told, maker, taker, ticker):
    """Two accounts meet inside the spread while the maker's feed runs."""
    client, auth, config = maker
    async with KalshiWebSocket(auth=auth, config=config).connect() as session:
        fills = await session.subscribe_fill()
        orders = await session.subscribe_user_orders()
        positions = await session.subscribe_market_positions()
        # Last, because the client throws away what comes while it waits for the answer to another subscription.
        newest = {}
        reader = asyncio.create_task(follow(await session.orderbook(ticker), newest))
        price = max(truth(told, ticker)[0], default=Decimal(0)) + Decimal("0.01")
        quote = await asyncio.to_thread(
            client.orders.create_v2, request=request(ticker, price, "5", post_only=True)
        )
        take = await asyncio.to_thread(
            taker[0].orders.create_v2,
            request=request(ticker, price, "3", side="ask", time_in_force="immediate_or_cancel"),
        )
        checks.equal("the taker is filled", (take.fill_count, take.average_fill_price), (Decimal(3), price))
        told_of = await first(checks, "the fill", fills, lambda msg: msg.order_id == quote.order_id)
        checks.equal("its size and side", (told_of.count, told_of.is_taker, told_of.book_side), (Decimal(3), False, "bid"))
        read = client.portfolio.fills(order_id=quote.order_id).items
        checks.equal("is the fill over REST", [fill.trade_id for fill in read], [told_of.trade_id])
        held = client.portfolio.positions(ticker=ticker).market_positions
        told_of = await first(checks, "the position", positions, lambda msg: msg.market_ticker == ticker)
        checks.equal("is the position over REST", [told_of.position], [position.position for position in held])
        await asyncio.to_thread(client.orders.cancel_v2, quote.order_id)
        await first(checks, "the end", orders, lambda msg: msg.order_id == quote.order_id and msg.status == "canceled")
        for _ in range(300):
            if "book" in newest and levels(newest["book"]) == truth(told, ticker):
                break
            await asyncio.sleep(0.05)
        checks.equal("the book of the feed is the exchange's", levels(newest["book"]), truth(told, ticker))
        reader.cancel()


async def follow(books, newest):
    async for book in books:
        newest["book"] = book


def main():
    told = settings()
    checks = Checks("kalshi-sdk 22.4.0")
    maker, taker = (connect(told, account) for account in told["accounts"])
    rest(checks, told, maker[0], told["market"])
    asyncio.run(feed(checks, told, maker, taker, told["market"]))
    checks.done()


if __name__ == "__main__":
    main()
