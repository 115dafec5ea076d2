"""Rows of features and what came, from `isobar features`: no feature is computed here."""

import io
import json
import os
import pathlib
import subprocess
import tomllib

import numpy as np
import pandas as pd

ROOT = pathlib.Path(__file__).parent.parent
CITIES = ["CHI", "AUS", "DEN", "LAX", "MIA", "PHIL"]
REGISTRY = {row["code"]: row for row in tomllib.loads((ROOT / "models" / "cities.toml").read_text())["city"]}
AT = "07:00"  # local standard time of the day: yesterday's climate report is out, the day's forecasts are in
# The models of the six cities' bundles.
MODELS = ["gfs", "ecmwf_ifs025", "icon", "gem", "jma"]


def of_models(models):
    """Features that a bundle of these forecast models uses, in its order."""
    names = [f"{kind}_{m}" for kind in ("fcst", "bias", "error_sd") for m in models]
    if len(models) == 1:
        names += [f"error_days_{models[0]}"]
    else:
        names += ["fcst_spread", "fcst_sd"]
    names += ["surprise_lag_1", "surprise_lag_2", "surprise_lag_3", "high_lag_1", "high_delta_1"]
    return names + ["season_sin", "season_cos"]


def binary() -> str:
    return os.environ.get("ISOBAR", str(ROOT / "target" / "release" / "isobar"))


def catalogue(recording="daily") -> dict:
    """Name, unit, sources, meaning of every feature, by name."""
    text = subprocess.run([binary(), "features", "--list", "--recording", recording], check=True, capture_output=True)
    return {feature["name"]: feature for feature in json.loads(text.stdout)}


def table(data: pathlib.Path, *arguments: str) -> pd.DataFrame:
    """One call of `isobar features`."""
    command = [binary(), "features", "--data", str(data), *arguments]
    text = subprocess.run(command, check=True, capture_output=True).stdout
    # Shortest decimal text of single precision reads back as the same number.
    return pd.read_csv(io.BytesIO(text), dtype=dict(city=str, date=str, at=str, issued=str), keep_default_na=True, na_values=[""])


def rows(frame: pd.DataFrame, names: list[str]) -> np.ndarray:
    """Float32 features in the order of `names`; NaN is missing."""
    return frame[names].to_numpy(dtype=np.float64).astype(np.float32)


def relative(names: list[str]) -> np.ndarray:
    """Which of them a graph sees relative to its anchor."""
    known = catalogue()
    return np.array([known[name]["relative"] for name in names])
