#!/usr/bin/env python3
"""Scores the forecaster and the event detector, and writes the tables into docs/FORECAST.md.

  report.py --program target/fast/plimsoll --replay target/fast/examples/replay --work DIR --into docs/FORECAST.md
            --left-out FILE [--own FOLDER]

PROGRAM is plimsoll itself: `--output json forecast --input FILE ...`. REPLAY prints the shapes as of the days on which
score.py looks, as `plimsoll events` would, in one process. FOLDER has own_*.csv in it or in folders of its own.
Everything else is score.py as it is; needs numpy, and statsforecast for the row of ETS.
"""
import argparse, concurrent.futures, json, os, shutil, subprocess, sys
import numpy as np
import labels
import score

HERE = os.path.dirname(os.path.abspath(__file__))
SEEDS, HARD = [3001, 3002, 3003, 3004, 3005], [4001, 4002, 4003, 4004, 4005]
BASELINES = ["naive", "drift", "diff7", "ols30", "ts90", "mix", "theta", "ets"]
NAMES = dict(naive="nothing will change", drift="first to last", diff7="last 7 days (PgHero)",
             ols30="regression, 30 days (`predict_linear`)", ts90="Theil-Sen, 90 days",
             mix="mean of 7, 30, 90 days", theta="Theta", ets="AutoETS", ours="**Plimsoll**")


def run(script, *arguments):
    subprocess.run([sys.executable, os.path.join(HERE, script), *map(str, arguments)], check=True,
                   stdout=subprocess.DEVNULL)


def prepare(work, name, program, replay, source=None, seed=None, hard=False, events_only=False):
    """Series, labels, tasks, our answers and the baselines' of one set, in its own folder."""
    data = os.path.join(work, name)
    os.makedirs(data, exist_ok=True)
    if seed is None:
        for f in os.listdir(source):
            if f.startswith(("dev_", "own_")) and f.endswith(".csv"):
                shutil.copyfile(os.path.join(source, f), os.path.join(data, f))
        with open(os.path.join(data, "labels.json"), "w") as f:
            json.dump(labels.labels(data), f)
    else:
        run("synth.py", "--out", data, "--seed", seed, *(["--hard"] if hard else []))
    with open(os.path.join(data, "events.jsonl"), "w") as f:
        subprocess.run([replay, data], check=True, stdout=f)
    if not events_only:
        tasks = os.path.join(data, "tasks.json")
        run("score.py", "tasks", "--data", data, "--out", tasks)
        run("score.py", "cmd", "--tasks", tasks, "--data", data, "--out", os.path.join(data, "ours.jsonl"),
            "--cmd", f"{program} --output json forecast --input {{csv}} --horizons {{horizons}} --capacity {{limit}}")
        run("baselines.py", "--tasks", tasks, "--data", data, "--out", data, "--methods", ",".join(available()))
    return data


def available():
    try:
        import statsforecast  # noqa: F401
        return BASELINES
    except ImportError:
        return [m for m in BASELINES if m not in ("ets", "theta")]


def merged(folders, method):
    """score.py's records of several folders as one, a series being one of one folder."""
    per, days, ref = {h: {} for h in score.H}, [], {h: {} for h in score.H}
    for data in folders:
        with open(os.path.join(data, "tasks.json")) as f:
            tasks = json.load(f)
        p, d, missing = score.evaluate(tasks, score.read_fc(os.path.join(data, method + ".jsonl")))
        if missing:
            raise SystemExit(f"{data}: {method} left {missing} answers out")
        r = score.evaluate(tasks, score.read_fc(os.path.join(data, "naive.jsonl")))[0]
        for h in score.H:
            per[h].update({data + s: v for s, v in p[h].items()})
            ref[h].update({data + s: v for s, v in r[h].items()})
        days += [dict(x, series=data + x["series"]) for x in d]
    return score.summary(per, days, ref)


def forecasts(folders):
    yield "| method | rel | IS | cov80 | cov95 | bad80 | worse | limit | full in 30 d |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    for method in [*available(), "ours"]:
        s = merged(folders, method)
        number = lambda x, p: (p % x).lstrip("0") if score.num(x) else "-"
        three = lambda k, p="%.2f": " ".join(number(s[str(h)][k], p) for h in score.H)
        bad = " ".join("-" if not score.num(s[str(h)]["bad80"]) else str(round(s[str(h)]["bad80"] * s[str(h)]["series"]))
                       for h in score.H)
        worse = "/".join(str(s[str(h)]["worse"]) for h in score.H)
        worst = max(s[str(h)]["worst"] for h in score.H)
        d = s["limit"]
        yield (f"| {NAMES[method]} | {three('rel')} | {three('relIS')} | {three('cov80')} | {three('cov95')} | {bad} "
               f"| {worse}, {worst:.1f} | {d['dErrMed']:.0f} d, {d['dRel']:.2f}, {number(d['dCov80'], '%.2f')} "
               f"| {number(d['prec30'], '%.2f')}/{number(d['rec30'], '%.2f')} |")


def stream(data):
    """score.py's verdict on the events of one set, and the labels."""
    with open(os.path.join(data, "labels.json")) as f:
        labels = json.load(f)
    with open(os.path.join(data, "events.jsonl")) as f:
        return score.events_score(data, labels, [json.loads(line) for line in f], "all"), labels


def labelled_steps(data):
    r, labels = stream(data)
    all_steps = sum(len(labels[n]["events"]) for n in score.names(data))
    found = round(r["changepoint_recall"] * all_steps)
    return (f"{r['tp']} of {r['alerts_true']} ({r['recall']:.2f}) | {found} of {all_steps} ({r['changepoint_recall']:.2f}) "
            f"| {r['delay_median']:.1f} d | {r['false_per_series_year']:.2f} |")


def events(folders):
    results = [stream(data)[0] for data in folders]
    tp, fp, fn = (sum(r[k] for r in results) for k in ("tp", "fp", "fn"))
    p, r = tp / max(tp + fp, 1), tp / max(tp + fn, 1)
    delay = float(np.median([r["delay_median"] for r in results]))
    quiet = [tuple(map(int, r["quiet_series_with_false"].split("/"))) for r in results]
    return (f"| {p:.2f} | {r:.2f} | {2 * p * r / max(p + r, 1e-9):.2f} | {delay:.1f} d "
            f"| {sum(a for a, _ in quiet)} of {sum(b for _, b in quiet)} |")


def write(path, what, lines):
    """Puts lines between two marks of a file."""
    begin, end = f"<!-- {what}: written by make forecast-score -->", f"<!-- end of {what} -->"
    with open(path) as f:
        head, rest = f.read().split(begin)
    tail = rest.split(end)[1]
    with open(path, "w") as f:
        f.write(head + begin + "\n" + "\n".join(lines) + "\n" + end + tail)
    print("\n".join(lines))


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--program", required=True)
    ap.add_argument("--work", required=True)
    ap.add_argument("--into", required=True)
    ap.add_argument("--left-out", required=True, help="what the example leave_one_out printed")
    ap.add_argument("--replay", required=True)
    ap.add_argument("--own", help="folder of real series that nothing was tuned on")
    ap.add_argument("--jobs", type=int, default=os.cpu_count())
    a = ap.parse_args()
    a.program, a.replay = os.path.abspath(a.program), os.path.abspath(a.replay)
    owns = [a.own, *sorted(f.path for f in os.scandir(a.own) if f.is_dir())] if a.own else []
    owns = [f for f in owns if any(n.startswith("own_") for n in os.listdir(f))]
    with concurrent.futures.ThreadPoolExecutor(a.jobs) as pool:
        def submit(name, *more, **how):
            return pool.submit(prepare, a.work, name, a.program, a.replay, *more, **how)
        dev = submit("dev", HERE)
        own = [submit("own_" + os.path.basename(f), f) for f in owns]
        fresh = [submit(f"seed{s}", seed=s) for s in SEEDS]
        hard = [submit(f"hard{s}", seed=s, hard=True, events_only=True) for s in HARD]
        dev, own, fresh, hard = dev.result(), *([f.result() for f in fs] for fs in (own, fresh, hard))
    steps = ["| series | upward steps found | steps found, downward ones with them | median delay | other alarms per series-year |",
             "| --- | --- | --- | --- | --- |"]
    lines = ["Development series (8 real ones, tuned on):", "", *forecasts([dev]), "",
             f"Synthetic series, seeds {SEEDS[0]} to {SEEDS[-1]} (100 series, never tuned on):", "", *forecasts(fresh), "",
             "Events, as a stream:", "", "| seeds | precision | recall | F1 | median delay | quiet series with a false alarm |",
             "| --- | --- | --- | --- | --- | --- |", f"| {SEEDS[0]} to {SEEDS[-1]} {events(fresh)}",
             f"| {HARD[0]} to {HARD[-1]}, hard {events(hard)}", "",
             "Large steps of the real series, as a stream (labelled by `bench/growth/labels.py`):", "",
             *steps, f"| development | {labelled_steps(dev)}", "",
             "Constants tuned anew on all development series but one and on seeds 1 to 3, and scored on that one:", ""]
    with open(a.left_out) as f:
        lines += f.read().splitlines()
    write(a.into, "scores", lines)
    lines = []
    for folder, data in zip(owns, own):
        name = os.path.basename(folder)
        lines += ["", f"Real series, `{name}` ({len(score.names(data))} of them):", "", *forecasts([data]), "", *steps,
                  f"| {name} | {labelled_steps(data)}"]
    if lines:
        write(a.into, "own scores", lines[1:])


if __name__ == "__main__":
    main()
