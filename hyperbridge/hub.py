"""The Hub: one door for finding, fetching and publishing repositories of ours.

A revision is resolved to its commit once, the commit's files are listed, and only files that were asked for and that
cannot run code are fetched, by that commit; what is in the cache is not fetched again, and without a network the cache
answers. A push is one commit on the commit that was seen before it: nothing half-pushed is ever visible, and a push
of somebody else in between is refused, not overwritten. Cost: two or three small requests and the files.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from hyperbridge.errors import HyperBridgeError

RepoType = Literal["model", "dataset"]
PICKLES = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib", ".dill", ".h5", ".msgpack", ".npy", ".npz")
SMALL = 1_000_000  # bytes that are fetched before a progress bar is read
TIMEOUT = 10  # seconds to wait for an answer that is no file
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES)
_REPO_ID = re.compile(r"[\w.-]+/[\w.-]+(@[\w./-]+)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Listing:
    """The files of one commit: path -> bytes, and path -> SHA-256 of those in large file storage."""

    repo_id: str
    commit: str
    sizes: dict[str, int]
    sha256: dict[str, str]


def parse_id(text: str) -> tuple[str, str | None]:
    """`owner/name` or `owner/name@revision` in its parts.

    Raises:
        HyperBridgeError: the text is no Hub id.
    """
    if not _REPO_ID.fullmatch(text):
        raise HyperBridgeError(f"{text}: no such folder, and not a Hub id (owner/name, owner/name@revision)")
    name, _, revision = text.partition("@")
    return name, revision or None


def resolve_commit(repo_id: str, revision: str | None = None, repo_type: RepoType = "model") -> str:
    """The commit of a branch, tag or commit; without a network, the one the cache remembers.

    Raises:
        HyperBridgeError: no such repository or revision, no right to see it, or no network and nothing cached.
    """
    from huggingface_hub import HfApi

    with hub_errors(repo_id, revision):
        return str(HfApi().resolve_revision(repo_id, revision=revision, repo_type=repo_type).resolved)


@lru_cache(maxsize=32)
def list_files(repo_id: str, commit: str, repo_type: RepoType = "model") -> Listing:
    """What a commit holds; asked once, for a commit does not change.

    Raises:
        HyperBridgeError: the Hub cannot be reached, or a path leads out of the repository.
    """
    from huggingface_hub import HfApi

    api = HfApi()
    about = api.dataset_info if repo_type == "dataset" else api.model_info
    with hub_errors(repo_id, commit):
        # Not list_repo_tree: that tries again for half a minute where there is no network.
        files = about(repo_id, revision=commit, files_metadata=True, timeout=TIMEOUT).siblings or []
    for entry in files:
        _check_path(repo_id, entry.rfilename)
    return Listing(
        repo_id,
        commit,
        {entry.rfilename: entry.size or 0 for entry in files},
        {entry.rfilename: entry.lfs.sha256 for entry in files if entry.lfs},
    )


def fetch(repo_id: str, commit: str, patterns: Sequence[str], repo_type: RepoType = "model") -> Path:
    """Fetch the files of a commit that match; the folder they lie in (in the Hub's cache).

    Raises:
        HyperBridgeError: a file that matches is a pickle, a path leads out of the repository, or the Hub (and the
            cache) does not give them.
    """
    from huggingface_hub import snapshot_download

    try:
        listing = list_files(repo_id, commit, repo_type)
    except HubUnreachable:
        listing = None  # then the cache answers, where it is complete
    wanted = list(patterns) if listing is None else matching(listing.sizes, patterns)
    if listing is not None:
        refuse_pickles(repo_id, wanted)
    small = listing is not None and sum(listing.sizes[path] for path in wanted) < SMALL
    with hub_errors(repo_id, commit), _without_bars() if small else nullcontext():
        return Path(snapshot_download(repo_id, revision=commit, repo_type=repo_type, allow_patterns=wanted))


@contextmanager
def _without_bars() -> Iterator[None]:
    """No progress bars for a few small files; afterwards as before."""
    from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    if are_progress_bars_disabled():
        yield
        return
    disable_progress_bars()
    try:
        yield
    finally:
        enable_progress_bars()


def publish(
    folder: Path,
    repo_id: str,
    *,
    message: str,
    private: bool | None = None,
    revision: str | None = None,
    parent: str | None = None,
    removed: Iterable[str] = (),
    repo_type: RepoType = "model",
) -> str:
    """Commit all files of a folder to a repository, which is made where it is missing; the commit.

    Args:
        folder: the files, as they are to lie in the repository.
        repo_id: `owner/name`.
        message: the commit's.
        private: of a new repository; an old one stays as it is.
        revision: a branch, made where it is missing; None is `main`.
        parent: the commit that the branch must still be at; None takes what it is at now.
        removed: paths of the branch that the commit removes.
        repo_type: model or data set.

    Raises:
        HyperBridgeError: no right to write, the branch has moved on from `parent`, or the Hub cannot be reached.
    """
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi

    api = HfApi()
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    operations: list[Any] = [CommitOperationAdd(path.relative_to(folder).as_posix(), path) for path in paths]
    operations += [CommitOperationDelete(path) for path in sorted(removed)]
    with hub_errors(repo_id, revision, writing=True):
        api.create_repo(repo_id, private=private, repo_type=repo_type, exist_ok=True)
        if revision:
            api.create_branch(repo_id, branch=revision, repo_type=repo_type, exist_ok=True)
        parent = parent or api.repo_info(repo_id, revision=revision, repo_type=repo_type).sha
        return api.create_commit(
            repo_id, operations, commit_message=message, revision=revision, parent_commit=parent, repo_type=repo_type
        ).oid


def head(repo_id: str, revision: str | None = None, repo_type: RepoType = "model") -> str | None:
    """The commit a branch is at, past the cache; None where the repository or the branch is not there yet.

    Raises:
        HyperBridgeError: the Hub cannot be reached, or the token is wrong.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

    with hub_errors(repo_id, revision, writing=True):
        try:
            return str(HfApi().repo_info(repo_id, revision=revision, repo_type=repo_type).sha)
        except (RepositoryNotFoundError, RevisionNotFoundError):
            return None


def licence(repo_id: str) -> str | None:
    """The licence a repository's card states; None where there is none or no way to ask."""
    from huggingface_hub import HfApi

    try:
        with hub_errors(repo_id):
            card = HfApi().model_info(repo_id).card_data
    except HyperBridgeError:
        return None
    return getattr(card, "license", None)


def address(repo_id: str, repo_type: RepoType = "model") -> str:
    """The page of a repository."""
    from huggingface_hub import constants

    return f"{constants.ENDPOINT}/{'datasets/' if repo_type == 'dataset' else ''}{repo_id}"


def matching(paths: Iterable[str], patterns: Sequence[str]) -> list[str]:
    """The paths that match one of the globs (`*` crosses folders), in their order."""
    return [path for path in paths if any(fnmatchcase(path, pattern) for pattern in patterns)]


def refuse_pickles(where: str, paths: Iterable[str]) -> None:
    """Refuse files whose format can run code when it is read.

    Raises:
        HyperBridgeError: there is one.
    """
    for path in paths:
        if path.lower().endswith(PICKLES):
            raise HyperBridgeError(
                f"{where}: {path} is no safetensors file; such formats can run code and are not loaded, "
                "ask its owner for safetensors"
            )


class HubUnreachable(HyperBridgeError):
    """There is no way to the Hub just now."""


@contextmanager
def hub_errors(repo_id: str, revision: str | None = None, *, writing: bool = False) -> Iterator[None]:
    """Say in one line what the Hub refused, and what to do."""
    import httpx2
    from huggingface_hub import errors

    named = f"{repo_id}@{revision}" if revision else repo_id
    try:
        yield
    except errors.HFValidationError:
        raise HyperBridgeError(f"{repo_id}: no such folder, and not a Hub id (owner/name)") from None
    except errors.RevisionNotFoundError:
        raise HyperBridgeError(f"{named}: the repository has no such revision") from None
    except errors.GatedRepoError:
        raise HyperBridgeError(f"{named}: its owner grants access on request: ask on its page, then sign in") from None
    except errors.RepositoryNotFoundError:
        todo = "or it is private: sign in with `hf auth login`"
        raise HyperBridgeError(f"{repo_id}: the Hub has no such repository, {todo}") from None
    except (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled, errors.RevisionResolutionError) as error:
        lacking = "a push needs it" if writing else "the cache lacks it"
        raise HubUnreachable(f"{named}: the Hub cannot be reached, and {lacking}: {_reason(error)}") from None
    except errors.HfHubHTTPError as error:
        raise HyperBridgeError(_refusal(named, error, writing=writing)) from None
    except (OSError, httpx2.TransportError) as error:
        if getattr(error, "errno", None) in NO_ROOM:
            todo = "hyperbridge doctor shows the disks"
            raise HyperBridgeError(f"{named}: the cache cannot be written to: {_reason(error)}; {todo}") from None
        raise HubUnreachable(f"{named}: the Hub cannot be reached: {_reason(error)}") from None


def _refusal(named: str, error: Any, *, writing: bool) -> str:
    from huggingface_hub import get_token

    status = error.response.status_code
    if status == 401 and not get_token():
        return f"{named}: you are not signed in to the Hub; sign in with `hf auth login`"
    if status == 401:
        return f"{named}: the Hub does not know this token; sign in with `hf auth login`"
    if status == 403:
        right = "a token with the right to write there" if writing else "a token with the right to read it"
        return f"{named}: this token may not do that; take {right} (hf auth login)"
    if status == 412:
        return f"{named}: somebody pushed in between; look at it (hyperbridge pull {named}), then push again"
    return f"{named}: the Hub answered {status}: {_reason(error)}; try again later"


def _reason(error: Exception) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[0][:200] if lines else type(error).__name__


def _check_path(repo_id: str, path: str) -> None:
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or re.search(r"[\\\0-\x1f]|^[A-Za-z]:", path):
        raise HyperBridgeError(f"{repo_id}: it names a file outside of its own folder ({path!r}); it is not fetched")
