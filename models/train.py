#!/usr/bin/env python3
"""Trains all bundles and writes them: the six cities' into models/<city>/, those of a single forecast into models/lead/.

    make models                                    prepares the environment and runs this
    python models/train.py --data DIR --check      train again and compare with the bundles that are there

A bundle is model.onnx, model.toml (all that a host must know to use it), golden.json (made-up rows with CatBoost's own
probabilities) and card.html. Same data and seed give the same bytes.
"""

import argparse
import hashlib
import json
import math
import pathlib
import sys
import tempfile
import time

import blake3
import catboost
import numpy as np
import onnxruntime

import card
import data as dt
import fit
import graph
import lead
import learn
from validate import WARM_UP, odd_rows

FORMAT = 2
CUTOFF = "2025-09-30"  # last day trained on; the days after it are held out
PARITY = 1e-5
# Plausible values by how a feature's name begins; outside of them a host has no opinion.
RANGES = [
    (("fcst_spread", "fcst_sd"), 0, 80),
    (("fcst_", "high_lag_"), -80, 140),
    (("bias_",), -40, 40),
    (("error_sd_",), 0, 40),
    (("error_days_",), 0, 100_000),
    (("surprise_",), -80, 80),
    (("high_delta_",), -120, 120),
    (("season_",), -1, 1),
]
HERE = pathlib.Path(__file__).parent


def plausible(name):
    return next((low, high) for starts, low, high in RANGES if name.startswith(starts))


def golden_rows(x, learned, rng) -> np.ndarray:
    """Made-up rows near the real ones, with missing values and values on the borders of trees. No recorded row is among
    them."""
    mean, spread = np.nanmean(x, axis=0), np.nanstd(x, axis=0)
    rows = (mean + spread * rng.normal(size=(14, x.shape[1]))).astype(np.float32)
    names = learned.names
    angle = rng.uniform(0, 2 * math.pi, len(rows))
    rows[:, names.index("season_sin")], rows[:, names.index("season_cos")] = np.sin(angle), np.cos(angle)
    # Forecasts of one day resemble each other, and yesterday's high them.
    forecasts = [names.index(f"fcst_{m}") for m in learned.static.models]
    for at in [*forecasts, names.index("high_lag_1")]:
        rows[:, at] = rows[:, forecasts[0]] + (2.5 * rng.normal(size=len(rows))).astype(np.float32)
    for at, name in enumerate(names):
        rows[:, at] = np.clip(rows[:, at], *plausible(name))
    late = [at for at, name in enumerate(names) if name.startswith(learn.LATE)]
    new = [at for at, name in enumerate(names) if name.startswith(learn.NEW)]
    rows[3:5, late] = np.nan
    rows[5:8, new] = np.nan
    if len(forecasts) > 1:
        rows[7, forecasts[1:]] = np.nan
        rows[8, forecasts[0]] = np.nan
    borders = [s for model in learned.trees if model is not None for splits, _ in graph.trees_of(model)[0] for s in splits]
    fixed = [(feature, border) for feature, border in borders if not learned.relative[feature]]
    for at in range(9, 12):
        if fixed:
            feature, border = fixed[rng.integers(0, len(fixed))]
            rows[at, feature] = np.float32(border)
    return rows


def text_of(value):
    """A number as TOML."""
    return repr(float(value))


def manifest(city, learned, lead_of, sources, recording, onnx, about) -> str:
    known = dt.catalogue(recording)
    lines = [
        "# Written by models/train.py, described in models/README.md. Temperatures are degrees Fahrenheit.",
        f"format = {FORMAT}",
        f'city = "{city}"',
        f'series = "{dt.REGISTRY[city]["series"]}"',
        f'station = "{dt.REGISTRY[city]["station"]}"',
        f'cutoff = "{CUTOFF}" # last day that the model was trained on',
        f'lead = "{lead_of}" # of the forecasts that it was trained on',
        f'onnx_blake3 = "{blake3.blake3(onnx).hexdigest()}"',
        'input = "features" # float32 [1, number of features]',
        'output = "probabilities" # float32 [1, number of classes], of delta = settled high minus anchor',
        "",
        "[sources]",
    ]
    lines += [f'{kind} = "{source}"' for kind, source in sources.items()]
    lines += [
        "",
        "# One class per whole degree of delta, both ends included; the outermost classes are open-ended.",
        "[classes]",
        f"lowest = {learned.lowest}",
        f"highest = {learned.highest}",
        "",
        "# Mean, by weight, of the forecasts present, each plus its bias, rounded half up.",
        "# Bias: bias[0] + bias[1] * season_sin + bias[2] * season_cos.",
        "[anchor]",
        'kind = "forecast_high"',
        "",
    ]
    for term in learned.anchor_terms():
        lines += ["[[anchor.terms]]", f'feature = "{term["feature"]}"', f"weight = {term['weight']}"]
        lines += [f"bias = {term['bias']}", ""]
    lines.append("# The graph's input in order. NaN means missing.")
    for name in learned.names:
        feature = known[name]
        low, high = plausible(name)
        lines += ["[[features]]", f'name = "{name}"', f'unit = "{feature["unit"]}"']
        made_of = [sources["forecast"] if s == "recorded_lead" else s for s in feature["source"]]
        lines += [f"source = {json.dumps(made_of)}", f'about = "{feature["about"]}"']
        lines += [f"relative = {str(feature['relative']).lower()}"]
        lines += [f"optional = {str(not name.startswith('season_')).lower()}"]
        lines += [f"least = {text_of(low)}", f"most = {text_of(high)}", ""]
    return "\n".join(lines + about) + "\n"


def write(folder, city, learned, x, lead_of, sources, recording, about, numbers) -> tuple[float, int]:
    """Writes one bundle; returns the parity of its golden rows and the size of its graph."""
    folder.mkdir(parents=True, exist_ok=True)
    model = graph.build(learned.names, learned.static, learned.shape, learned.trees, learned.temperature, learned.lowest)
    onnx = model.SerializeToString(deterministic=True)
    (folder / "model.onnx").write_bytes(onnx)
    rng = np.random.default_rng(fit.SEED)
    rows = golden_rows(x, learned, rng)
    anchor, p = learned.predict(rows)
    session = onnxruntime.InferenceSession(onnx, graph.quiet())
    seen = learned.relative_rows(rows, anchor)
    worst = float(np.abs(graph.run(session, seen) - p).max())
    every = learned.relative_rows(x, learned.anchors(x))
    every = np.concatenate([every, odd_rows(every, learned, rng)])
    worst = max(worst, float(np.abs(graph.run(session, every) - learned.of_relative(every)).max()))
    if not worst < PARITY:
        sys.exit(f"{city}: the graph differs from CatBoost by {worst:.2e}")
    golden = [
        {
            "features": [None if np.isnan(v) else float(v) for v in row],
            "anchor_f": int(a),
            "probabilities": [round(float(v), 9) for v in q],
        }
        for row, a, q in zip(rows, anchor, p, strict=True)
    ]
    (folder / "golden.json").write_text("[\n" + ",\n".join(json.dumps(row) for row in golden) + "\n]\n")
    (folder / "model.toml").write_text(manifest(city, learned, lead_of, sources, recording, onnx, about))
    (folder / "card.html").write_text(card.page(city, lead_of, sources, learned, numbers, HERE))
    return worst, len(onnx)


def training(learned, first, days) -> list[str]:
    """The sections of a manifest that are for people."""
    trees = sum(model is not None for model in learned.trees)
    return [
        "[data]",
        f'first = "{first}"',
        f"days = {days}",
        "",
        "[training]",
        f'catboost = "{catboost.__version__}"',
        f"seed = {fit.SEED}",
        f"thresholds = {len(learned.trees)}",
        f"thresholds_without_trees = {len(learned.trees) - trees} # too few days on one side: location and scale alone",
        f"trees_per_threshold = {learned.iterations}",
        f"temperature = {learned.temperature}",
    ]


def hash_of(x, came) -> str:
    """Of the numbers that a model was made from, all NaNs being one."""
    plain = np.where(np.isnan(x), np.float32(np.nan), x)
    return blake3.blake3(plain.tobytes() + came.astype(np.int64).tobytes()).hexdigest()


def six_cities(data, out):
    names = dt.of_models(dt.MODELS)
    flags = dt.relative(names)
    frame = dt.table(data, "--at", dt.AT)
    sources = dict(forecast="open_meteo", report="nws_climate_report", observation="nws_observation")
    for city in dt.CITIES:
        days = frame[(frame.city == city) & frame.came_f.notna()].reset_index(drop=True)
        x, came, dates = dt.rows(days, names), days.came_f.to_numpy(), days.date.to_numpy()
        past = np.flatnonzero(dates <= CUTOFF)[WARM_UP:]
        held = np.flatnonzero(dates > CUTOFF)
        learned = learn.learn(names, flags, x[past], came[past], dt.MODELS)
        anchor, p = learned.predict(x[held])
        losses = learn.log_loss(p, learned.classes(came[held], anchor))
        about = training(learned, dates[past[0]], len(past))
        about.insert(1, f'rows_blake3 = "{hash_of(x[past], came[past])}" # of the features and highs trained on')
        about += ["", "# On the days after the cut-off, forecasts of near-zero lead, natural logarithm.", "[metrics]"]
        metrics = dict(first=dates[held[0]], last=dates[held[-1]], days=len(held), log_loss=round(float(losses.mean()), 4))
        about += [f'first = "{metrics["first"]}"', f'last = "{metrics["last"]}"', f"days = {metrics['days']}"]
        about += [f"log_loss = {metrics['log_loss']}"]
        numbers = metrics | dict(trained_first=dates[past[0]], trained_days=len(past), cutoff=CUTOFF)
        worst, size = write(out / city.lower(), city, learned, x, "near zero", sources, "daily", about, numbers)
        print(
            f"{city:4} classes {learned.lowest:+d}..{learned.highest:+d}, {learned.iterations} trees a threshold, temperature"
            f" {learned.temperature}, held-out log loss {metrics['log_loss']:.3f}, parity {worst:.1e}, {size / 1000:.0f} kB",
            flush=True,
        )


def single_forecasts(data, out, source):
    """One model, a bundle per city: they differ in the name of the city alone."""
    frame = lead.rows(data)
    learned = lead.train(frame)
    x = dt.rows(frame, learned.names)
    x = x[np.random.default_rng(fit.SEED).integers(0, len(x), 2_000)]
    sources = dict(forecast=source, report="nws_climate_report", observation="nws_observation")
    about = training(learned, min(frame.date), len(frame))
    numbers = dict(trained_first=min(frame.date), trained_days=len(frame), cutoff=CUTOFF)
    for city in lead.CITIES:
        worst, size = write(out / "lead" / city.lower(), city, learned, x, "any", sources, "lead", about, numbers)
    print(f"lead classes {learned.lowest:+d}..{learned.highest:+d}, {len(frame)} rows, parity {worst:.1e}, {size / 1000:.0f} kB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=pathlib.Path, required=True, help="folder of the recordings")
    parser.add_argument("--out", type=pathlib.Path, default=HERE, help="where bundles go")
    parser.add_argument("--check", action="store_true", help="write nothing; compare with the bundles of --out")
    parser.add_argument("--lead-source", default="recorded_lead", help="source of forecasts that models/lead is bound to")
    arguments = parser.parse_args()
    started = time.time()
    if not arguments.check:
        six_cities(arguments.data, arguments.out)
        single_forecasts(arguments.data, arguments.out, arguments.lead_source)
        print(f"{time.time() - started:.0f} s")
        return
    with tempfile.TemporaryDirectory() as scratch:
        fresh = pathlib.Path(scratch)
        six_cities(arguments.data, fresh)
        single_forecasts(arguments.data, fresh, arguments.lead_source)
        made = {path.relative_to(fresh) for path in fresh.rglob("*") if path.is_file()}
        kept = {path.relative_to(arguments.out) for path in arguments.out.rglob("*/model.toml")}
        different = [str(p) for p in sorted(made) if not same(fresh / p, arguments.out / p)]
        different += [str(p) for p in sorted(kept - made)]
    if different:
        sys.exit("differs from what training gives: " + ", ".join(different))
    print("all bundles are what training gives")


def same(one, other):
    return other.exists() and hashlib.sha256(one.read_bytes()).digest() == hashlib.sha256(other.read_bytes()).digest()


if __name__ == "__main__":
    main()
