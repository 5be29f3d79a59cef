"""What the evidence scripts share: configuration documents, and runs of the command whose answers are kept."""

import json
import pathlib
import subprocess
import sys
import time


def merged(*tables):
    """The keys of all tables, later ones over earlier ones."""
    answer = {}
    for table in tables:
        for key, value in table.items():
            answer[key] = merged(answer.get(key, {}), value) if isinstance(value, dict) else value
    return answer


def toml(config):
    value = lambda item: json.dumps(item) if not isinstance(item, bool) else str(item).lower()
    lines = [f"{key} = {value(item)}" for key, item in config.items() if not isinstance(item, dict)]
    for name, table in config.items():
        if isinstance(table, dict):
            lines += [f"[{name}]"] + [f"{key} = {value(item)}" for key, item in table.items()]
    return "\n".join(lines) + "\n"


def write(file, text):
    """The whole file, or the one that was there."""
    partial = file.with_name(file.name + ".partial")
    partial.write_text(text)
    partial.rename(file)


class Cells:
    """Runs of the command under OUT, each known by a name: its document in OUT/config, what it made in
    OUT/runs, its answer in OUT/cells with the arguments and the document that it is of. One whose answer is
    there is not run again, and one of other arguments or another document is refused."""

    def __init__(self, out, simdetr, threads, only=""):
        self.out, self.simdetr, self.threads, self.only = out, simdetr, threads, only
        for folder in ("cells", "config", "runs"):
            (out / folder).mkdir(parents=True, exist_ok=True)

    def run(self, name, command, config, wanted=None, about=None):
        """The command's answer, with the seconds that its last call took; None where it is not there and not
        `wanted`, by default where its name does not hold what is asked for. `about` is kept with it."""
        file, document = self.file(name), toml(config)
        asked = list(map(str, ["--threads", self.threads, *command]))
        cell = self.out / "cells" / f"{file}.json"
        if cell.exists():
            kept = json.loads(cell.read_text())
            if (kept.get("command"), kept.get("document")) != (asked, document):
                sys.exit(f"{cell} is the answer to another command or document:\n{kept.get('command')}\n"
                         f"{kept.get('document')}\nnot to\n{asked}\n{document}\nRemove it and "
                         f"{self.folder(name)}, or take another --out.")
            return kept["answer"]
        if not (self.only in name if wanted is None else wanted):
            return None
        written = self.out / "config" / f"{file}.toml"
        written.write_text(document)
        begin = time.monotonic()
        run = [self.simdetr, "--json", "--config", written, *asked, "--out", self.folder(name)]
        done = subprocess.run(list(map(str, run)), stdout=subprocess.PIPE, text=True, check=True)
        seconds = time.monotonic() - begin
        answer = json.loads(done.stdout.splitlines()[-1]) | {"seconds": round(seconds, 1)}
        write(cell, json.dumps({"command": asked, "document": document, "about": about, "answer": answer}, indent=1))
        print(f"{name}: {seconds:.0f} s", flush=True)
        return answer

    def noted(self):
        """What is kept about cells, with their answers, in the order of their names."""
        cells = (json.loads(cell.read_text()) for cell in sorted((self.out / "cells").glob("*.json")))
        return [(cell["about"], cell["answer"]) for cell in cells if cell.get("about")]

    def folder(self, name) -> pathlib.Path:
        """What the run of this name makes."""
        return self.out / "runs" / self.file(name)

    @staticmethod
    def file(name):
        return name.replace(" ", "-").replace(",", "")
