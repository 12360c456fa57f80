#!/usr/bin/env python3
"""Measures SUPRA Lens, and beside it in the same run the programs that people compare it with.

usage: tests/benchmarks/run.py [--model FILE.gguf] [--peers PYTHON] [--llama2c PROGRAM] [--short] [--json FILE] [--table FILE]

PYTHON is an interpreter that has peers/requirements.txt installed, PROGRAM is llama2.c's `run` compiled with
-O3 -ffast-math -march=native. What is not there is left out, with a notice. Rounds go through all contenders in turn and
medians are reported, so that a machine that changes its speed changes it for all of them. Nothing fails for being slow.
"""
import argparse
import datetime
import glob
import json
import os
import platform
import re
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
CLI = os.path.join(ROOT, "build/release/bin/supralens-cli")
SESSIONS = os.path.join(ROOT, "build/release/tests/sessions")
WINDOW = os.path.join(ROOT, "build/release/tests/window")
HEATMAP = os.path.join(ROOT, "build/release/tests/heatmap")
STEP = os.path.join(ROOT, "build/release/tests/trainingstep")
DEMO = os.path.join(ROOT, "resources/models/stories-supra")
NOT_THERE = "not there"


def environment():
    return dict(os.environ, QT_QPA_PLATFORM="offscreen")


def output(command, **options):
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), **options)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()[-400:]}")
    return done.stdout


class Ours:
    """supralens-cli bench, a process for every measurement."""

    def __init__(self, model, threads, dtype="auto"):
        self.command = [CLI, "bench", model, "--threads", str(threads), "--dtype", dtype, "--json", "--repeat"]

    def run(self, repeat, prompt, new, at):
        text = output([*self.command, str(repeat), "--prompt-tokens", str(prompt), "--new-tokens", str(new), "--at", str(at)])
        return json.loads(text)["models"][0]

    def prefill(self, count):
        return self.run(2, count, 2, 0)["prefill"]["tokens_per_second"]["median"]

    def decode(self, count, at):
        return self.run(1, 8, count, at)["decode"][0]["tokens_per_second"]["median"]

    def state_bytes(self, at):
        return self.run(1, 8, 2, at)["decode"][0]["state_bytes"]


class Peer:
    """A program of peers/ that stays loaded and answers one question at a time."""

    def __init__(self, python, script, model, threads):
        self.process = subprocess.Popen([python, os.path.join(HERE, "peers", script), model, str(threads)], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.version = self.answer().get("ready")

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("it ended")
        return json.loads(line)

    def ask(self, **wish):
        self.process.stdin.write(json.dumps(wish) + "\n")
        self.process.stdin.flush()
        return self.answer()["tokens_per_second"]

    def prefill(self, count):
        return self.ask(prefill=count)

    def decode(self, count, at):
        return self.ask(decode=count, at=at)


def peer(python, script, model, threads):
    if not python:
        return None
    try:
        return Peer(python, script, model, threads)
    except (OSError, RuntimeError, ValueError) as error:
        print(f"left out: {script} ({error})", file=sys.stderr)
        return None


def sessions(model, threads, columns, tokens, *more):
    return json.loads(output([SESSIONS, model, str(threads), str(columns), str(tokens), *more]))["tokens_per_second"]


def beside_a_busy_process(measure):
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        return measure()
    finally:
        busy.kill()
        busy.wait()


def llama2c(program, folder):
    done = subprocess.run([program, os.path.join(folder, "stories260K.bin"), "-z", os.path.join(folder, "tok512.bin"),
                           "-t", "0", "-n", "256"], capture_output=True, text=True)
    return float(re.search(r"achieved tok/s: ([\d.]+)", done.stderr + done.stdout).group(1))


def peak_memory(command):
    """The most memory a process ever held, in bytes."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment())
    _, _, usage = os.wait4(process.pid, 0)
    return usage.ru_maxrss * 1024


class Report:
    def __init__(self, rounds):
        self.rounds = rounds
        self.rows = []

    def compare(self, what, contenders, ratios, unit="tokens/s"):
        """contenders: name -> measurement or None; ratios: [(text, numerator, denominator, target)]."""
        there = {name: measure for name, measure in contenders.items() if measure}
        found = {name: [] for name in there}
        for _ in range(self.rounds):
            for name, measure in there.items():
                found[name].append(measure())
        self.add(what, found, ratios, unit)

    def observe(self, what, measure, unit):
        """measure() -> name -> figure, all of one run."""
        runs = [measure() for _ in range(self.rounds)]
        self.add(what, {name: [run[name] for run in runs] for name in runs[0]}, [], unit)

    def add(self, what, found, ratios, unit):
        medians = {name: statistics.median(values) for name, values in found.items()}
        row = {"what": what, "unit": unit, "median": medians, "all": found, "ratios": []}
        for text, above, below, target in ratios:
            ratio = medians[above] / medians[below] if above in medians and below in medians else None
            row["ratios"].append({"ratio": text, "is": ratio, "target": target})
        self.rows.append(row)
        print(self.line(row), flush=True)

    @staticmethod
    def line(row):
        numbers = "; ".join(f"{name} {value:,.1f}" for name, value in row["median"].items())
        unit = "" if row["unit"] == "tokens/s" else f" ({row['unit']})"
        ratios = "; ".join(f"{one['ratio']}: {one['is']:.2f} (target {one['target']})" if one["is"] is not None
                           else f"{one['ratio']}: {NOT_THERE} (target {one['target']})" for one in row["ratios"])
        return f"| {row['what']}{unit} | {numbers} | {ratios} |"


def with_peers(options, report):
    """What the quantised file is for; returns the versions of the peers that took part."""
    threads, new = options.threads, 16 if options.short else 64
    ours, model = Ours(options.model, threads), options.model
    llama = peer(options.peers, "llamacpp.py", model, threads)
    transformers = peer(options.peers, "transformers_.py", model, threads)
    for at in ([0] if options.short else [0, 2048]):
        report.compare(f"decode, quantised file, depth {at}",
                       {"ours": lambda: ours.decode(new, at), "llama.cpp": llama and (lambda: llama.decode(new, at))},
                       [("ours / llama.cpp", "ours", "llama.cpp", 2)])
    report.compare("prefill of 512, quantised file",
                   {"ours": lambda: ours.prefill(512), "llama.cpp": llama and (lambda: llama.prefill(512)),
                    "transformers": transformers and (lambda: transformers.prefill(512))},
                   [("ours / llama.cpp", "ours", "llama.cpp", 4), ("ours / transformers", "ours", "transformers", 1.3)])
    wide, narrow = Ours(model, threads, "float32"), Ours(model, threads, "bfloat16")
    report.compare("decode, float32 and bfloat16 weights",
                   {"ours float32": lambda: wide.decode(new, 0), "ours bfloat16": lambda: narrow.decode(new, 0),
                    "transformers": transformers and (lambda: transformers.decode(new, 0))},
                   [("float32 / transformers", "ours float32", "transformers", 2), ("bfloat16 / float32", "ours bfloat16", "ours float32", 1.7)])
    there = [one for one in (llama, transformers) if one]
    for one in there:
        one.process.kill()

    tokens = 2 * new
    report.compare("columns that decode the quantised file at once",
                   {"one": lambda: sessions(model, threads, 1, tokens), "two": lambda: sessions(model, threads, 2, tokens),
                    "two beside a busy process": lambda: beside_a_busy_process(lambda: sessions(model, threads, 2, tokens))},
                   [("two / one", "two", "one", 0.9), ("two beside a busy process / one", "two beside a busy process", "one", 0.5)])
    size = os.path.getsize(model)
    empty = [CLI, "devices"]
    loaded = [CLI, "generate", model, "--prompt", "The most", "--max-tokens", "4"]
    report.compare("peak memory, quantised file",
                   {"beyond the empty program": lambda: peak_memory(loaded) - peak_memory(empty), "file": lambda: size},
                   [("memory / file", "beyond the empty program", "file", "at most 1.25")], unit="bytes")
    return [one.version for one in there]


def alone(options, report):
    threads = options.threads
    supra = Ours(DEMO, threads)
    depths = [0, 2048] if options.short else [0, 1024, 8192, 32768]
    report.compare("SUPRA decode by depth", {str(at): (lambda at=at: supra.decode(128, at)) for at in depths},
                   [(f"depth {depths[-1]} / depth 0", str(depths[-1]), "0", 0.97)])
    report.compare("SUPRA state", {str(at): (lambda at=at: supra.state_bytes(at)) for at in depths},
                   [(f"depth {depths[-1]} / depth 0", str(depths[-1]), "0", 1)], unit="bytes")
    report.compare("probes, SUPRA", {"off": lambda: sessions(DEMO, threads, 1, 512), "on": lambda: sessions(DEMO, threads, 1, 512, "probes")},
                   [("on / off", "on", "off", 0.95)])
    report.observe("window with the demo pair, two columns streaming", lambda: json.loads(output([WINDOW])), unit="ms")
    report.observe("heat map of 270 heads by tokens shown", lambda: json.loads(output([HEATMAP])), unit="ms")
    training(options, report)
    if options.stories:
        folder = os.path.dirname(options.stories)
        report.compare("stories260K, one thread",
                       {"ours": lambda: Ours(options.stories, 1).decode(250, 0),
                        "llama2.c": options.llama2c and (lambda: llama2c(options.llama2c, folder))},
                       [("ours / llama2.c", "ours", "llama2.c", 1)])


def training(options, report):
    """The same SUPRA step of 2,048 tokens, chunked here and with full matrices in PyTorch."""
    cases = [("256", "4", "4", "4096", "2048", "float32")]
    if not options.short:
        cases += [("256", "4", "4", "4096", "2048", "bfloat16"), ("384", "6", "6", "8192", "2048", "float32")]
    contenders = {"ours": [STEP, "--own"]}
    if options.peers:
        contenders["PyTorch"] = [options.peers, os.path.join(HERE, "trainingstep.py")]
    for case in cases:
        runs = {name: [] for name in contenders}
        for _ in range(report.rounds):
            for name, command in contenders.items():
                runs[name].append(json.loads(output([*command, *case])))
        what = f"training step, width {case[0]}, {case[1]} layers, {case[5]}"
        report.add(what, {name: [run["tokens_per_second"] for run in found] for name, found in runs.items()},
                   [("ours / PyTorch", "ours", "PyTorch", 1.5)], "tokens/s")
        report.add(f"memory of the {what}", {name: [run["peak_mib"] for run in found] for name, found in runs.items()},
                   [("ours / PyTorch", "ours", "PyTorch", "at most 0.5")], "MiB")


def machine():
    names = {line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")}
    flags = next((line for line in open("/proc/cpuinfo") if line.startswith("flags")), "")
    extensions = [one for one in ("avx2", "avx512f", "avx512_vnni", "amx_bf16") if f" {one}" in flags]
    return f"{', '.join(sorted(names))}, {os.cpu_count()} cores, {' '.join(extensions)}, {platform.system()} {platform.release()}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    installed = glob.glob(os.path.expanduser("~/.local/share/supralens/models/*/*Q4_1.gguf"))
    parser.add_argument("--model", default=installed[0] if installed else None, help="a quantised GGUF file")
    parser.add_argument("--peers", help="a Python interpreter with peers/requirements.txt")
    parser.add_argument("--llama2c", help="llama2.c's compiled `run`")
    parser.add_argument("--stories", help="stories260K.bin, tok512.bin beside it")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--short", action="store_true", help="one round, less of everything")
    parser.add_argument("--json", help="write all measurements there")
    parser.add_argument("--table", help="write the table there, as Markdown rows")
    options = parser.parse_args()
    report, versions = Report(1 if options.short else options.rounds), []
    if options.model:
        versions = with_peers(options, report)
    else:
        print("left out: what needs a quantised model, since none is installed; --model names one")
    alone(options, report)
    document = {"machine": machine(), "threads": options.threads, "date": datetime.date.today().isoformat(),
                "model": os.path.basename(options.model or ""), "peers": versions, "rounds": report.rounds, "measures": report.rows}
    if options.json:
        with open(options.json, "w") as file:
            json.dump(document, file, indent=1)
            file.write("\n")
    if options.table:
        with open(options.table, "w") as file:
            file.writelines(report.line(row) + "\n" for row in report.rows)


main()
