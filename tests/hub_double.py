"""A small Hub for tests: the part of the Hub's HTTP API that huggingface_hub uses to push and to pull.

Repositories live in memory: commits of whole trees, branches, LFS objects by SHA-256. An unmodified huggingface_hub
talks to it over loopback (`test_hub_double.py` proves it). `requests` is the log of what was asked, `fail` makes the
next matching request fail. Xet is not spoken.

Importing this module, which must come before huggingface_hub's import, keeps the tests off every other Hub: the
endpoint is a loopback port that refuses until the double is served.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import JSONResponse

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["HF_HUB_OFFLINE"] = "1"  # the fixture `hub` lifts it
os.environ["HF_HUB_DISABLE_XET"] = "1"
_SOCKET = socket.socket()
_SOCKET.bind(("127.0.0.1", 0))
ENDPOINT = os.environ["HF_ENDPOINT"] = f"http://127.0.0.1:{_SOCKET.getsockname()[1]}"

OWNER, READER = "hf_owner", "hf_reader"
FINE_GRAINED = {"hf_fine_writer": "writer", "hf_fine_looker": "looker"}
NO_COMMIT = "0" * 40


@dataclass(frozen=True)
class Blob:
    data: bytes
    lfs: bool

    @property
    def oid(self) -> str:
        """As git names a file's content."""
        return hashlib.sha1(b"blob %d\0" % len(self.data) + self.data).hexdigest()

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    @property
    def etag(self) -> str:
        return self.sha256 if self.lfs else self.oid


@dataclass(frozen=True)
class Commit:
    sha: str
    parent: str | None
    title: str
    tree: dict[str, Blob]


@dataclass
class Repository:
    private: bool = False
    commits: dict[str, Commit] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)
    lfs: dict[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.refs["main"] = self.add("initial commit", None, {}).sha

    def add(self, title: str, parent: str | None, tree: dict[str, Blob]) -> Commit:
        told = json.dumps([title, parent, sorted((path, blob.etag) for path, blob in tree.items()), len(self.commits)])
        commit = Commit(hashlib.sha1(told.encode()).hexdigest(), parent, title, tree)
        self.commits[commit.sha] = commit
        return commit

    def at(self, revision: str) -> Commit:
        sha = self.refs.get(revision, revision)
        if sha not in self.commits:
            raise HTTPException(404, headers={"X-Error-Code": "RevisionNotFound"})
        return self.commits[sha]


@dataclass(frozen=True)
class Asked:
    """One request as the Hub saw it, and how many bytes of body it sent back."""

    method: str
    path: str
    status: int
    sent: int


class HubDouble:
    """The state of the Hub, and the application that serves it."""

    def __init__(self) -> None:
        self.repositories: dict[tuple[str, str], Repository] = {}
        self.requests: list[Asked] = []
        self._failures: list[tuple[str, str, int]] = []
        self._before: list[tuple[str, str, Callable[[], None]]] = []
        self.app = self._application()

    def reset(self) -> None:
        """An empty Hub."""
        for kept in (self.repositories, self.requests, self._failures, self._before):
            kept.clear()

    def fail(self, method: str, part: str, *, status: int, times: int = 1) -> None:
        """Answer the next requests of this method whose path contains `part` with an error."""
        self._failures += [(method, part, status)] * times

    def before(self, method: str, part: str, act: Callable[[], None]) -> None:
        """Do something once, just before such a request is answered."""
        self._before.append((method, part, act))

    def put(self, repo_id: str, files: dict[str, bytes], *, kind: str = "models", private: bool = False) -> str:
        """Commit files to `main` past the API, as another person would; the commit."""
        repository = self.repositories.setdefault((kind, repo_id), Repository(private))
        head = repository.at("main")
        blobs = {path: Blob(data, path.endswith(".safetensors")) for path, data in files.items()}
        commit = repository.add("put", head.sha, {**head.tree, **blobs})
        repository.refs["main"] = commit.sha
        return commit.sha

    def files(self, repo_id: str, revision: str = "main", *, kind: str = "models") -> dict[str, bytes]:
        """The files of a revision."""
        return {path: blob.data for path, blob in self.repositories[kind, repo_id].at(revision).tree.items()}

    def downloaded(self) -> int:
        """Bytes of files sent so far."""
        return sum(one.sent for one in self.requests if one.method == "GET" and "/resolve/" in one.path)

    def _application(self) -> FastAPI:
        app = FastAPI()

        @app.middleware("http")
        async def log(request: Request, handle: Any) -> Response:
            path = request.url.path
            for found in [one for one in self._before if one[0] == request.method and one[1] in path]:
                self._before.remove(found)
                found[2]()
            failure = next((one for one in self._failures if one[0] == request.method and one[1] in path), None)
            if failure:
                self._failures.remove(failure)
                response = Response("the Hub is ill", failure[2])
            else:
                response = await handle(request)
            sent = 0 if request.method == "HEAD" else int(response.headers.get("content-length", 0))
            self.requests.append(Asked(request.method, path, response.status_code, sent))
            return response

        self._accounts(app)
        self._reading(app)
        self._writing(app)
        return app

    def _accounts(self, app: FastAPI) -> None:
        @app.get("/api/whoami-v2")
        def whoami(request: Request) -> dict[str, Any]:
            name = {OWNER: "owner", READER: "reader", **FINE_GRAINED}.get(_token(request))
            if name is None:
                raise HTTPException(401, headers={"X-Error-Message": "Invalid credentials in Authorization header"})
            role = "write" if name == "owner" else "read"
            token: dict[str, Any] = {"displayName": "test", "role": role}
            if _token(request) in FINE_GRAINED:
                rights = ["repo.content.read", "repo.write"][: 2 if name == "writer" else 1]
                scoped = [{"entity": {"type": "user", "name": name}, "permissions": rights}]
                token |= {"role": "fineGrained", "fineGrained": {"global": [], "scoped": scoped}}
            return {"type": "user", "name": name, "orgs": [], "auth": {"type": "access_token", "accessToken": token}}

        @app.post("/api/repos/create")
        async def create(request: Request) -> Response:
            _require_owner(request)
            asked = await request.json()
            repo_id, kind = f"{asked['organization'] or 'owner'}/{asked['name']}", f"{asked.get('type', 'model')}s"
            answer = {"url": f"{ENDPOINT}/{'' if kind == 'models' else kind + '/'}{repo_id}"}
            if (kind, repo_id) in self.repositories:
                return JSONResponse(answer | {"error": "You already created this model repo"}, 409)
            self.repositories[kind, repo_id] = Repository(asked.get("visibility") == "private")
            return JSONResponse(answer)

        @app.post("/api/validate-yaml")
        async def validate(request: Request) -> dict[str, list[str]]:
            return {"errors": [], "warnings": []}

    def _reading(self, app: FastAPI) -> None:
        @app.get("/api/models")
        def models() -> list[dict[str, Any]]:
            return [{"id": name, "modelId": name} for kind, name in self.repositories if kind == "models"]

        @app.get("/api/{kind}/{owner}/{name}")
        @app.get("/api/{kind}/{owner}/{name}/revision/{revision:path}")
        def info(request: Request, kind: str, owner: str, name: str, revision: str = "main") -> dict[str, Any]:
            commit = self._find(request, kind, f"{owner}/{name}").at(revision)
            siblings = [_sibling(path, blob) for path, blob in commit.tree.items()]
            repo_id = f"{owner}/{name}"
            return {"id": repo_id, "modelId": repo_id, "sha": commit.sha, "siblings": siblings, "tags": []}

        @app.get("/api/{kind}/{owner}/{name}/tree/{revision}")
        def tree(request: Request, kind: str, owner: str, name: str, revision: str) -> list[dict[str, Any]]:
            found = self._find(request, kind, f"{owner}/{name}").at(revision).tree
            return [_entry(path, blob) for path, blob in found.items()]

        @app.api_route("/{owner}/{name}/resolve/{revision}/{path:path}", methods=["GET", "HEAD"])
        def model_file(request: Request, owner: str, name: str, revision: str, path: str) -> Response:
            return self._file(request, "models", f"{owner}/{name}", revision, path)

        @app.api_route("/datasets/{owner}/{name}/resolve/{revision}/{path:path}", methods=["GET", "HEAD"])
        def data_file(request: Request, owner: str, name: str, revision: str, path: str) -> Response:
            return self._file(request, "datasets", f"{owner}/{name}", revision, path)

    def _writing(self, app: FastAPI) -> None:
        @app.post("/api/{kind}/{owner}/{name}/branch/{branch}")
        async def create_branch(request: Request, kind: str, owner: str, name: str, branch: str) -> None:
            _require_owner(request)
            repository = self._find(request, kind, f"{owner}/{name}")
            if branch in repository.refs:
                raise HTTPException(409, "the branch exists")
            repository.refs[branch] = repository.refs["main"]

        @app.post("/api/{kind}/{owner}/{name}/preupload/{revision}")
        async def preupload(request: Request, kind: str, owner: str, name: str, revision: str) -> dict[str, Any]:
            _require_owner(request)
            tree = self._find(request, kind, f"{owner}/{name}").at(revision).tree
            return {
                "files": [
                    {
                        "path": asked["path"],
                        "uploadMode": "lfs" if asked["path"].endswith((".safetensors", ".png")) else "regular",
                        "shouldIgnore": False,
                        "oid": tree[asked["path"]].etag if asked["path"] in tree else None,
                    }
                    for asked in (await request.json())["files"]
                ]
            }

        @app.post("/{owner}/{name}.git/info/lfs/objects/batch")
        async def model_batch(request: Request, owner: str, name: str) -> dict[str, Any]:
            return await self._batch(request, "models", f"{owner}/{name}")

        @app.post("/datasets/{owner}/{name}.git/info/lfs/objects/batch")
        async def data_batch(request: Request, owner: str, name: str) -> dict[str, Any]:
            return await self._batch(request, "datasets", f"{owner}/{name}")

        @app.put("/lfs/{kind}/{owner}/{name}/{oid}")
        async def upload(request: Request, kind: str, owner: str, name: str, oid: str) -> None:
            data = await request.body()
            if hashlib.sha256(data).hexdigest() != oid:
                raise HTTPException(400, "not what was announced")
            self.repositories[kind, f"{owner}/{name}"].lfs[oid] = data

        @app.post("/api/{kind}/{owner}/{name}/commit/{revision}")
        async def commit(request: Request, kind: str, owner: str, name: str, revision: str) -> dict[str, Any]:
            _require_owner(request)
            repository = self._find(request, kind, f"{owner}/{name}")
            lines = [json.loads(line) for line in (await request.body()).splitlines()]
            new = self._committed(repository, revision, lines)
            repository.refs[revision] = new.sha
            return {"commitOid": new.sha, "commitUrl": f"{ENDPOINT}/{owner}/{name}/commit/{new.sha}"}

    async def _batch(self, request: Request, kind: str, repo_id: str) -> dict[str, Any]:
        _require_owner(request)
        known = self._find(request, kind, repo_id).lfs
        objects = []
        for asked in (await request.json())["objects"]:
            answer = {"oid": asked["oid"], "size": asked["size"]}
            if asked["oid"] not in known:
                answer["actions"] = {"upload": {"href": f"{ENDPOINT}/lfs/{kind}/{repo_id}/{asked['oid']}"}}
            objects.append(answer)
        return {"transfer": "basic", "objects": objects}

    @staticmethod
    def _committed(repository: Repository, revision: str, lines: list[dict[str, Any]]) -> Commit:
        head = repository.at(revision)
        tree, title = dict(head.tree), ""
        for line in lines:
            value = line["value"]
            if line["key"] == "header":
                title = value["summary"]
                if value.get("parentCommit") not in (None, head.sha):
                    raise HTTPException(412, "A commit has happened since. Please refresh and try again.")
            elif line["key"] == "file":
                tree[value["path"]] = Blob(base64.b64decode(value["content"]), lfs=False)
            elif line["key"] == "lfsFile":
                tree[value["path"]] = Blob(repository.lfs[value["oid"]], lfs=True)
            elif line["key"] == "deletedFile":
                del tree[value["path"]]
        return repository.add(title, head.sha, tree)

    def _find(self, request: Request, kind: str, repo_id: str) -> Repository:
        found = self.repositories.get((kind, repo_id))
        if found is None or (found.private and _token(request) not in (OWNER, READER)):
            raise HTTPException(404 if _token(request) else 401, headers={"X-Error-Code": "RepoNotFound"})
        return found

    def _file(self, request: Request, kind: str, repo_id: str, revision: str, path: str) -> Response:
        commit = self._find(request, kind, repo_id).at(revision)
        if path not in commit.tree:
            raise HTTPException(404, headers={"X-Error-Code": "EntryNotFound", "X-Repo-Commit": commit.sha})
        blob = commit.tree[path]
        headers = {"X-Repo-Commit": commit.sha, "ETag": f'"{blob.etag}"', "Content-Length": str(len(blob.data))}
        if blob.lfs:
            headers |= {"X-Linked-Etag": f'"{blob.etag}"', "X-Linked-Size": str(len(blob.data))}
        return Response(b"" if request.method == "HEAD" else blob.data, headers=headers)


def _token(request: Request) -> str:
    return request.headers.get("authorization", "").removeprefix("Bearer ")


def _require_owner(request: Request) -> None:
    if _token(request) not in (OWNER, READER):
        raise HTTPException(401, headers={"X-Error-Message": "Invalid credentials in Authorization header"})
    if _token(request) != OWNER:
        raise HTTPException(403, headers={"X-Error-Message": "You don't have the rights: use a token with write role"})


def _entry(path: str, blob: Blob) -> dict[str, Any]:
    entry: dict[str, Any] = {"type": "file", "path": path, "size": len(blob.data), "oid": blob.oid}
    if blob.lfs:
        entry["lfs"] = {"oid": blob.sha256, "size": len(blob.data), "pointerSize": 130}
    return entry


def _sibling(path: str, blob: Blob) -> dict[str, Any]:
    """A file as the information on a repository names it."""
    lfs = {"size": len(blob.data), "sha256": blob.sha256, "pointerSize": 130} if blob.lfs else None
    return {"rfilename": path, "size": len(blob.data), "blobId": blob.oid, "lfs": lfs}


@contextmanager
def serving() -> Iterator[HubDouble]:
    """The Hub double, served at `ENDPOINT` by a thread while the block runs; once a process."""
    import uvicorn

    hub = HubDouble()
    server = uvicorn.Server(uvicorn.Config(hub.app, log_level="warning"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [_SOCKET]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield hub
    server.should_exit = True
    thread.join()
