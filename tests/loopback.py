"""A hub on the loopback address for tests: just enough of one for ``huggingface_hub`` and what stands on it.

A folder with ``models/owner/name/`` and ``datasets/owner/name/`` is served as it is. ``<repository>/.refs/pr/N/`` holds the files
that pull request N adds or changes: they are served as revision ``refs/pr/N`` together with the repository's own, and listed as
a discussion, opened by the account that ``.author`` in that folder names, else by the hub's converter. Any other revision asked
for is the present one. Standard library only::

    with serve(folder) as url:
        subprocess.run(command, env={**os.environ, "HF_ENDPOINT": url})

What can go wrong on the way to a hub is told to ``serve`` as ``Fault``s, each of which counts the requests that it concerned.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit


@dataclass
class Fault:
    """What is wrong with some answers of a hub.

    ``does`` is a status to answer with (500, 401, 404, ...), or what becomes of a file: ``"hangs"`` sends half of it and no more,
    ``"breaks off"`` closes the connection after half, ``"cut short"`` sends half of it as if that were all. ``"silent"`` never
    answers, whatever is asked for.
    """

    where: str
    """A pattern in the addresses that the fault is bound to: a repository's name, a file's."""
    does: int | str
    times: int | None = None
    """How many requests meet it; None: all."""
    methods: tuple[str, ...] = ("HEAD", "GET", "POST")
    asked: list[str] = field(default_factory=list)
    """Every request that was bound for it, also after its ``times``: method and path."""

    def meets(self, method: str, path: str) -> bool:
        """Whether a request is spoilt; it is written down in ``asked``."""
        if not re.search(self.where, path) or method not in self.methods:
            return False
        self.asked.append(f"{method} {path}")
        return self.times is None or len(self.asked) <= self.times


ERROR_CODES = {401: "GatedRepo", 403: "GatedRepo", 404: "RepoNotFound"}
"""What the hub's client goes by beside the status."""


@contextmanager
def serve(root: Path, faults: Sequence[Fault] = ()) -> Iterator[str]:
    """Serve ``root`` from another thread while the block runs; gives the address for HF_ENDPOINT."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Answers, root.resolve(), faults))
    server.daemon_threads = True
    server.closing = threading.Event()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.closing.set()
        server.shutdown()
        server.server_close()


class _Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, root: Path, faults: Sequence[Fault], *request) -> None:
        self.root = root
        self.faults = faults
        self.fault: int | str | None = None
        super().__init__(*request)

    def parse_request(self) -> bool:
        """Look up what goes wrong with this request before it is answered."""
        if not super().parse_request():
            return False
        path = unquote(urlsplit(self.path).path)
        self.fault = next((one.does for one in self.faults if one.meets(self.command, path)), None)
        if self.fault == "silent":
            self.server.closing.wait()
            self.close_connection = True
        return self.fault != "silent"

    def log_message(self, *_) -> None:
        """Tests read their own output."""

    def do_GET(self) -> None:
        """``/api/KIND/OWNER/NAME[/VERB/REV[/PATH]]`` or ``/[datasets/]OWNER/NAME/resolve/REV/PATH``."""
        if isinstance(self.fault, int):
            return self._refused(self.fault)
        words = [unquote(word) for word in urlsplit(self.path).path.strip("/").split("/")]
        api = words[0] == "api"
        words = words[1:] if api else words
        kind = words.pop(0) if words[0] in ("models", "datasets") else "models"
        repository = self.root / kind / "/".join(words[:2])
        if len(words) < 2 or ".." in words or not repository.is_dir():
            return self._missing("RepoNotFound")
        verb, path = (words[2] if len(words) > 2 else "revision"), "/".join(words[4:])
        if verb == "discussions" and api:
            return self._json(_discussions("/".join(words[:2]), repository, parse_qs(urlsplit(self.path).query)))
        revision = words[3] if len(words) > 3 else "main"
        files = _files(repository, revision)
        if files is None:
            self._missing("RevisionNotFound")
        elif verb == "resolve" and not api and path in files:
            tags = {"ETag": f'"{_digest(files[path])}"', "X-Repo-Commit": _commit(repository, revision)}
            self._send_file(files[path].read_bytes(), **tags)
        elif verb == "tree" and api and (not path or any(name.startswith(f"{path}/") for name in files)):
            deep = parse_qs(urlsplit(self.path).query).get("recursive", [""])[0].lower() in ("true", "1")
            self._json(_tree(files, path, deep))
        elif verb == "revision" and api:
            self._json(_summary("/".join(words[:2]), _commit(repository, revision), files))
        else:
            self._missing("EntryNotFound")

    do_HEAD = do_GET

    def do_POST(self) -> None:
        """``/api/KIND/OWNER/NAME/paths-info/REVISION``: the entries of the paths in the body that exist."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        if isinstance(self.fault, int):
            return self._refused(self.fault)
        asked = json.loads(body)["paths"] if body.startswith("{") else parse_qs(body).get("paths", [])
        words = [unquote(word) for word in urlsplit(self.path).path.strip("/").split("/")]
        files = _files(self.root / "/".join(words[1:4]), words[5]) or {}
        self._json([one for one in _tree(files, "", deep=True) if one["path"] in asked])

    def _json(self, value) -> None:
        self._send(json.dumps(value).encode(), "application/json")

    def _missing(self, code: str) -> None:
        self._send(b"{}", "application/json", HTTPStatus.NOT_FOUND, **{"X-Error-Code": code})

    def _refused(self, status: int) -> None:
        codes = {"X-Error-Code": ERROR_CODES[status]} if status in ERROR_CODES else {}
        self._send(b"{}", "application/json", HTTPStatus(status), **codes)

    def _send_file(self, body: bytes, **tags: str) -> None:
        """A file, or what the fault leaves of it."""
        half = body[: len(body) // 2]
        if self.fault == "cut short":
            body = half
        if self.fault not in ("hangs", "breaks off") or self.command == "HEAD":
            return self._send(body, "application/octet-stream", **tags)
        self._send(half, "application/octet-stream", **{"Content-Length": str(len(body))}, **tags)
        self.wfile.flush()
        if self.fault == "hangs":
            self.server.closing.wait()
        self.close_connection = True

    def _send(self, body: bytes, kind: str, status: HTTPStatus = HTTPStatus.OK, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _digest(path: Path) -> str:
    """As git names a file's content, and the hub with it."""
    content = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def _files(repository: Path, revision: str) -> dict[str, Path] | None:
    """The files of a revision by their names in the repository; None if there is no such pull request."""
    number = next((n for n in _pull_requests(repository) if _commit(repository, f"refs/pr/{n}") == revision), None)
    if revision.startswith("refs/pr/") or number:
        number = number or revision.removeprefix("refs/pr/")
        if number not in _pull_requests(repository):
            return None
    found = {_name(path, repository): path for path in sorted(repository.rglob("*")) if path.is_file()}
    found = {name: path for name, path in found.items() if not name.startswith(".refs/")}
    if number:
        added = repository / ".refs" / "pr" / number
        found |= {_name(path, added): path for path in added.rglob("*") if path.is_file() and path.name != ".author"}
    return found


def _pull_requests(repository: Path) -> list[str]:
    return sorted(folder.name for folder in (repository / ".refs" / "pr").glob("*"))


def _discussions(name: str, repository: Path, asked: dict[str, list[str]]) -> dict:
    """Newest first, as the hub has them; filtered by author, all on one page."""
    found = []
    for number in reversed(_pull_requests(repository)):
        author = repository / ".refs" / "pr" / number / ".author"
        found.append(
            {
                "num": int(number),
                "author": {"name": author.read_text().strip() if author.is_file() else "SFconvertbot"},
                "title": "Adding `safetensors` variant of this model",
                "status": "open",
                "isPullRequest": True,
                "createdAt": "2023-03-19T10:00:00.000Z",
                "repo": {"name": name, "type": "model"},
            }
        )
    author = asked.get("author", [None])[0]
    found = [one for one in found if author in (None, one["author"]["name"])]
    return {"discussions": found, "count": len(found), "start": 0}


def _commit(repository: Path, revision: str) -> str:
    """Forty hex digits, as a commit has: of the repository's name and pull request, since files do not change."""
    own = f"/{revision}" if revision.startswith("refs/pr/") else ""
    return revision if len(revision) == 40 else hashlib.sha1(f"{repository.as_posix()}{own}".encode()).hexdigest()


def _name(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()


def _tree(files: dict[str, Path], under: str, deep: bool) -> list[dict]:
    """Files and folders under a folder, all the way down if ``deep``."""
    prefix = f"{under}/" if under else ""
    below = {name: path for name, path in files.items() if name.startswith(prefix)}
    folders = {name[:i] for name in below for i in range(len(prefix), len(name)) if name[i] == "/"}
    found = [{"type": "file", "path": n, "oid": _digest(p), "size": p.stat().st_size} for n, p in below.items()]
    found += [{"type": "directory", "path": name, "oid": _digest_of(name), "size": 0} for name in folders]
    shown = [one for one in found if deep or "/" not in one["path"][len(prefix) :]]
    return sorted(shown, key=lambda one: one["path"])


def _digest_of(text: str) -> str:
    return hashlib.sha1(text.encode()).hexdigest()


def _summary(name: str, commit: str, files: dict[str, Path]) -> dict:
    siblings = [
        {"rfilename": one["path"], "size": one["size"], "blobId": one["oid"]}
        for one in _tree(files, "", deep=True)
        if one["type"] == "file"
    ]
    flags = dict.fromkeys(("private", "gated", "disabled"), False)
    return {"id": name, "sha": commit, "siblings": siblings, "tags": [], **flags}
