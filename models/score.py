"""Scores of distributions over whole degrees, and the baseline that models are held against."""

import numpy as np

from learn import FLOOR


class Forecasts:
    """Distributions of some days: the first class of row i is `lowest[i]` degrees or less, the last is open-ended too."""

    def __init__(self, dates, lowest, probabilities, came):
        self.dates, self.lowest, self.probabilities = list(dates), list(lowest), list(probabilities)
        self.came = np.asarray(came, dtype=np.int64)

    def __len__(self):
        return len(self.dates)

    def extend(self, other):
        self.dates += other.dates
        self.lowest += other.lowest
        self.probabilities += other.probabilities
        self.came = np.concatenate([self.came, other.came])

    def only(self, keep):
        pick = lambda values: [v for v, k in zip(values, keep, strict=True) if k]
        return Forecasts(pick(self.dates), pick(self.lowest), pick(self.probabilities), self.came[np.asarray(keep)])

    def of_rows(self):
        return zip(self.lowest, self.probabilities, self.came, strict=True)

    def log_loss(self):
        """Of each day, natural logarithm of the probability of the degree that came."""
        at = lambda low, p, came: min(max(came - low, 0), len(p) - 1)
        return np.array([-np.log(max(p[at(low, p, came)], FLOOR)) for low, p, came in self.of_rows()])

    def brier(self):
        """Of each day, sum over degrees of squared differences."""
        out = []
        for low, p, came in self.of_rows():
            truth = np.zeros(len(p))
            truth[min(max(came - low, 0), len(p) - 1)] = 1
            out.append(((p - truth) ** 2).sum())
        return np.array(out)

    def crps(self):
        """Of each day, degrees Fahrenheit."""
        out = []
        for low, p, came in self.of_rows():
            below = np.cumsum(p)[:-1]
            out.append(((below - (low + np.arange(len(below)) >= came)) ** 2).sum())
        return np.array(out)

    def above(self):
        """(probability of more than k, whether it came) over all days and the degrees near enough to matter."""
        said, was = [], []
        for low, p, came in self.of_rows():
            more = 1 - np.cumsum(p)[:-1]
            keep = (more > 0.01) & (more < 0.99)
            said.append(more[keep])
            was.append(came > (low + np.arange(len(more)))[keep])
        return np.concatenate(said), np.concatenate(was)


def interval(difference, days, rng, resamples=2000):
    """90 % interval of the mean difference: whole days are drawn with replacement."""
    names, place = np.unique(days, return_inverse=True)
    total = np.bincount(place, weights=difference)
    count = np.bincount(place).astype(float)
    drawn = rng.integers(0, len(names), size=(resamples, len(names)))
    means = total[drawn].sum(axis=1) / count[drawn].sum(axis=1)
    return [float(v) for v in np.quantile(means, [0.05, 0.95])]


def seasons(dates):
    """Meteorological seasons: 0 is December to February."""
    return np.array([int(date[5:7]) % 12 // 3 for date in dates])


def baseline(dates, forecasts, came, delay=1) -> Forecasts:
    """The same forecast, bias removed per season, and a histogram of what was left, all of days before.

    Several forecasts are first made one by the inverse of their variance. `delay` is the number of days until a high is
    known. A degree that was not seen counts half a day; classes reach two degrees beyond the errors seen.
    """
    season = seasons(dates)
    n, models = forecasts.shape
    errors = came[:, None] - forecasts
    point = np.full(n, np.nan)
    left = errors.copy()
    for i in range(n):
        upto = max(i - delay + 1, 0)
        values, weights = [], []
        for m in range(models):
            past = ~np.isnan(errors[:upto, m])
            if np.isnan(forecasts[i, m]) or past.sum() < min(10, 5 * models):
                continue
            now = past & (season[:upto] == season[i])
            bias = errors[:upto, m][now if now.any() else past].mean()
            corrected = [errors[:upto, m][past & (season[:upto] == s)] for s in range(4)]
            spread = np.concatenate([e - e.mean() for e in corrected if len(e)])
            values.append(forecasts[i, m] + bias)
            weights.append(1 / max(float(np.mean(spread**2)), 0.25))
        if values:
            point[i] = np.average(values, weights=weights)
    whole = np.floor(point + 0.5)
    left = came - whole
    kept, lowest, probabilities = [], [], []
    for i in range(n):
        seen = left[: max(i - delay + 1, 0)]
        seen = seen[~np.isnan(seen)].astype(np.int64)
        if np.isnan(point[i]) or np.isnan(came[i]) or len(seen) == 0:
            continue
        first = seen.min() - 2
        counts = np.bincount(seen - first, minlength=seen.max() + 3 - first) + 0.5
        kept.append(i)
        lowest.append(int(whole[i]) + first)
        probabilities.append(counts / counts.sum())
    return Forecasts([dates[i] for i in kept], lowest, probabilities, came[kept])


def both(model: Forecasts, base: Forecasts, since=""):
    """The two on the same days."""
    shared = {date for date in set(model.dates) & set(base.dates) if date >= since}
    return model.only([d in shared for d in model.dates]), base.only([d in shared for d in base.dates])


def row(city, table, lead, model: Forecasts, base: Forecasts, rng) -> dict:
    """One row of a table; better is an interval below zero."""
    assert model.dates == base.dates and (model.came == base.came).all()
    difference = model.log_loss() - base.log_loss()
    low, high = interval(difference, model.dates, rng)
    scores = dict(log_loss=model.log_loss(), brier=model.brier(), crps=model.crps())
    scores |= dict(baseline_log_loss=base.log_loss(), baseline_brier=base.brier(), baseline_crps=base.crps())
    out = dict(city=city, table=table, lead=lead, n=len(model))
    out |= {name: round(float(values.mean()), 4) for name, values in scores.items()}
    return out | dict(difference=round(float(difference.mean()), 4), difference_low=round(low, 4), difference_high=round(high, 4))
