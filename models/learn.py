"""From rows of one city to everything that a bundle holds: anchor, shape, trees, temperature. Later days choose for earlier
ones only inside the training data."""

import dataclasses

import numpy as np

import fit

ITERATIONS = (20, 40)  # trees a threshold; how many is chosen on the last quarter of the training days
TEMPERATURES = (0.9, 0.95, 1.0, 1.05, 1.1, 1.2)
MARGIN = 3  # classes reach this many degrees beyond the training deltas
LEAST_DAYS = 10  # a forecast model with fewer training days is not looked at
# Features that are missing while yesterday's report is, and where a source is new, by how their names begin.
LATE = ("surprise_lag_1", "high_lag_1", "high_delta_1")
NEW = ("bias_", "error_sd_", "fcst_sd", "surprise_", "high_lag_", "high_delta_")
FLOOR = 1e-6  # least probability in a logarithm


@dataclasses.dataclass
class Learned:
    names: list[str]
    relative: np.ndarray
    static: fit.Static
    shape: fit.Shape
    trees: list
    temperature: float
    iterations: int
    lowest: int
    highest: int

    def thresholds(self):
        return np.arange(self.lowest, self.highest)

    def anchors(self, x):
        """Weighted mean of the forecasts present, each plus its seasonal bias, rounded half up: what hosts compute too."""
        base = fit.season(self.names, x)
        total, weights = np.zeros(len(x)), np.zeros(len(x))
        for term in self.anchor_terms():
            corrected = fit.column(self.names, x, term["feature"]) + base @ np.array(term["bias"])
            here = ~np.isnan(corrected)
            total[here] += term["weight"] * corrected[here]
            weights[here] += term["weight"]
        return np.floor(total / weights + 0.5).astype(np.int64)

    def anchor_terms(self):
        return [
            dict(feature=f"fcst_{model}", weight=round(1 / float(deviation) ** 2, 4), bias=[float(b) for b in bias])
            for model, bias, deviation in zip(self.static.models, self.static.bias, self.static.deviation, strict=True)
        ]

    def relative_rows(self, x, anchor):
        """What the graph sees: the anchor subtracted from relative features, in single precision."""
        return np.where(self.relative, x - anchor[:, None].astype(np.float32), x).astype(np.float32)

    def of_relative(self, rows):
        """Class probabilities of rows as the graph sees them, by CatBoost and double precision."""
        centre, location, scale, *_ = fit.terms(self.names, rows, self.static)
        base = fit.logits(self.shape, centre, location, scale, self.thresholds())
        return fit.probabilities(fit.survival(rows, base, self.trees, self.temperature))

    def predict(self, x):
        """(anchor, class probabilities) of rows."""
        anchor = self.anchors(x)
        return anchor, self.of_relative(self.relative_rows(x, anchor))

    def classes(self, high, anchor):
        return (high - anchor).clip(self.lowest, self.highest).astype(np.int64) - self.lowest


def part(names, relative, x, high, models, iterations, static=None, weight=None) -> Learned:
    """One fit with a given number of trees."""
    have = [m for m in models if (~np.isnan(fit.column(names, x, f"fcst_{m}"))).sum() >= LEAST_DAYS]
    static = static or fit.fit_static(names, x, high, have)
    learned = Learned(names, relative, static, None, [], 1.0, iterations, 0, 0)
    anchor = learned.anchors(x)
    delta = high.astype(np.int64) - anchor
    learned.lowest, learned.highest = int(delta.min()) - MARGIN, int(delta.max()) + MARGIN
    rows = learned.relative_rows(x, anchor)
    weight = np.ones(len(x)) if weight is None else weight
    if iterations:
        # A live row may lack yesterday's report, or all history: each day is also seen so.
        shapes = [(holes, share) for holes, share in ((LATE, 0.25), (NEW, 0.25))]
        holes = lambda starts: [at for at, name in enumerate(names) if name.startswith(starts)]
        copies = [rows]
        for starts, _ in shapes:
            copies.append(rows.copy())
            copies[-1][:, holes(starts)] = np.nan
        rows, delta = np.concatenate(copies), np.tile(delta, len(copies))
        weight = np.concatenate([weight] + [weight * share for _, share in shapes])
    centre, location, scale, *kinds = fit.terms(names, rows, static)
    learned.shape = fit.fit_shape(centre, location, scale, *kinds, delta, weight)
    base = fit.logits(learned.shape, centre, location, scale, learned.thresholds())
    for at, k in enumerate(learned.thresholds()):
        learned.trees.append(fit.fit_trees(rows, base[:, at], delta > k, iterations, weight))
    return learned


def log_loss(p: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Of each row, natural logarithm."""
    return -np.log(np.maximum(p[np.arange(len(p)), classes], FLOOR))


def choose(names, relative, x, high, models):
    """(trees a threshold, temperature) by the last quarter of the days, from a fit of the days before."""
    cut = len(x) * 3 // 4
    learned = part(names, relative, x[:cut], high[:cut], models, max(ITERATIONS))
    anchor = learned.anchors(x[cut:])
    rows, classes = learned.relative_rows(x[cut:], anchor), learned.classes(high[cut:], anchor)
    centre, location, scale, *_ = fit.terms(names, rows, learned.static)
    base = fit.logits(learned.shape, centre, location, scale, learned.thresholds())
    def losses(iterations, temperature):
        total = base.copy()
        for at, model in enumerate(learned.trees):
            if model is not None:
                total[:, at] += model.predict(rows, prediction_type="RawFormulaVal", ntree_end=iterations)
        return log_loss(fit.probabilities(fit.sigmoid(total / temperature)), classes)

    iterations = min(ITERATIONS, key=lambda count: losses(count, 1.0).mean())
    plain = losses(iterations, 1.0)

    def gain(temperature):
        """How much better than no calibration, less what chance gives in one of twenty."""
        better = plain - losses(iterations, temperature)
        return better.mean() - 1.645 * better.std() / np.sqrt(len(better))

    temperature = max(TEMPERATURES, key=gain)
    return iterations, temperature if gain(temperature) > 0 else 1.0


def learn(names, relative, x, high, models) -> Learned:
    """The whole procedure for one city; every choice is made inside these days."""
    iterations, temperature = choose(names, relative, x, high, models)
    learned = part(names, relative, x, high, models, iterations)
    learned.temperature = temperature
    return learned
