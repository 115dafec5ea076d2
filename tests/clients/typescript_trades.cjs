// kalshi-typescript 3.30.0, unchanged, against the simulated exchange: REST by the client's own `basePath`. It signs with RSA.
"use strict";

const assert = require("node:assert/strict");
const fs = require("node:fs");
const { randomUUID } = require("node:crypto");
const axios = require("axios").default;
const kalshi = require("kalshi-typescript");

const told = JSON.parse(process.argv[2]);
const ticker = told.market;
let checks = 0;

function equal(what, have, want) {
  assert.deepEqual(have, want, what);
  checks += 1;
}

function that(what, condition) {
  assert.ok(condition, what);
  checks += 1;
}

// Carries out a call that must be refused, and returns status and body.
async function refused(what, call) {
  try {
    await call();
  } catch (error) {
    if (!error.response) throw error;
    checks += 1;
    return { status: error.response.status, body: error.response.data };
  }
  assert.fail(`${what}: was not refused`);
}

// One account. Each client object of the package hooks itself into its axios, so every account has one of its own.
function account({ id, key }) {
  const configuration = new kalshi.Configuration({
    basePath: told.rest,
    apiKey: id,
    privateKeyPem: fs.readFileSync(key, "utf8"),
  });
  const http = axios.create();
  const api = (Api) => new Api(configuration, undefined, http);
  return {
    account: api(kalshi.AccountApi),
    events: api(kalshi.EventsApi),
    exchange: api(kalshi.ExchangeApi),
    groups: api(kalshi.OrderGroupsApi),
    markets: api(kalshi.MarketApi),
    orders: api(kalshi.OrdersApi),
    portfolio: api(kalshi.PortfolioApi),
  };
}

const bid = (price, count, more = {}) => ({
  ticker,
  side: "bid",
  price,
  count,
  time_in_force: "good_till_canceled",
  self_trade_prevention_type: "taker_at_cross",
  client_order_id: randomUUID(),
  ...more,
});

async function markets(me) {
  that("the exchange trades", (await me.exchange.getExchangeStatus()).data.trading_active);
  that("there is a schedule", (await me.exchange.getExchangeSchedule()).data.schedule.standard_hours.length > 0);
  const { market } = (await me.markets.getMarket(ticker)).data;
  equal("a market by its ticker", [market.ticker, market.status], [ticker, "active"]);
  const { event } = (await me.events.getEvent(market.event_ticker)).data;
  const listed = (await me.markets.getMarkets(1000, undefined, undefined, event.series_ticker)).data.markets;
  that("the series lists the market", listed.some((found) => found.ticker === ticker));
  const siblings = (await me.markets.getMarkets(1000, undefined, market.event_ticker)).data.markets;
  equal("six markets in the event", siblings.length, 6);
  equal("a series by its ticker", (await me.markets.getSeries(event.series_ticker)).data.series.ticker, event.series_ticker);
  that("limits of the account", (await me.account.getAccountApiLimits()).data.read.refill_rate > 0);
  that("costs of endpoints", (await me.account.getAccountEndpointCosts()).data.default_cost > 0);
  const tickers = siblings.map((found) => found.ticker);
  const books = (await me.markets.getMarketOrderbooks(tickers)).data.orderbooks;
  equal("six books at once", books.map((book) => book.ticker).sort(), tickers.sort());
  await me.markets.getTrades(10, undefined, ticker);
  const unknown = await refused("an unknown market", () => me.markets.getMarket("NO-SUCH-MARKET"));
  equal("is not found", unknown.status, 404);
  const page = await refused("too long a page", () => me.markets.getMarkets(1001));
  that("is refused in the venue's words", page.status === 400 && page.body.msg.includes("'lte'"));
}

// The book over REST against the exchange's own, in YES prices.
async function book(me) {
  const complement = (price) => (1 - Number(price)).toFixed(4);
  for (let tries = 0; ; tries += 1) {
    const { orderbook_fp: shown } = (await me.markets.getMarketOrderbook(ticker)).data;
    const truth = (await axios.get(`${told.sim}/book/${ticker}`)).data;
    const bids = [...shown.yes_dollars].reverse();
    const asks = [...shown.no_dollars].reverse().map(([price, count]) => [complement(price), count]);
    try {
      assert.deepEqual([bids, asks], [truth.bids, truth.asks]);
      checks += 1;
      return;
    } catch (error) {
      // It may have moved between the two reads.
      if (tries > 100) throw error;
    }
  }
}

async function life(me) {
  const placed = (await me.orders.createOrderV2(bid("0.0100", "10.00", { post_only: true }))).data;
  equal("a placed order rests", [placed.fill_count, placed.remaining_count], ["0.00", "10.00"]);
  const id = placed.order_id;
  const read = async () => (await me.orders.getOrder(id)).data.order;
  equal("and is read as it was placed", (await read()).client_order_id, placed.client_order_id);
  that("its queue position", Number((await me.orders.getOrderQueuePosition(id)).data.queue_position_fp) >= 0);
  const listed = (await me.orders.getOrders(ticker, undefined, undefined, undefined, "resting")).data.orders;
  that("it is listed", listed.some((order) => order.order_id === id));
  await me.orders.amendOrderV2(id, { ticker, side: "bid", price: "0.0200", count: "12.00" });
  const amended = await read();
  equal("an amended order", [amended.yes_price_dollars.slice(0, 6), amended.remaining_count_fp], ["0.0200", "12.00"]);
  equal("a decreased order", (await me.orders.decreaseOrderV2(id, { reduce_by: "2.00" })).data.remaining_count, "10.00");
  const cancelled = (await me.orders.cancelOrderV2(id, undefined, 0, ticker)).data;
  equal("a cancelled order", [cancelled.order_id, cancelled.reduced_by], [id, "10.00"]);
  equal("for good", (await read()).status, "canceled");
  const again = await refused("a second cancel", () => me.orders.cancelOrderV2(id));
  equal("is not found", [again.status, again.body.error.code], [404, "not_found"]);
}

async function many(me) {
  const items = [bid("0.0100", "1.00"), bid("0.0200", "1.00"), bid("0.0151", "1.00")];
  const placed = (await me.orders.batchCreateOrdersV2({ orders: items })).data.orders;
  equal("two of a batch rest", placed.map((item) => Boolean(item.order_id)), [true, true, false]);
  equal("and one is refused", placed[2].error.code, "invalid_price");
  const orders = placed.slice(0, 2).map((item) => ({ order_id: item.order_id }));
  const cancelled = (await me.orders.batchCancelOrdersV2({ orders })).data.orders;
  equal("a batch is cancelled", cancelled.map((item) => item.reduced_by), ["1.00", "1.00"]);
}

async function groups(me) {
  const { order_group_id: id } = (await me.groups.createOrderGroup({ contracts_limit: 50 })).data;
  const { order_id } = (await me.orders.createOrderV2(bid("0.0100", "1.00", { order_group_id: id }))).data;
  equal("a group knows its orders", (await me.groups.getOrderGroup(id)).data.orders, [order_id]);
  await me.groups.triggerOrderGroup(id);
  equal("a trigger cancels", (await me.orders.getOrder(order_id)).data.order.status, "canceled");
  await me.groups.resetOrderGroup(id);
  await me.groups.deleteOrderGroup(id);
  const gone = await refused("a deleted group", () => me.groups.getOrderGroup(id));
  equal("is not found", gone.status, 404);
}

// Two accounts meet inside the spread.
async function trade(maker, taker) {
  const { orderbook_fp: shown } = (await maker.markets.getMarketOrderbook(ticker)).data;
  const best = shown.yes_dollars.at(-1)?.[0] ?? "0.0000";
  const price = (Number(best) + 0.01).toFixed(4);
  const held = async (who) => {
    const { market_positions } = (await who.portfolio.getPositions(undefined, undefined, undefined, ticker)).data;
    return market_positions.reduce((sum, position) => sum + Number(position.position_fp), 0);
  };
  const before = [await held(maker), await held(taker)];
  const quote = (await maker.orders.createOrderV2(bid(price, "5.00", { post_only: true }))).data;
  const ask = bid(price, "3.00", { side: "ask", time_in_force: "immediate_or_cancel" });
  const take = (await taker.orders.createOrderV2(ask)).data;
  equal("the taker is filled", [take.fill_count, take.remaining_count], ["3.00", "0.00"]);
  equal("at the quoted price", Number(take.average_fill_price), Number(price));
  for (const [who, order, is_taker] of [[maker, quote, false], [taker, take, true]]) {
    const { fills } = (await who.portfolio.getFills(undefined, order.order_id)).data;
    equal("one fill each", fills.map((fill) => [fill.count_fp, fill.is_taker]), [["3.00", is_taker]]);
  }
  equal("the positions", [await held(maker), await held(taker)], [before[0] + 3, before[1] - 3]);
  await maker.orders.cancelOrderV2(quote.order_id, undefined, undefined, ticker);
  that("cash remains", (await maker.portfolio.getBalance()).data.balance > 0);
}

async function main() {
  const [maker, taker] = told.accounts.map(account);
  await markets(maker);
  await book(maker);
  await life(maker);
  await many(maker);
  await groups(maker);
  await trade(maker, taker);
  console.log(`kalshi-typescript 3.30.0 (Node ${process.version}): ${checks} checks passed`);
}

main().catch((error) => {
  const answer = error.response ? ` ${error.response.status} ${JSON.stringify(error.response.data)}` : "";
  console.error(`kalshi-typescript: ${error.stack}${answer}`);
  process.exit(1);
});
