"""A hub on the loopback address for tests: just enough of one for ``huggingface_hub`` and what stands on it.

A folder with ``models/owner/name/`` and ``datasets/owner/name/`` is served as it is; any revision asked for
is the present one. Standard library only::

    with serve(folder) as url:
        subprocess.run(command, env={**os.environ, "HF_ENDPOINT": url})
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit


@contextmanager
def serve(root: Path) -> Iterator[str]:
    """Serve ``root`` from another thread while the block runs; gives the address for HF_ENDPOINT."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Answers, root.resolve()))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


class _Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, root: Path, *request) -> None:
        self.root = root
        super().__init__(*request)

    def log_message(self, *_) -> None:
        """Tests read their own output."""

    def do_GET(self) -> None:
        """``/api/KIND/OWNER/NAME[/VERB/REV[/PATH]]`` or ``/[datasets/]OWNER/NAME/resolve/REV/PATH``."""
        words = [unquote(word) for word in urlsplit(self.path).path.strip("/").split("/")]
        api = words[0] == "api"
        words = words[1:] if api else words
        kind = words.pop(0) if words[0] in ("models", "datasets") else "models"
        repository = self.root / kind / "/".join(words[:2])
        if len(words) < 2 or ".." in words or not repository.is_dir():
            return self._missing("RepoNotFound")
        verb, path = (words[2] if len(words) > 2 else "revision"), "/".join(words[4:])
        place = repository / path
        if not place.exists():
            self._missing("EntryNotFound")
        elif verb == "resolve" and not api and place.is_file():
            tags = {"ETag": f'"{_digest(place)}"', "X-Repo-Commit": _revision(repository)}
            self._send(place.read_bytes(), "application/octet-stream", **tags)
        elif verb == "tree" and api:
            deep = parse_qs(urlsplit(self.path).query).get("recursive", [""])[0].lower() in ("true", "1")
            found = sorted(place.rglob("*") if deep else place.glob("*"))
            self._json([_entry(repository, one) for one in found])
        elif verb == "revision" and api:
            self._json(_summary("/".join(words[:2]), repository))
        else:
            self._missing("EntryNotFound")

    do_HEAD = do_GET

    def do_POST(self) -> None:
        """``/api/KIND/OWNER/NAME/paths-info/REVISION``: the entries of the paths in the body that exist."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        asked = json.loads(body)["paths"] if body.startswith("{") else parse_qs(body).get("paths", [])
        words = urlsplit(self.path).path.strip("/").split("/")
        repository = self.root / "/".join(words[1:4])
        self._json([_entry(repository, repository / path) for path in asked if (repository / path).exists()])

    def _json(self, value) -> None:
        self._send(json.dumps(value).encode(), "application/json")

    def _missing(self, code: str) -> None:
        self._send(b"{}", "application/json", HTTPStatus.NOT_FOUND, **{"X-Error-Code": code})

    def _send(self, body: bytes, kind: str, status: HTTPStatus = HTTPStatus.OK, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _digest(path: Path) -> str:
    return hashlib.sha1(path.read_bytes()).hexdigest()


def _revision(repository: Path) -> str:
    """Forty hex digits, as a commit has: of the repository's name, since its files do not change."""
    return hashlib.sha1(repository.as_posix().encode()).hexdigest()


def _entry(repository: Path, path: Path) -> dict:
    name = path.relative_to(repository).as_posix()
    if path.is_dir():
        return {"type": "directory", "path": name, "oid": _revision(path), "size": 0}
    return {"type": "file", "path": name, "oid": _digest(path), "size": path.stat().st_size}


def _summary(name: str, repository: Path) -> dict:
    files = [_entry(repository, path) for path in sorted(repository.rglob("*")) if path.is_file()]
    siblings = [{"rfilename": one["path"], "size": one["size"], "blobId": one["oid"]} for one in files]
    flags = dict.fromkeys(("private", "gated", "disabled"), False)
    return {"id": name, "sha": _revision(repository), "siblings": siblings, "tags": [], **flags}
