"""The tables of models/README.md, from validation.json and controls.json."""

import pathlib

README = pathlib.Path(__file__).parent / "README.md"
BEGIN, END = "<!-- tables: written by validate.py -->", "<!-- end of tables -->"


def verdict(row):
    return "better" if row["difference_high"] < 0 else "worse" if row["difference_low"] > 0 else "no difference"


def scores(rows):
    lines = ["| city | lead | days | log loss | baseline | difference, 90 % | Brier | baseline | CRPS °F | baseline | |"]
    lines += ["|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---|"]
    for r in rows:
        city = "all" if r["city"] == "ALL" else r["city"]
        lines.append(
            f"| {city} | {r['lead']} | {r['n']:,} | {r['log_loss']:.3f} | {r['baseline_log_loss']:.3f} |"
            f" {r['difference_low']:+.3f} … {r['difference_high']:+.3f} | {r['brier']:.3f} | {r['baseline_brier']:.3f} |"
            f" {r['crps']:.2f} | {r['baseline_crps']:.2f} | {verdict(r)} |"
        )
    return lines


def text(rows, controls):
    of = lambda name: [r for r in rows if r["table"] == name]
    lines = ["### A: walk-forward 2023 to September 2025, optimistic", ""]
    lines += ["Forecasts of nearly zero lead; asked at 07:00 local standard time; refitted every quarter on all days before.", ""]
    lines += scores(of("A"))
    lines += ["", "### B: honest leads, kept out of all tuning", ""]
    lines += [
        "One forecast per city (`blend`), judged by the bundles of `lead/`, which were trained on days before October 2025 only;",
        "the first ten days of a source are its history. Winter: October 2025 to February 2026. `evening before`: July and August",
        "2026, where the highest logged temperature stands for the official high, which was not recorded (0 to 3 °F below it).",
        "",
    ]
    lines += scores(of("B"))
    lines += ["", "### The market beside them", ""]
    lines += [
        "Log loss of the bracket that came: prices of all brackets at that local standard time, made to sum to one, on days on",
        "which every bracket had one. The difference is model minus market. In table A the model's forecasts are partly younger",
        "than the prices, which flatters it; in table B they are older.",
        "",
        "| city | table | at | prices | days | model | baseline | market | difference, 90 % |",
        "|---|---|---|---|---:|---:|---:|---:|---:|",
    ]
    for m in controls["market"]:
        lines.append(
            f"| {m['city']} | {m['table']} | {m['at'][:5]} | {m['prices']}, {m['first']} to {m['last']} | {m['n']} |"
            f" {m['log_loss']:.3f} | {m['baseline_log_loss']:.3f} | {m['market_log_loss']:.3f} |"
            f" {m['difference_low']:+.3f} … {m['difference_high']:+.3f} |"
        )
    worst = ", ".join(f"{r['city']} {r['log_loss']:.2f} against {r['baseline_log_loss']:.2f}" for r in controls["shuffled"])
    lines += ["", f"Control: learned from shuffled highs, log loss against the baseline: {worst}."]
    lines += [f"ONNX Runtime and CatBoost differ by at most {controls['parity']:.1e} on every row judged, odd ones included."]
    return lines


def write(rows, controls):
    known = README.read_text()
    before, rest = known.split(BEGIN)
    README.write_text(before + BEGIN + "\n\n" + "\n".join(text(rows, controls)) + "\n\n" + END + rest.split(END)[1])
