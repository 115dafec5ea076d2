"""The model card: one HTML page a bundle, plots as inline SVG, nothing loaded from elsewhere."""

import html
import json

STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:46em;margin:2em auto;padding:0 1em;color:#222}"
    "table{border-collapse:collapse;margin:1em 0}td,th{border:1px solid #ccc;padding:.2em .6em;text-align:right}"
    "th:first-child,td:first-child{text-align:left}svg{background:#fafafa;margin:.5em 1em .5em 0}text{font-size:11px}"
    "@media(prefers-color-scheme:dark){body{background:#181818;color:#ddd}svg{background:#222}text{fill:#ccc}}"
)
BLUE, GREY = "#2166ac", "#999"
W, H, PAD = 300, 200, 32


def frame(title, body, x_label, y_label, y_low="0", y_high="1"):
    return (
        f'<svg width="{W}" height="{H + 20}" role="img" aria-label="{html.escape(title)}">'
        f'<text x="{PAD}" y="14" font-weight="bold" fill="currentColor">{html.escape(title)}</text>'
        f'<path d="M{PAD} 22V{H - PAD}H{W - 10}" fill="none" stroke="{GREY}"/>{body}'
        f'<text x="{W / 2}" y="{H - 2}" text-anchor="middle" fill="currentColor">{html.escape(x_label)}</text>'
        f'<text x="4" y="30" fill="currentColor">{y_high}</text><text x="4" y="{H - PAD}" fill="currentColor">{y_low}</text>'
        f'<text x="{W - 10}" y="14" text-anchor="end" fill="currentColor">{html.escape(y_label)}</text></svg>'
    )


def place(x, y):
    """Of the unit square."""
    return f"{PAD + x * (W - PAD - 10):.1f},{H - PAD - y * (H - PAD - 22):.1f}"


def line(points, colour, dashes=""):
    path = " ".join(place(*point) for point in points)
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dashes}"/>'


def reliability(bins):
    dots = "".join(
        f'<circle cx="{x}" cy="{y}" r="3" fill="{BLUE}"><title>said {said}, came {came}, {count}</title></circle>'
        for said, came, count in bins
        for x, y in [place(said, came).split(",")]
    )
    points = [(said, came) for said, came, _ in bins]
    body = line([(0, 0), (1, 1)], GREY, "4") + line(points, BLUE) + dots
    return frame("Reliability", body, "probability said of more than a degree", "share that came")


def over_time(title, quarters, ours, theirs):
    values = [q[ours] for q in quarters] + [q[theirs] for q in quarters]
    low, high = min(values) * 0.95, max(values) * 1.02
    scaled = lambda column: [(at / max(len(quarters) - 1, 1), (q[column] - low) / (high - low)) for at, q in enumerate(quarters)]
    body = line(scaled(theirs), GREY, "4") + line(scaled(ours), BLUE)
    return frame(title, body, f"{quarters[0][0]} to {quarters[-1][0]}", "model blue, baseline dashed", f"{low:.2f}", f"{high:.2f}")


def table(rows):
    head = ["table", "lead", "days", "log loss", "baseline", "difference, 90 %", "Brier", "baseline", "CRPS °F", "baseline"]
    cells = [
        [
            r["table"],
            r["lead"],
            r["n"],
            f"{r['log_loss']:.3f}",
            f"{r['baseline_log_loss']:.3f}",
            f"{r['difference_low']:+.3f} … {r['difference_high']:+.3f}",
            f"{r['brier']:.3f}",
            f"{r['baseline_brier']:.3f}",
            f"{r['crps']:.2f}",
            f"{r['baseline_crps']:.2f}",
        ]
        for r in rows
    ]
    to_row = lambda tag, values: "<tr>" + "".join(f"<{tag}>{html.escape(str(v))}</{tag}>" for v in values) + "</tr>"
    return "<table>" + to_row("th", head) + "".join(to_row("td", c) for c in cells) + "</table>"


SIX = (
    "<p><b>Too sure of itself.</b> The forecasts that it was trained on come from Open-Meteo's historical service, which strings"
    " together the first hours of each run: their lead is nearly zero. Forecasts of the day before are worse, and the model"
    " cannot know. Part of that is taken up by the features bias and error deviation, which follow the errors of the"
    " source as they are; until a source has some weeks of history they are not there.</p>"
    "<p>Intraday observations are not among its inputs: no honest record of them is long enough to learn from. Conditioning"
    " on the maximum so far is done by the host after the model.</p>"
)
ONE = (
    "<p>For <b>one forecast of any lead</b>: it knows no forecast model, season or city, only how far highs lie from a"
    " forecast given the bias, the error deviation and the surprises of that same source on earlier days. It was learned from"
    " five models in six cities, taken one at a time, with histories that begin anew every quarter, all before October 2025;"
    " it is judged on forecasts of honest lead after that. It has no trees: nothing that the training source alone could"
    " teach. It needs about ten days of history of its source.</p>"
    "<p>In July and August 2026 the official highs were not recorded. The highest logged temperature, rounded, stands for"
    " them; on the city-days where both are known it is up to 3 °F too low. So those rows compare model and baseline"
    " on the same stand-in, and say little about settlement.</p>"
)


def page(city, lead, sources, learned, numbers, folder) -> str:
    single = len(learned.static.models) == 1
    parts = [
        f"<!doctype html><html lang='en'><meta charset='utf-8'><title>{city}</title><style>{STYLE}</style>",
        f"<h1>{city}: the day's highest temperature</h1>",
        ONE if single else SIX,
        f"<p>Trained on {numbers['trained_days']} rows from {numbers['trained_first']} to {numbers['cutoff']}; sources "
        + ", ".join(f"{kind}: {source}" for kind, source in sources.items())
        + f". Lead of the training forecasts: {lead if not single else 'nearly zero, see above'}.</p>",
        "<p>P(high &gt; anchor + k) = sigmoid(-g(z<sub>k</sub>) + trees<sub>k</sub>), z<sub>k</sub> = (k + 1/2 - location) /"
        " scale. Location and scale are linear in the bias-corrected forecasts, their spread, recent errors, yesterday's high"
        " and the season, by penalised maximum likelihood; a CatBoost classifier per threshold is fitted to what that leaves."
        f" Classes {learned.lowest:+d} to {learned.highest:+d} °F, {len(learned.trees)} thresholds,"
        f" {sum(m is not None for m in learned.trees)} of them with {learned.iterations} trees each (chosen on the last quarter"
        f" of the training days), temperature {learned.temperature}.</p>",
    ]
    if "log_loss" in numbers:
        parts.append(
            f"<p>Held out, {numbers['first']} to {numbers['last']} (near-zero lead): log loss {numbers['log_loss']:.3f} on"
            f" {numbers['days']} days.</p>"
        )
    if (folder / "validation.json").is_file():
        known = json.loads((folder / "validation.json").read_text())
        plots = json.loads((folder / "controls.json").read_text())["plots"]
        wanted = "B" if single else "A"
        rows = [r for r in known if r["table"] == wanted and r["city"] == city]
        if rows:
            parts += ["<h2>Walk-forward</h2>" if not single else "<h2>Honest leads</h2>", table(rows)]
            parts.append(
                "<p>Baseline: the same forecast, bias removed per season over an expanding window, errors counted per degree"
                " with half a day for each. The difference is model minus baseline in log loss; below zero is better, and the"
                " 90 % interval draws whole days.</p>"
            )
        if city in plots and not single:
            quarters = plots[city]["quarters"]
            parts += [reliability(plots[city]["reliability"]), over_time("Log loss", quarters, 1, 2)]
            parts += [over_time("Brier score", quarters, 3, 4), over_time("CRPS, °F", quarters, 5, 6)]
        if single:
            for label, plot in plots.items():
                if any(r["lead"] == label for r in rows):
                    parts.append(f"<p>All cities, lead {html.escape(label)}:</p>" + reliability(plot["reliability"]))
    return "\n".join(parts) + "\n"
