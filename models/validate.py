#!/usr/bin/env python3
"""Walk-forward validation: writes models/validation.json (rows of the tables), models/controls.json (controls, market
prices, points of the plots) and the tables in models/README.md.

Table A: six cities, 2023-01-01 to 2025-09-30, refitted every quarter on all days before it. Its forecasts have a lead of
nearly zero, so it is optimistic. Table B: forecasts of honest lead, judged by the bundles of models/lead, which saw none of
those days. A control run learns from shuffled highs. Where trades or candles were recorded, the market stands beside.
"""

import argparse
import concurrent.futures
import io
import json
import os
import pathlib
import sys
import time

import numpy as np
import onnxruntime
import pandas as pd
import zstandard

import data as dt
import graph
import lead
import learn
import tables
from score import Forecasts, baseline, both, interval, row

FIRST, LAST = "2023-01-01", "2025-09-30"
WARM_UP = 60  # first days of the recordings, whose biases are unknown
SEED = 7
HERE = pathlib.Path(__file__).parent


def quarters():
    starts = [f"{year}-{month:02d}-01" for year in (2023, 2024, 2025) for month in (1, 4, 7, 10)]
    return list(zip(starts[:11], starts[1:12], strict=True))


def odd_rows(rows, learned, rng):
    """Rows with missing values, and rows that lie exactly on a border of a tree."""
    odd = rows[rng.integers(0, len(rows), 40)].copy()
    for one in odd[:20]:
        one[np.flatnonzero(rng.random(len(one) - 2) < 0.3)] = np.nan
    borders = [split for model in learned.trees if model is not None for splits, _ in graph.trees_of(model)[0] for split in splits]
    for one in odd[20:]:
        if borders:
            feature, border = borders[rng.integers(0, len(borders))]
            one[feature] = np.float32(border)
    usable = ~np.isnan(odd[:, : len(learned.static.models)]).all(axis=1)
    return odd[usable]


def parity(learned, rows, rng) -> float:
    """Largest difference between ONNX Runtime and CatBoost on these rows and on odd ones like them."""
    model = graph.build(learned.names, learned.static, learned.shape, learned.trees, learned.temperature, learned.lowest)
    session = onnxruntime.InferenceSession(model.SerializeToString(), graph.quiet())
    rows = np.concatenate([rows, odd_rows(rows, learned, rng)])
    return float(np.abs(graph.run(session, rows) - learned.of_relative(rows)).max())


def walk(frame, shuffle=False, check=True):
    """Forecasts of every day of the window by models of the days before its quarter, and the worst parity."""
    names = dt.of_models(dt.MODELS)
    flags = dt.relative(names)
    x, came, dates = dt.rows(frame, names), frame.came_f.to_numpy(), frame.date.to_numpy()
    rng = np.random.default_rng(SEED)
    out, worst, chosen = Forecasts([], [], [], []), 0.0, []
    steps = quarters()
    if shuffle:  # a control needs no more than a fit a year
        steps = [(steps[at][0], steps[min(at + 4, len(steps)) - 1][1]) for at in range(0, len(steps), 4)]
    for begin, end in steps:
        past, now = np.flatnonzero(dates < begin)[WARM_UP:], np.flatnonzero((dates >= begin) & (dates < end))
        if shuffle:
            learned = learn.part(names, flags, x[past], rng.permutation(came[past]), dt.MODELS, min(learn.ITERATIONS))
        else:
            learned = learn.learn(names, flags, x[past], came[past], dt.MODELS)
        chosen.append((learned.iterations, learned.temperature))
        anchor, p = learned.predict(x[now])
        if check:
            worst = max(worst, parity(learned, learned.relative_rows(x[now], anchor), rng))
        out.extend(Forecasts(dates[now], anchor + learned.lowest, p, came[now]))
    return out, worst, chosen


def reliability(forecasts):
    """Ten bins of (mean said, share that came, number)."""
    said, was = forecasts.above()
    place = np.minimum((said * 10).astype(int), 9)
    return [
        [round(float(said[place == b].mean()), 3), round(float(was[place == b].mean()), 3), int((place == b).sum())]
        for b in range(10)
        if (place == b).any()
    ]


def by_quarter(model, base):
    quarter = lambda date: f"{date[:4]}Q{(int(date[5:7]) + 2) // 3}"
    names = np.array([quarter(date) for date in model.dates])
    scores = [model.log_loss(), base.log_loss(), model.brier(), base.brier(), model.crps(), base.crps()]
    return [[str(q), *(round(float(s[names == q].mean()), 3) for s in scores)] for q in np.unique(names)]


def unpacked(path):
    raw = zstandard.ZstdDecompressor().stream_reader(path.read_bytes()).read()
    return pd.read_csv(io.BytesIO(raw))


def brackets(low, p, strikes):
    """Probability of each (kind, floor, cap), by the venue's rules."""
    degrees = low + np.arange(len(p))
    out = []
    for kind, floor, cap in strikes:
        inside = {
            "less": lambda: degrees < cap,
            "greater": lambda: degrees > floor,
            "between": lambda: (degrees >= floor) & (degrees <= cap),
        }[kind]()
        out.append(p[inside].sum())
    return np.array(out)


def market(city, at, prices, markets, model, base, rng):
    """Log loss of the bracket that came: the market's prices made to sum to one, against model and baseline.

    `prices(ticker, moment)` is the newest price before the moment. Days on which a bracket has none are left out.
    """
    known = {date: (i, low, p) for i, (date, low, p) in enumerate(zip(model.dates, model.lowest, model.probabilities, strict=True))}
    other = dict(zip(base.dates, zip(base.lowest, base.probabilities, strict=True), strict=True))
    ahead = pd.Timedelta(hours=dt.REGISTRY[city]["standard_hours"])
    days, losses = [], []
    for event, group in markets.groupby("event_ticker"):
        date = pd.to_datetime(event.split("-")[1], format="%y%b%d").strftime("%Y-%m-%d")
        if date not in known or date not in other or group.strike_type.isna().any() or len(group) < 2:
            continue
        moment = pd.Timestamp(date, tz="UTC") - ahead + pd.Timedelta(at)
        paid = [prices(ticker, moment) for ticker in group.ticker]
        if any(price is None for price in paid):
            continue
        strikes = list(zip(group.strike_type, group.floor_strike, group.cap_strike, strict=True))
        i, low, p = known[date]
        truth = brackets(model.came[i], np.ones(1), strikes)
        if truth.sum() != 1:
            continue
        share = np.clip(np.array(paid, dtype=float) / 100, 0.005, 0.995)
        share /= share.sum()
        ours, theirs = brackets(low, p, strikes), brackets(*other[date], strikes)
        came = int(truth.argmax())
        losses.append([-np.log(max(v[came], learn.FLOOR)) for v in (ours, theirs, share)])
        days.append(date)
    if not days:
        return None
    losses = np.array(losses)
    low, high = interval(losses[:, 0] - losses[:, 2], days, rng)
    means = dict(zip(("log_loss", "baseline_log_loss", "market_log_loss"), (round(float(v), 4) for v in losses.mean(axis=0)), strict=True))
    return dict(city=city, at=at, n=len(days), first=min(days), last=max(days)) | means | dict(
        difference_low=round(low, 4), difference_high=round(high, 4))


def newest_before(frame, ticker, time, price):
    """Newest price of a ticker before a moment, in cents; nothing where there is none."""
    moments = pd.to_datetime(frame[time], format="ISO8601", utc=True).dt.tz_localize(None)
    frame = frame.assign(when=moments).sort_values("when", kind="stable")
    frame = frame[np.isfinite(frame[price])]
    groups = {name: (group.when.to_numpy(), group[price].to_numpy()) for name, group in frame.groupby(ticker)}

    def before(name, moment):
        times, cents = groups.get(name, ((), ()))
        at = np.searchsorted(times, moment.tz_localize(None).to_datetime64()) if len(times) else 0
        return cents[at - 1] if at else None

    return before


def judge(data, city) -> dict:
    """All of table A that is about one city."""
    started, rng = time.time(), np.random.default_rng([SEED, dt.CITIES.index(city)])
    frame = dt.table(data, "--city", city, "--at", dt.AT, "--to", LAST)
    frame = frame[frame.came_f.notna()].reset_index(drop=True)
    forecasts = frame[[f"fcst_{m}" for m in dt.MODELS]].to_numpy(dtype=float)
    base = baseline(frame.date.to_numpy(), forecasts, frame.came_f.to_numpy())
    model, worst, chosen = walk(frame)
    model, beside = both(model, base, FIRST)
    control, _, _ = walk(frame, shuffle=True, check=False)
    out = dict(row=row(city, "A", "near zero", model, beside, rng), parity=worst, model=model, base=beside)
    out["shuffled"] = row(city, "shuffled", "near zero", *both(control, base, FIRST), rng)
    out["plots"] = dict(reliability=reliability(model), quarters=by_quarter(model, beside))
    out["market"] = []
    folder = data / "weather_trades"
    if (folder / f"trades_KXHIGH{city}.csv.zst").is_file():
        listed = unpacked(folder / "markets.csv.zst")
        listed = listed[listed.event_ticker.str.startswith(f"KXHIGH{city}-")]
        trades = unpacked(folder / f"trades_KXHIGH{city}.csv.zst")
        price = newest_before(trades, "ticker", "created_time", "yes_price_cents")
        for at in ("07:00:00", "12:00:00"):
            found = market(city, at, price, listed, model, beside, rng)
            out["market"] += [dict(table="A", prices="last trade") | found] if found else []
    print(f"{out['row']}\n  chosen {chosen}, parity {worst:.1e}, shuffled {out['shuffled']['log_loss']},"
          f" {time.time() - started:.0f} s", flush=True)
    return out


def table_b(data):
    rng = np.random.default_rng([SEED, len(dt.CITIES)])
    learned = lead.train(lead.rows(data))
    rows, markets, plots, worst = [], [], {}, 0.0
    for label, recording, ahead in lead.TESTS:
        frame = dt.table(data, "--recording", recording, "--at", dt.AT, "--ahead", str(ahead))
        frame = frame[frame.came_f.notna()]
        pooled = Forecasts([], [], [], []), Forecasts([], [], [], [])
        # Of other cities that were recorded in July and August there are ten days or fewer to judge by.
        for city in lead.CITIES:
            group = frame[frame.city == city].reset_index(drop=True)
            if group.empty:
                continue
            x, came, dates = dt.rows(group, learned.names), group.came_f.to_numpy(), group.date.to_numpy()
            base = baseline(dates, group[["fcst_blend"]].to_numpy(dtype=float), came, delay=1 + ahead)
            # Before that neither has errors to learn from.
            ready = np.nan_to_num(group.error_days_blend.to_numpy()) >= lead.BURN_IN
            anchor, p = learned.predict(x[ready])
            worst = max(worst, parity(learned, learned.relative_rows(x[ready], anchor), np.random.default_rng(SEED)))
            model, beside = both(Forecasts(dates[ready], anchor + learned.lowest, p, came[ready]), base)
            rows.append(row(city, "B", label, model, beside, rng))
            print(f"{city} B {rows[-1]}", flush=True)
            pooled[0].extend(model)
            pooled[1].extend(beside)
            if recording == "lead" and ahead == 0 and city in ("CHI", "NY"):
                listed = unpacked(data / "weather_candles/markets_CHI_NY.csv.zst").rename(columns=dict(market_ticker="ticker"))
                listed = listed[listed.event_ticker.str.startswith(f"KXHIGH{city}-")]
                candles = unpacked(data / "weather_candles/hourly_candles_CHI_NY.csv.zst")
                price = newest_before(candles, "market_ticker", "candle_ts", "close")
                found = market(city, "07:00:00", price, listed, model, beside, rng)
                markets += [dict(table="B", prices="hourly candle") | found] if found else []
        rows.append(row("ALL", "B", label, *pooled, rng))
        plots[label] = dict(reliability=reliability(pooled[0]))
    return rows, plots, markets, worst


def keep(rows, controls):
    """Writes validation.json, the rows of both tables, and controls.json, all else; and the tables of the README."""
    lines = ",\n".join(json.dumps(one) for one in rows)
    (HERE / "validation.json").write_text(f"[\n{lines}\n]\n")
    (HERE / "controls.json").write_text(json.dumps(controls, indent=1) + "\n")
    tables.write(rows, controls)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=pathlib.Path, required=True, help="folder of the recordings")
    parser.add_argument("--city", nargs="*", default=dt.CITIES, help="only these, writing nothing")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="cities judged at the same time")
    arguments = parser.parse_args()
    started = time.time()
    with concurrent.futures.ProcessPoolExecutor(arguments.jobs) as pool:
        honest = pool.submit(table_b, arguments.data) if arguments.city == dt.CITIES else None
        judged = list(pool.map(judge, [arguments.data] * len(arguments.city), arguments.city))
        if honest is None:
            return
        b, plots_b, markets_b, worst_b = honest.result()
    pooled = Forecasts([], [], [], []), Forecasts([], [], [], [])
    for one in judged:
        pooled[0].extend(one["model"])
        pooled[1].extend(one["base"])
    a = [one["row"] for one in judged]
    a.append(row("ALL", "A", "near zero", *pooled, np.random.default_rng(SEED)))
    shuffled = [one["shuffled"] for one in judged]
    controls = dict(
        parity=max([worst_b] + [one["parity"] for one in judged]),
        shuffled=shuffled,
        market=[m for one in judged for m in one["market"]] + markets_b,
        plots={city: one["plots"] for city, one in zip(arguments.city, judged, strict=True)} | plots_b,
    )
    keep(a + b, controls)
    print(f"{time.time() - started:.0f} s, parity {controls['parity']:.1e}")
    failed = [r["city"] for r in shuffled if r["difference_high"] < 0]
    if failed:
        sys.exit(f"shuffled highs beat the baseline in {failed}: the validation leaks")
    if not controls["parity"] < 1e-5:
        sys.exit("ONNX Runtime and CatBoost differ")


if __name__ == "__main__":
    main()
