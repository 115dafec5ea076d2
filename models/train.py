#!/usr/bin/env python3
"""Trains the six cities' ordinal models and writes one bundle per city.

    python3 -m venv VENV && VENV/bin/pip install -r models/requirements.txt
    VENV/bin/python models/train.py --data DIR            train, verify, write models/<city>/
    VENV/bin/python models/train.py --data DIR --check    train again and compare with the bundles that are there

DIR holds weather/daily_highs_and_forecasts*.csv.zst. A bundle is model.onnx, model.toml (all that a host must know to
use it) and golden.json (synthetic rows with CatBoost's own probabilities). Same data and seed give the same bytes.

The model: delta = settled high minus anchor, the anchor being the rounded, bias-corrected forecast high. For every
threshold k of the city's class range one CatBoost classifier gives P(delta > k), or a constant where too few days lie on
one side; the curve is made monotone and its differences are the class probabilities. The outermost classes are open-ended.
"""

import argparse
import hashlib
import io
import json
import math
import pathlib
import sys
import tempfile
import warnings

# CatBoost asks pandas questions that newer pandas calls deprecated.
warnings.filterwarnings("ignore", category=FutureWarning)

import blake3
import catboost
import numpy as np
import onnx
import onnxruntime
import pandas as pd
import zstandard
from onnx import TensorProto, helper, numpy_helper

import features as ft

FORMAT = 1
FILES = ["daily_highs_and_forecasts.csv.zst", "daily_highs_and_forecasts_2025-10_2026-02.csv.zst"]
CUTOFF = "2025-09-30"  # last day trained on; the days after it are the held-out tail
LATEST = "2026-02-28"  # nothing later is read, whatever the files hold
SEED = 20260228
TREES = dict(
    depth=3,
    iterations=80,
    learning_rate=0.05,
    l2_leaf_reg=20,
    rsm=0.5,
    bootstrap_type="Bernoulli",
    subsample=0.5,
    border_count=32,
    boost_from_average=True,
)
MARGIN = 2  # classes reach this many degrees beyond the training deltas
FEWEST = 10  # a threshold with fewer days than this on one side is a constant
PARITY = 1e-5
FLOOR = 1e-6  # least probability in a logarithm


def read(data: pathlib.Path) -> tuple[pd.DataFrame, list[tuple[str, str]]]:
    """All days of all cities up to LATEST, and the SHA-256 of each file's plain bytes."""
    frames, hashes = [], []
    for name in FILES:
        raw = zstandard.ZstdDecompressor().stream_reader((data / "weather" / name).read_bytes()).read()
        hashes.append((name, hashlib.sha256(raw).hexdigest()))
        frames.append(pd.read_csv(io.BytesIO(raw)))
    days = pd.concat(frames, ignore_index=True)
    return days[days.date <= LATEST], hashes


def season(x: np.ndarray) -> np.ndarray:
    """Constant, sine and cosine of the year: what a bias is a combination of."""
    return np.concatenate([np.ones((len(x), 1)), x[:, ft.SEASON].astype(np.float64)], axis=1)


def fit_anchor(x: np.ndarray, high: np.ndarray) -> list[dict]:
    """Per forecast its seasonal bias (observed minus forecast) and its weight, the inverse variance of what is left."""
    terms = []
    for column in ft.FORECASTS:
        here = ~np.isnan(x[:, column])
        base, error = season(x[here]), high[here] - x[here, column].astype(np.float64)
        bias = np.linalg.lstsq(base, error, rcond=None)[0]
        weight = 1 / float(np.var(error - base @ bias))
        # Rounded as written in the manifest, so that a host computes the same anchor.
        terms.append(dict(feature=ft.NAMES[column], weight=round(weight, 4), bias=[round(float(b), 3) for b in bias]))
    return terms


def anchors(x: np.ndarray, terms: list[dict]) -> np.ndarray:
    """Weighted mean of the corrected forecasts that are present, rounded half up to whole degrees."""
    total, weights = np.zeros(len(x)), np.zeros(len(x))
    for column, term in zip(ft.FORECASTS, terms, strict=True):
        corrected = x[:, column].astype(np.float64) + (season(x) * np.array(term["bias"])).sum(axis=1)
        here = ~np.isnan(corrected)
        total[here] += term["weight"] * corrected[here]
        weights[here] += term["weight"]
    return np.floor(total / weights + 0.5).astype(np.int64)


def relative(x: np.ndarray, anchor: np.ndarray) -> np.ndarray:
    """What the graph sees: the anchor subtracted from relative features, in single precision."""
    return np.where(ft.RELATIVE, x - anchor[:, None].astype(np.float32), x).astype(np.float32)


def without(x: np.ndarray, columns: list[int]) -> np.ndarray:
    """The same rows with some columns missing."""
    x = x.copy()
    x[:, columns] = np.nan
    return x


def rare(delta: np.ndarray, k: int) -> float | None:
    """P(delta > k) where too few days lie on one side to learn from: their share, plus half a day that halves with every
    degree further out, so that no class is impossible. Nothing where a classifier can be fitted."""
    for side, flip in ((delta > k, False), (delta <= k, True)):
        if side.sum() >= FEWEST:
            continue
        ranked = np.sort(delta)
        # First threshold on this side that has too few days.
        first = ranked[FEWEST - 1] - 1 if flip else ranked[-FEWEST]
        share = (side.sum() + 0.5 ** (1 + abs(k - int(first)))) / (len(delta) + 1)
        return float(1 - share if flip else share)
    return None


def fit_threshold(x: np.ndarray, anchor: np.ndarray, above: np.ndarray) -> catboost.CatBoostClassifier:
    """P(delta > k). Each day is seen with all lags, without yesterday's and without any: a live row may lack them."""
    shapes = [([], 1.0), (ft.LAG_1, 0.5), (ft.LAGGED, 0.5)]
    rows = np.concatenate([relative(without(x, columns), anchor) for columns, _ in shapes])
    weights = np.concatenate([np.full(len(x), weight) for _, weight in shapes])
    model = catboost.CatBoostClassifier(
        **TREES, random_seed=SEED, thread_count=1, verbose=False, allow_writing_files=False
    )
    return model.fit(rows, np.tile(above, len(shapes)).astype(int), sample_weight=weights)


def probabilities(survival: np.ndarray) -> np.ndarray:
    """Class probabilities of rows of P(delta > k): mean of running minimum and running maximum, then differences."""
    falling = np.minimum.accumulate(survival, axis=1)
    rising = np.maximum.accumulate(survival[:, ::-1], axis=1)[:, ::-1]
    one, zero = np.ones((len(survival), 1)), np.zeros((len(survival), 1))
    curve = np.concatenate([one, (falling + rising) / 2, zero], axis=1)
    return curve[:, :-1] - curve[:, 1:]


def trees_of(model: catboost.CatBoostClassifier, scratch: pathlib.Path) -> tuple[list, float]:
    """CatBoost's symmetric trees as (splits, leaf values), and the constant that is added to their sum."""
    model.save_model(str(scratch), format="json")
    dump = json.loads(scratch.read_text())
    scale, (bias,) = dump["scale_and_bias"]
    assert scale == 1
    assert all(f["nan_value_treatment"] in ("AsIs", "AsFalse") for f in dump["features_info"]["float_features"])
    trees = []
    for tree in dump["oblivious_trees"]:
        assert all(split["split_type"] == "FloatFeature" for split in tree["splits"] or [])
        splits = [(split["float_feature_index"], split["border"]) for split in tree["splits"] or []]
        trees.append((splits, tree["leaf_values"]))
    return trees, bias


def graph(thresholds: list, width: int) -> onnx.ModelProto:
    """One graph of all thresholds: one tree ensemble with a target per threshold, sigmoid, monotone curve, differences.

    `thresholds` holds (trees, constant) each. NaN fails `x > border`, which is CatBoost's rule for missing values here.
    """
    roots, features, borders, true_ids, false_ids, true_leaf, false_leaf, targets, weights = ([] for _ in range(9))

    def leaf(target, value):
        targets.append(target)
        weights.append(value)
        return len(targets) - 1

    def grow(target, splits, values, level, index):
        """A node on `level`, counted from the top: the last split of CatBoost is the highest bit of the leaf's number."""
        bit = len(splits) - 1 - level
        node = len(features)
        for column, value in zip((features, borders), splits[bit], strict=True):
            column.append(value)
        for column in (true_ids, false_ids, true_leaf, false_leaf):
            column.append(0)
        for ids, leaves, child in ((true_ids, true_leaf, index | 1 << bit), (false_ids, false_leaf, index)):
            leaves[node] = int(bit == 0)
            ids[node] = leaf(target, values[child]) if bit == 0 else grow(target, splits, values, level + 1, child)
        return node

    constants = []
    for target, (trees, constant) in enumerate(thresholds):
        for splits, values in trees:
            if splits:
                roots.append(grow(target, splits, values, 0, 0))
            else:
                constant += values[0]
        constants.append(constant)

    count = len(thresholds)
    single = lambda name, values: numpy_helper.from_array(np.array(values, dtype=np.float32), name)
    ensemble = helper.make_node(
        "TreeEnsemble",
        ["features"],
        ["sums"],
        domain="ai.onnx.ml",
        n_targets=count,
        aggregate_function=1,  # sum
        post_transform=0,  # none
        tree_roots=roots,
        nodes_featureids=features,
        nodes_splits=single("splits", borders),
        nodes_modes=numpy_helper.from_array(np.full(len(features), 3, dtype=np.uint8), "modes"),  # greater than
        nodes_truenodeids=true_ids,
        nodes_falsenodeids=false_ids,
        nodes_trueleafs=true_leaf,
        nodes_falseleafs=false_leaf,
        leaf_targetids=targets,
        leaf_weights=single("weights", weights),
    )
    at, upto = np.meshgrid(np.arange(count), np.arange(count))
    node = helper.make_node
    nodes = [
        ensemble,
        node("Add", ["sums", "constants"], ["logits"]),
        node("Sigmoid", ["logits"], ["survival"]),
        # Running minimum from the left and running maximum from the right, as a reduction over a masked square.
        node("Add", ["survival", "only_before"], ["before"]),
        node("ReduceMin", ["before", "last_axis"], ["falling"], keepdims=0),
        node("Add", ["survival", "only_after"], ["after"]),
        node("ReduceMax", ["after", "last_axis"], ["rising"], keepdims=0),
        node("Add", ["falling", "rising"], ["doubled"]),
        node("Mul", ["doubled", "half"], ["flat"]),
        node("Reshape", ["flat", "row"], ["curve"]),
        node("Concat", ["one", "curve"], ["upper"], axis=1),
        node("Concat", ["curve", "zero"], ["lower"], axis=1),
        node("Sub", ["upper", "lower"], ["probabilities"]),
    ]
    initializers = [
        single("constants", [constants]),
        single("only_before", np.where(at <= upto, 0, 2)),
        single("only_after", np.where(at >= upto, 0, -2)),
        single("half", 0.5),
        single("one", [[1]]),
        single("zero", [[0]]),
        numpy_helper.from_array(np.array([1], dtype=np.int64), "last_axis"),
        numpy_helper.from_array(np.array([1, count], dtype=np.int64), "row"),
    ]
    model = helper.make_model(
        helper.make_graph(
            nodes,
            "isobar",
            [helper.make_tensor_value_info("features", TensorProto.FLOAT, [1, width])],
            [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [1, count + 1])],
            initializers,
        ),
        opset_imports=[helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 5)],
        ir_version=10,
        producer_name="isobar models/train.py",
    )
    onnx.checker.check_model(model)
    return model


def run(session: onnxruntime.InferenceSession, rows: np.ndarray) -> np.ndarray:
    """The graph's answer, row by row as the host asks."""
    return np.concatenate([session.run(["probabilities"], {"features": row[None, :]})[0] for row in rows])


def golden_rows(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Made-up rows near the real ones, with every kind of missing value. No recorded value is among them."""
    mean, spread = np.nanmean(x, axis=0), np.nanstd(x, axis=0)
    rows = (mean + spread * rng.normal(size=(12, x.shape[1]))).astype(np.float32)
    angle = rng.uniform(0, 2 * math.pi, len(rows))
    rows[:, ft.SEASON] = np.stack([np.sin(angle), np.cos(angle)], axis=1)
    # Forecasts of one day resemble each other.
    level = rows[:, ft.FORECASTS[0]]
    rows[:, ft.FORECASTS] = level[:, None] + (rng.normal(size=(len(rows), len(ft.FORECASTS))) * 3).astype(np.float32)
    rows[3:6, ft.LAGGED] = np.nan
    rows[6, ft.LAG_1] = np.nan
    rows[7, ft.FORECASTS[1:]] = np.nan
    rows[8, ft.FORECASTS[0]] = np.nan
    return rows


def log_loss(p: np.ndarray, classes: np.ndarray) -> float:
    return float(-np.log(np.maximum(p[np.arange(len(p)), classes], FLOOR)).mean())


def train(city: str, days: pd.DataFrame, hashes: list, folder: pathlib.Path) -> str:
    """Writes the bundle of one city into `folder` and returns a line about it."""
    folder.mkdir(parents=True, exist_ok=True)
    days = days[days.series == ft.SERIES[city]]
    dates, x = ft.rows(days)
    text = ft.as_text(dates, x)
    known = days.set_index("date").loc[dates]
    # The settlement decides; where it was not recorded, the official high of the settlement station.
    high = known.kalshi_settled_f.fillna(known.obs_high_f).to_numpy()
    use = ~np.isnan(high)
    dates, x, high = np.array(dates)[use], x[use], high[use].astype(np.int64)
    past = dates <= CUTOFF

    terms = fit_anchor(x[past], high[past])
    anchor = anchors(x, terms)
    delta = high - anchor
    lowest, highest = int(delta[past].min()) - MARGIN, int(delta[past].max()) + MARGIN
    classes = delta.clip(lowest, highest) - lowest

    models, thresholds = [], []
    for k in range(lowest, highest):
        above = delta[past] > k
        share = rare(delta[past], k)
        if share is not None:
            models.append(share)
            thresholds.append(([], math.log(share / (1 - share))))
        else:
            models.append(fit_threshold(x[past], anchor[past], above))
            thresholds.append(trees_of(models[-1], folder / "trees.json"))
    (folder / "trees.json").unlink(missing_ok=True)

    def by_catboost(rows):
        survival = [
            np.full(len(rows), m) if isinstance(m, float) else m.predict_proba(rows)[:, 1] for m in models
        ]
        return probabilities(np.stack(survival, axis=1))

    model = graph(thresholds, len(ft.NAMES)).SerializeToString(deterministic=True)
    (folder / "model.onnx").write_bytes(model)
    session = onnxruntime.InferenceSession(model)

    tail = {
        "log_loss": relative(x[~past], anchor[~past]),
        "log_loss_without_lags": relative(without(x[~past], ft.LAGGED), anchor[~past]),
    }
    metrics, worst = {}, 0.0
    for name, rows in tail.items():
        reference = by_catboost(rows)
        worst = max(worst, float(np.abs(run(session, rows) - reference).max()))
        metrics[name] = log_loss(reference, classes[~past])
    counts = np.bincount(classes[past], minlength=highest - lowest + 1) + 0.5
    metrics["baseline_log_loss"] = log_loss(np.tile(counts / counts.sum(), (sum(~past), 1)), classes[~past])

    rng = np.random.default_rng(SEED)
    rows = golden_rows(x[past], rng)
    anchor_of = anchors(rows, terms)
    reference = by_catboost(relative(rows, anchor_of))
    worst = max(worst, float(np.abs(run(session, relative(rows, anchor_of)) - reference).max()))
    if not worst < PARITY:
        sys.exit(f"{city}: the graph differs from CatBoost by {worst:.2e}")
    golden = [
        {
            "features": [None if np.isnan(v) else float(v) for v in row],
            "anchor_f": int(a),
            "probabilities": [round(float(v), 9) for v in p],
        }
        for row, a, p in zip(rows, anchor_of, reference, strict=True)
    ]
    (folder / "golden.json").write_text("[\n" + ",\n".join(json.dumps(row) for row in golden) + "\n]\n")

    error = delta[~past]
    lines = [
        "# Written by models/train.py. Temperatures are degrees Fahrenheit.",
        f"format = {FORMAT}",
        f'city = "{city}"',
        f'series = "{ft.SERIES[city]}"',
        f'station = "{known.station.iloc[0]}"',
        f'cutoff = "{CUTOFF}" # last day that the model was trained on',
        f'onnx_blake3 = "{blake3.blake3(model).hexdigest()}"',
        'input = "features" # float32 [1, number of features]',
        'output = "probabilities" # float32 [1, number of classes], of delta = settled high minus anchor',
        "",
        "# One class per whole degree of delta, both ends included; the outermost classes are open-ended.",
        "[classes]",
        f"lowest = {lowest}",
        f"highest = {highest}",
        "",
        "# The anchor is the mean, by weight, of the forecasts present, each plus its bias, rounded half up.",
        "# Bias: bias[0] + bias[1] * season_sin + bias[2] * season_cos.",
    ]
    for term in terms:
        lines += [
            "[[anchor]]",
            f'feature = "{term["feature"]}"',
            f"weight = {term['weight']}",
            f"bias = {term['bias']}",
            "",
        ]
    lines.append("# The graph's input in order. The anchor is subtracted from a relative feature. NaN means missing.")
    for name, unit, source, is_relative in ft.FEATURES:
        lines += ["[[features]]", f'name = "{name}"', f'unit = "{unit}"', f'source = "{source}"']
        lines += [f"relative = {str(is_relative).lower()}", ""]
    lines += ["[data]", 'warning = "Forecasts of near-zero lead: surer of itself than a forecast of the day before allows."']
    lines += [f'first = "{dates[0]}"', f"days = {int(past.sum())}"]
    lines += [f'features_blake3 = "{blake3.blake3(text.encode()).hexdigest()}" # rows of all days as text']
    for name, value in hashes:
        lines += ["[[data.files]]", f'name = "{name}"', f'sha256 = "{value}" # of the plain bytes']
    lines += ["", "[training]", f'catboost = "{catboost.__version__}"', f"seed = {SEED}"]
    lines += [f"thresholds = {len(thresholds)}", f"constant_thresholds = {sum(isinstance(m, float) for m in models)}"]
    lines += [f"trees_per_threshold = {TREES['iterations']}", f"depth = {TREES['depth']}"]
    lines += [f"learning_rate = {TREES['learning_rate']}", f"l2_leaf_reg = {TREES['l2_leaf_reg']}"]
    lines += ["", "# On the days after the cut-off, natural logarithm. Baseline: the anchor with the deltas' training frequencies."]
    lines += ["[metrics]", f'first = "{dates[~past][0]}"', f'last = "{dates[~past][-1]}"', f"days = {len(error)}"]
    lines += [f"{name} = {value:.4f}" for name, value in metrics.items()]
    lines += [f"anchor_mean_error = {error.mean():.3f}", f"anchor_error_deviation = {error.std():.3f}"]
    (folder / "model.toml").write_text("\n".join(lines) + "\n")
    return (
        f"{city:4} classes {lowest:+d}..{highest:+d}, log loss {metrics['log_loss']:.3f} (no lags"
        f" {metrics['log_loss_without_lags']:.3f}, baseline {metrics['baseline_log_loss']:.3f}), parity {worst:.1e},"
        f" {len(model) / 1000:.0f} kB"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=pathlib.Path, required=True, help="folder with weather/*.csv.zst")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path(__file__).parent, help="where bundles go")
    parser.add_argument("--check", action="store_true", help="write nothing; compare with the bundles of --out")
    arguments = parser.parse_args()
    days, hashes = read(arguments.data)
    if not arguments.check:
        for city in ft.SERIES:
            print(train(city, days, hashes, arguments.out / city.lower()), flush=True)
        return
    different = []
    with tempfile.TemporaryDirectory() as scratch:
        for city in ft.SERIES:
            folder = pathlib.Path(scratch) / city.lower()
            print(train(city, days, hashes, folder), flush=True)
            for file in sorted(folder.iterdir()):
                kept = arguments.out / city.lower() / file.name
                if not kept.exists() or kept.read_bytes() != file.read_bytes():
                    different.append(str(kept))
    if different:
        sys.exit("differs from what training gives: " + ", ".join(different))
    print("all bundles are what training gives")


if __name__ == "__main__":
    main()
