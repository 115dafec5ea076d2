"""The model of one city: a location and a scale learned by maximum likelihood, and boosted trees on top.

P(delta > k) = sigmoid(-g(z_k) + trees_k(x)),  z_k = (k + 1/2 - location(x)) / scale(x),  g(z) = c1 z + c3 z^3.

Location and scale are linear in a few terms of the features (`terms`), so a city has about thirty numbers to learn from a
thousand days; g covers tails from logistic to lighter than normal. The trees, one CatBoost classifier per threshold, are
fitted to what that leaves and are used only where they help on later days of the training data.
"""

import dataclasses
import math

import catboost
import numpy as np
from scipy.optimize import minimize

SEED = 20260228
CLIP = 30.0  # logits beyond this are certainty in single precision
# What a term may weigh: penalties on the squares of its weight, the constant's is free.
LOCATION_PENALTY = dict(constant=0, season=3, deviation=5, lag=5, high=5, few=5)
SCALE_PENALTY = dict(constant=0, season=10, spread=5, error=5, lag=10, high=10, few=5)
TREES = dict(
    depth=3,
    learning_rate=0.03,
    l2_leaf_reg=30,
    rsm=0.5,
    bootstrap_type="Bernoulli",
    subsample=0.5,
    border_count=32,
    boost_from_average=False,
)
FEWEST = 10  # a threshold with fewer days than this on one side gets no trees


def sigmoid(x):
    return 1 / (1 + np.exp(-np.clip(x, -CLIP, CLIP)))


@dataclasses.dataclass
class Static:
    """Per forecast model what stands in where its errors of earlier days are not known, and its place in the anchor."""

    models: list[str]
    bias: np.ndarray  # [models, 3]: constant, season_sin, season_cos
    deviation: np.ndarray  # [models]


def column(names, x, name):
    return x[:, names.index(name)].astype(np.float64)


def season(names, x):
    return np.stack([np.ones(len(x)), column(names, x, "season_sin"), column(names, x, "season_cos")], axis=1)


def fit_static(names, x, high, models) -> Static:
    """Seasonal bias of each model and the deviation that is left, rounded as written in the manifest."""
    bias, deviation = [], []
    for model in models:
        forecast = column(names, x, f"fcst_{model}")
        here = ~np.isnan(forecast)
        base, error = season(names, x[here]), high[here] - forecast[here]
        # Ten days' worth of no season at all: a model with a short history has seen few seasons.
        solved = np.linalg.solve(base.T @ base + np.diag([0.01, 10, 10]), base.T @ error)
        bias.append([round(float(b), 3) for b in solved])
        deviation.append(round(float(np.std(error - base @ bias[-1])), 4))
    return Static(models, np.array(bias), np.array(deviation))


def corrected(names, x, static: Static):
    """Forecasts plus bias and their deviations, [rows, models]; NaN where a forecast is missing."""
    base = season(names, x)
    forecasts, deviations = [], []
    for at, model in enumerate(static.models):
        bias, deviation = column(names, x, f"bias_{model}"), column(names, x, f"error_sd_{model}")
        bias = np.where(np.isnan(bias), base @ static.bias[at], bias)
        deviation = np.where(np.isnan(deviation), static.deviation[at], deviation)
        forecasts.append(column(names, x, f"fcst_{model}") + bias)
        deviations.append(np.maximum(deviation, 0.25))
    return np.stack(forecasts, axis=1), np.stack(deviations, axis=1)


def terms(names, x, static: Static):
    """(centre, location terms, scale terms, their kinds). `x` may be relative to an anchor: the centre is too."""
    c, v = corrected(names, x, static)
    here = ~np.isnan(c)
    weight = np.where(here, 1 / v**2, 0.0)
    total = weight.sum(axis=1)
    centre = np.where(here, weight * c, 0).sum(axis=1) / total
    deviations = np.where(here, c - centre[:, None], 0.0)
    count = here.sum(axis=1)
    spread = np.log1p(np.sqrt((deviations**2).sum(axis=1) / count))
    error = np.log(np.where(here, v, 0).sum(axis=1) / count)
    base = season(names, x)
    sine, cosine = base[:, 1], base[:, 2]
    known = lambda values: np.where(np.isnan(values), 0.0, values)
    lags = [known(column(names, x, f"surprise_lag_{k}")) for k in (1, 2, 3)]
    high = known(column(names, x, "high_lag_1") - centre) / 5
    change = known(column(names, x, "high_delta_1")) / 5
    lagged = np.log(0.5 + sum(lag**2 for lag in lags) / 3)
    ones = np.ones(len(x))
    if len(static.models) == 1:
        # One forecast of any source: nothing that only one source, city or season could teach.
        days = known(column(names, x, f"error_days_{static.models[0]}"))
        bias = c[:, 0] - column(names, x, f"fcst_{static.models[0]}")
        few = 1 / np.sqrt(days + 1)
        location = [("constant", ones), ("few", bias * few**2)]
        scale = [("constant", ones), ("error", error), ("lag", lagged), ("high", np.abs(high)), ("few", few)]
    else:
        location = [("constant", ones), ("season", sine), ("season", cosine)]
        location += [("deviation", deviations[:, m]) for m in range(len(static.models))]
        scale = [("constant", ones), ("season", sine), ("season", cosine)]
        scale += [("season", 2 * sine * cosine), ("season", cosine**2 - sine**2)]
        scale += [("spread", spread), ("error", error), ("lag", lagged), ("high", np.abs(high))]
    location += [("lag", lag) for lag in lags] + [("high", high), ("high", change)]
    stack = lambda pairs: np.stack([values for _, values in pairs], axis=1)
    return centre, stack(location), stack(scale), [kind for kind, _ in location], [kind for kind, _ in scale]


@dataclasses.dataclass
class Shape:
    """The learned numbers."""

    location: np.ndarray
    scale: np.ndarray
    c1: float
    c3: float


def fit_shape(centre, location, scale, location_kinds, scale_kinds, high, weight=None) -> Shape:
    """Maximum penalised likelihood of the whole degrees that came."""
    weight = np.ones(len(high)) if weight is None else weight
    pl = np.array([LOCATION_PENALTY[kind] for kind in location_kinds], dtype=float)
    ps = np.array([SCALE_PENALTY[kind] for kind in scale_kinds], dtype=float)
    n = len(pl)
    y = high - centre
    start = np.concatenate([np.zeros(n + len(ps)), [0.0, math.log(0.05)]])
    prior = start[-2:].copy()

    def loss(p):
        a, b, c1, c3 = p[:n], p[n:-2], math.exp(p[-2]), math.exp(p[-1])
        raw = scale @ b
        log_scale = np.clip(raw, -3, 3)
        inverse = np.exp(-log_scale)
        middle = y - location @ a
        upper, lower = (middle + 0.5) * inverse, (middle - 0.5) * inverse
        su, sl = sigmoid(c1 * upper + c3 * upper**3), sigmoid(c1 * lower + c3 * lower**3)
        mass = np.maximum(su - sl, 1e-12)
        du, dl = -weight * su * (1 - su) / mass, weight * sl * (1 - sl) / mass
        gu, gl = du * (c1 + 3 * c3 * upper**2), dl * (c1 + 3 * c3 * lower**2)
        by_location = -(gu + gl) * inverse
        by_scale = np.where(np.abs(raw) < 3, -(gu * upper + gl * lower), 0)
        gradient = np.concatenate(
            [
                location.T @ by_location + pl * a,
                scale.T @ by_scale + ps * b,
                [c1 * (du * upper + dl * lower).sum() + 2 * (p[-2] - prior[0])],
                [c3 * (du * upper**3 + dl * lower**3).sum() + 2 * (p[-1] - prior[1])],
            ]
        )
        penalty = 0.5 * (pl * a * a).sum() + 0.5 * (ps * b * b).sum() + ((p[-2:] - prior) ** 2).sum()
        return -(weight * np.log(mass)).sum() + penalty, gradient

    found = minimize(loss, start, jac=True, method="L-BFGS-B", options=dict(maxiter=500))
    rounded = [float(f"{v:.6g}") for v in found.x]
    return Shape(
        np.array(rounded[:n]),
        np.array(rounded[n:-2]),
        float(f"{math.exp(rounded[-2]):.6g}"),
        float(f"{math.exp(rounded[-1]):.6g}"),
    )


def logits(shape: Shape, centre, location, scale, thresholds):
    """Logit of P(delta > k) of each row and threshold; `centre` is relative to the row's anchor."""
    inverse = np.exp(-np.clip(scale @ shape.scale, -3, 3))
    z = (thresholds[None, :] + 0.5 - (centre + location @ shape.location)[:, None]) * inverse[:, None]
    return np.clip(-(shape.c1 * z + shape.c3 * z**3), -CLIP, CLIP)


def fit_trees(x, base, above, iterations, weight=None, seed=SEED):
    """CatBoost for one threshold on top of `base` logits, or nothing where too few days lie on one side."""
    if iterations == 0 or min(above.sum(), (~above).sum()) < FEWEST:
        return None
    model = catboost.CatBoostClassifier(
        **TREES, iterations=iterations, random_seed=seed, thread_count=1, verbose=False, allow_writing_files=False
    )
    return model.fit(catboost.Pool(x, above.astype(int), weight=weight, baseline=base))


def survival(x, base, models, temperature=1.0):
    """P(delta > k) of rows: base logits [rows, thresholds] plus CatBoost's own raw sums, over the temperature."""
    total = base.copy()
    for at, model in enumerate(models):
        if model is not None:
            total[:, at] += model.predict(x, prediction_type="RawFormulaVal")
    return sigmoid(total / temperature)


def probabilities(curve: np.ndarray) -> np.ndarray:
    """Class probabilities of rows of P(delta > k): mean of running minimum and running maximum, then differences."""
    falling = np.minimum.accumulate(curve, axis=1)
    rising = np.maximum.accumulate(curve[:, ::-1], axis=1)[:, ::-1]
    one, zero = np.ones((len(curve), 1)), np.zeros((len(curve), 1))
    curve = np.concatenate([one, (falling + rising) / 2, zero], axis=1)
    return curve[:, :-1] - curve[:, 1:]
