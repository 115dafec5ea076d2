"""The model of a single forecast of any source and lead, and the honest-lead recordings that it is judged by.

No recording of honest leads is long enough to learn from and to judge by. So this model learns only how a high lies around
a forecast *given how that forecast has erred lately* (bias and deviation over earlier days, surprises, number of days),
from each of five models in six cities, 2022 to September 2025, with histories that begin anew every quarter. What is
special to a source, its bias and its error at its lead, comes in through those features, from earlier days of that source.
It has no trees and no season: nothing that only the training source could teach.
"""

import datetime

import numpy as np
import pandas as pd

import data as dt
import fit
import learn

MODEL = "blend"
CUTOFF = "2025-09-30"
BURN_IN = 10  # days whose errors must be known before a day is judged
WINDOW = 150  # days of a history that begins anew
# (label, recording, days ahead)
CITIES = [*dt.CITIES, "NY"]  # that have a bundle
TESTS = [("1 day", "lead", 0), ("2 days", "lead", 1), ("evening before", "live", 0)]


def frames(data):
    starts = [f"{year}-{month:02d}-01" for year in (2022, 2023, 2024, 2025) for month in (1, 4, 7, 10)]
    for model in dt.MODELS:
        yield dt.table(data, "--as-blend", model, "--at", dt.AT, "--to", CUTOFF)
        for start in starts:
            end = min(str(datetime.date.fromisoformat(start) + datetime.timedelta(days=WINDOW)), CUTOFF)
            if start < CUTOFF:
                yield dt.table(data, "--as-blend", model, "--at", dt.AT, "--since", start, "--from", start, "--to", end)


def rows(data) -> pd.DataFrame:
    """All rows to learn from."""
    frame = pd.concat(list(frames(data)), ignore_index=True)
    return frame[frame.came_f.notna() & (frame[f"error_days_{MODEL}"].fillna(0) >= 2)].reset_index(drop=True)


def train(frame) -> learn.Learned:
    names = dt.of_models([MODEL])
    x, came = dt.rows(frame, names), frame.came_f.to_numpy()
    # A day ahead, yesterday's high is not known.
    without = x.copy()
    without[:, [names.index(name) for name in ("surprise_lag_1", "high_lag_1", "high_delta_1")]] = np.nan
    weight = np.concatenate([np.ones(len(x)), np.full(len(x), 0.5)])
    static = fit.Static([MODEL], np.zeros((1, 3)), np.array([3.0]))
    return learn.part(
        names, dt.relative(names), np.concatenate([x, without]), np.tile(came, 2), [MODEL], 0, static, weight
    )
