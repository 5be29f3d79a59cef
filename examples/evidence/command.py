"""What the evidence scripts share: configuration documents, and runs of the command whose answers are kept."""

import json
import pathlib
import subprocess
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


class Cells:
    """Runs of the command under OUT, each known by a name: its document in OUT/config, what it made in
    OUT/runs, its answer in OUT/cells. One whose answer is there is not run again."""

    def __init__(self, out, simdetr, threads, only=""):
        self.out, self.simdetr, self.threads, self.only = out, simdetr, threads, only
        for folder in ("cells", "config", "runs"):
            (out / folder).mkdir(parents=True, exist_ok=True)

    def answer(self, name):
        """What the run of this name answered, or None where there is no answer yet."""
        file = self.out / "cells" / f"{self.file(name)}.json"
        return json.loads(file.read_text()) if file.exists() else None

    def run(self, name, command, config):
        """The command's answer, with the seconds that it took; None where it is not to run."""
        known = self.answer(name)
        if known is not None or self.only not in name:
            return known
        file = self.file(name)
        document = self.out / "config" / f"{file}.toml"
        document.write_text(toml(config))
        begin = time.monotonic()
        run = [self.simdetr, "--json", "--threads", self.threads, "--config", document, *command,
               "--out", self.out / "runs" / file]
        done = subprocess.run(list(map(str, run)), stdout=subprocess.PIPE, text=True, check=True)
        seconds = time.monotonic() - begin
        found = json.loads(done.stdout.splitlines()[-1]) | {"seconds": round(seconds, 1)}
        answer = self.out / "cells" / f"{file}.json"
        partial = answer.with_suffix(".partial")
        partial.write_text(json.dumps(found, indent=1))
        partial.rename(answer)
        print(f"{name}: {seconds:.0f} s", flush=True)
        return found

    def folder(self, name) -> pathlib.Path:
        """What the run of this name makes."""
        return self.out / "runs" / self.file(name)

    @staticmethod
    def file(name):
        return name.replace(" ", "-").replace(",", "")
