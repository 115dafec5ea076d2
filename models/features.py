"""Feature rows of a city from the history of its days.

The same rule as host/weather/src/features.rs: a row of day D uses D's forecasts and, of days before D, observed highs
and forecasts. Names, order and units are the ones of the bundles' manifests.

Run as a program it writes the made-up history on which the host's tests compare both implementations.
"""

import datetime
import math
import pathlib

import numpy as np
import pandas as pd

MODELS = ["gfs", "ecmwf_ifs025", "icon", "gem"]
LAGS = [1, 2, 3]
# (name, unit, source, relative): the anchor is subtracted from a relative feature before the graph sees it.
FEATURES = (
    [(f"fcst_{m}", "degF", "forecast high of the day", True) for m in MODELS]
    + [("fcst_spread", "degF", "highest minus lowest of the forecasts present, at least two", False)]
    + [("high_lag_1", "degF", "observed high of the day before", True)]
    + [(f"error_lag_{k}", "degF", f"observed high minus fcst_gfs, {k} day(s) before", False) for k in LAGS]
    + [("season_sin", "1", "sin(2 pi day_of_year / 365.25)", False)]
    + [("season_cos", "1", "cos(2 pi day_of_year / 365.25)", False)]
)
NAMES = [name for name, *_ in FEATURES]
RELATIVE = np.array([relative for *_, relative in FEATURES])
LAGGED = [i for i, name in enumerate(NAMES) if "_lag_" in name]
LAG_1 = [i for i, name in enumerate(NAMES) if name.endswith("_lag_1")]
FORECASTS = [NAMES.index(f"fcst_{m}") for m in MODELS]
SEASON = [NAMES.index("season_sin"), NAMES.index("season_cos")]

SERIES = {
    "CHI": "KXHIGHCHI",
    "AUS": "KXHIGHAUS",
    "DEN": "KXHIGHDEN",
    "LAX": "KXHIGHLAX",
    "MIA": "KXHIGHMIA",
    "PHIL": "KXHIGHPHIL",
}


def rows(days: pd.DataFrame) -> tuple[list[str], np.ndarray]:
    """Dates and float32 rows of every day of one city that has at least one forecast. Missing values are NaN."""
    days = days.set_index("date").sort_index()
    assert days.index.is_unique, "one row a day"
    high = days["obs_high_f"].to_dict()
    forecasts = {m: days[f"fcst_{m}"].to_dict() for m in MODELS}
    nan = float("nan")
    dates, out = [], []
    for date in days.index:
        day = datetime.date.fromisoformat(date)
        before = [(day - datetime.timedelta(days=k)).isoformat() for k in LAGS]
        fcst = [forecasts[m][date] for m in MODELS]
        present = [f for f in fcst if f == f]
        if not present:
            continue
        spread = max(present) - min(present) if len(present) > 1 else nan
        errors = [high.get(b, nan) - forecasts["gfs"].get(b, nan) for b in before]
        angle = 2 * math.pi * day.timetuple().tm_yday / 365.25
        out.append([*fcst, spread, high.get(before[0], nan), *errors, math.sin(angle), math.cos(angle)])
        dates.append(date)
    return dates, np.array(out, dtype=np.float32)


def as_text(dates: list[str], matrix: np.ndarray) -> str:
    """Rows as text, three decimals, nothing for NaN: what both implementations are compared by."""
    lines = []
    for date, row in zip(dates, matrix, strict=True):
        lines.append(",".join([date, *("" if np.isnan(v) else f"{float(v):.3f}" for v in row)]))
    return "\n".join(lines) + "\n"


def main() -> None:
    """Writes host/weather/testdata: forty made-up days with holes, and their rows."""
    folder = pathlib.Path(__file__).parent.parent / "host" / "weather" / "testdata"
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(7)
    first = datetime.date(2023, 12, 10)
    days = []
    for i in range(40):
        if i == 17:  # a day that nobody recorded
            continue
        high = round(float(45 + 10 * rng.normal()))
        row = {"series": "KXHIGHCHI", "station": "KMDW", "date": (first + datetime.timedelta(days=i)).isoformat()}
        row["obs_high_f"] = "" if rng.random() < 0.1 else high
        for model in MODELS:
            row[f"fcst_{model}"] = "" if rng.random() < 0.15 else f"{high - 3 + 2 * rng.normal():.1f}"
        days.append(row)
    path = folder / "history.csv"
    pd.DataFrame(days).to_csv(path, index=False, lineterminator="\n")
    (folder / "rows.csv").write_text(as_text(*rows(pd.read_csv(path))))


if __name__ == "__main__":
    main()
