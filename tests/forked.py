"""Many calls of the command line out of one process that has imported everything: each call is a fork of it.

    with Forked(url, home) as forked:
        done = forked.run("evaluate", model, "--tasks", "BIOSSES", cwd=folder)

The hub's client reads its settings when it is imported, so that all calls share the hub and the cache.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
import traceback
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType

LONGEST = 180  # seconds of a call
MODULES = """torch transformers.models.bert.modeling_bert transformers.models.bert.tokenization_bert transformers.models.auto
sentence_transformers sklearn.linear_model sklearn.model_selection scipy.stats datasets mteb pytrec_eval pandas rich.progress
jtcse.cli jtcse.encoders.encoder jtcse.encoders.loading jtcse.paper.printed jtcse.experiments.zero_shot.request
jtcse.evaluation.mteb.adapter jtcse.evaluation.mteb.loading""".split()  # noqa: SIM905
SETTINGS = {
    "COLUMNS": "200",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_XET": "1",
    "HF_HUB_DOWNLOAD_TIMEOUT": "1",
    "HF_HUB_ETAG_TIMEOUT": "1",
    "HF_UPDATE_DOWNLOAD_COUNTS": "0",
    "NO_PROXY": "127.0.0.1,localhost",
}


@dataclass(frozen=True)
class Done:
    """How a call ended: exit status, less than 0 for a signal, and what it wrote."""

    status: int
    out: str
    error: str


class Forked:
    """The process that is forked.

    Args:
        url: of the hub.
        home: HF_HOME.
    """

    def __init__(self, url: str, home: Path) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.endswith("_OFFLINE")}
        settings = {**kept, **SETTINGS, "HF_ENDPOINT": url, "HF_HOME": str(home), "OMP_NUM_THREADS": "1"}
        self.folder, self.calls = home.parent / f"{home.name}_calls", 0
        self.written: dict[int, tuple[str, str]] = {}
        self.folder.mkdir()
        command = [sys.executable, __file__]
        self.process = subprocess.Popen(command, env=settings, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def start(self, *words: object, cwd: Path, die_at: str = "", longest_file: int = 0) -> int:
        """Begin a call, in a folder of its own; gives its process id.

        Args:
            words: behind ``jtcse``, or ``-c PROGRAM WORDS`` as for Python.
            die_at: ``module:function:3`` is killed instead of its third call of that function.
            longest_file: bytes; the system refuses longer ones, as a full disk does.
        """
        self.calls += 1
        out, error = (str(self.folder / f"{self.calls}.{kind}") for kind in ("out", "error"))
        cwd.mkdir(parents=True, exist_ok=True)
        call = {"words": [str(word) for word in words], "cwd": str(cwd), "out": out, "error": error}
        pid = self._asked(call | {"die_at": die_at, "longest_file": longest_file})
        self.written[pid] = (out, error)
        return pid

    def end(self, pid: int) -> Done:
        """Wait for a call."""
        status = os.waitstatus_to_exitcode(self._asked({"wait": pid}))
        return Done(status, *(Path(path).read_text(encoding="utf8") for path in self.written[pid]))

    def run(self, *words: object, cwd: Path, die_at: str = "", longest_file: int = 0) -> Done:
        """A call from beginning to end."""
        return self.end(self.start(*words, cwd=cwd, die_at=die_at, longest_file=longest_file))

    def _asked(self, message: dict) -> int:
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        assert answer, "the process that is forked has ended; its error is among the test's captured output"
        return int(answer)

    def __enter__(self) -> Forked:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.communicate()


# -- in the other process ----------------------------------------------------------------------------------------


def main() -> None:
    """Read calls from standard input until it ends, and answer each by a number."""
    import_everything()
    for line in sys.stdin:
        asked = json.loads(line)
        print(os.waitpid(asked["wait"], 0)[1] if "wait" in asked else forked(asked), flush=True)
    os._exit(0)  # taking so many modules apart takes seconds


def import_everything() -> None:
    """What takes the seconds, here once instead of in each call; nothing here starts a thread."""
    for name in MODULES:
        import_module(name)
    import_module("jtcse.evaluation.mteb.tasks").opened(import_module("jtcse.evaluation.mteb.tasks").Wanted("STS12"))
    conversions = import_module("transformers.conversion_mapping")
    conversions.get_checkpoint_conversion_mapping("bert")  # it compiles a thousand patterns, and keeps them


def forked(asked: dict) -> int:
    """The process id of a new call."""
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        prepare(asked)
        status = called(asked["words"])
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def prepare(asked: dict) -> None:
    """Make this process what a shell would have made it, and place the fault."""
    signal.alarm(LONGEST)
    for number, path in ((0, os.devnull), (1, asked["out"]), (2, asked["error"])):
        opened = os.open(path, os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT)
        os.dup2(opened, number)
    os.chdir(asked["cwd"])
    sleep = time.sleep
    time.sleep = lambda seconds: sleep(min(seconds, 0.02))  # pauses between tries
    if asked["die_at"]:
        place(*asked["die_at"].split(":"))
    if asked["longest_file"]:
        resource.setrlimit(resource.RLIMIT_FSIZE, (asked["longest_file"], resource.RLIM_INFINITY))


def place(module: str, function: str, calls: str) -> None:
    """Let the process be killed by one of its calls of a function."""
    from killed import after

    holder: ModuleType | type = import_module(module)
    *path, name = function.split(".")
    for part in path:
        holder = getattr(holder, part)
    setattr(holder, name, after(int(calls), getattr(holder, name)))


def called(words: list[str]) -> int:
    """Exit status of ``jtcse WORDS``, or of ``python -c PROGRAM WORDS``."""
    try:
        if words[0] == "-c":
            sys.argv = ["-c", *words[2:]]
            exec(words[1], {"__name__": "__main__"})
        else:
            from jtcse.cli import main as command_line

            sys.argv = ["jtcse", *words]
            command_line()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


if __name__ == "__main__":
    main()
