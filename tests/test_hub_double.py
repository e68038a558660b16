"""The Hub double against an unmodified huggingface_hub: what the tests of push and pull stand on."""

from __future__ import annotations

from pathlib import Path

import pytest
from hub_double import READER, HubDouble
from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    files = tmp_path / "files"
    (files / "deep").mkdir(parents=True)
    (files / "README.md").write_text("---\nlicense: mit\n---\nкарточка\n", encoding="utf-8")
    (files / "deep" / "model.safetensors").write_bytes(b"\x00weights\xff" * 500)
    return files


@pytest.mark.parametrize("kind", ["model", "dataset"])
def test_what_is_uploaded_comes_back(hub: HubDouble, folder: Path, kind: str) -> None:
    api = HfApi()
    api.create_repo("owner/one", repo_type=kind)
    commit = api.upload_folder(repo_id="owner/one", folder_path=folder, repo_type=kind)
    found = Path(snapshot_download("owner/one", repo_type=kind))
    assert found.name == commit.oid
    assert (found / "README.md").read_bytes() == (folder / "README.md").read_bytes()
    assert (found / "deep/model.safetensors").read_bytes() == (folder / "deep/model.safetensors").read_bytes()


def test_an_old_revision_stays(hub: HubDouble, folder: Path) -> None:
    api = HfApi()
    api.create_repo("owner/one")
    first = api.upload_folder(repo_id="owner/one", folder_path=folder)
    (folder / "README.md").write_text("---\nlicense: mit\n---\nother\n")
    api.upload_folder(repo_id="owner/one", folder_path=folder, delete_patterns="deep/*")
    assert set(hub.files("owner/one")) == {"README.md", "deep/model.safetensors"}
    old = Path(snapshot_download("owner/one", revision=first.oid))
    assert "карточка" in (old / "README.md").read_text(encoding="utf-8")


def test_a_commit_on_a_stale_parent_is_refused(hub: HubDouble, folder: Path) -> None:
    api = HfApi()
    api.create_repo("owner/one")
    stale = api.model_info("owner/one").sha
    hub.put("owner/one", {"other": b"1"})
    with pytest.raises(HfHubHTTPError, match="412"):
        api.upload_folder(repo_id="owner/one", folder_path=folder, parent_commit=stale)


def test_who_may_do_what(hub: HubDouble, folder: Path) -> None:
    hub.put("owner/secret", {"a": b"1"}, private=True)
    with pytest.raises(RepositoryNotFoundError):
        HfApi(token=False).model_info("owner/secret")
    assert HfApi(token=READER).model_info("owner/secret").sha
    assert HfApi(token=READER).whoami()["auth"]["accessToken"]["role"] == "read"
    with pytest.raises(HfHubHTTPError, match="403"):
        HfApi(token=READER).upload_folder(repo_id="owner/secret", folder_path=folder)
    with pytest.raises(HfHubHTTPError, match="401"):
        HfApi(token="hf_wrong").create_repo("owner/new")


def test_what_is_not_there(hub: HubDouble) -> None:
    hub.put("owner/one", {"a": b"1"})
    with pytest.raises(RepositoryNotFoundError):
        HfApi().model_info("owner/none")
    with pytest.raises(RevisionNotFoundError):
        snapshot_download("owner/one", revision="v9")


def test_objects_that_are_there_are_not_sent_again(hub: HubDouble, folder: Path) -> None:
    api = HfApi()
    api.create_repo("owner/one")
    hub.fail("POST", "/commit/", status=400)
    with pytest.raises(HfHubHTTPError):
        api.upload_folder(repo_id="owner/one", folder_path=folder)
    api.upload_folder(repo_id="owner/one", folder_path=folder)
    assert sum(one.method == "PUT" for one in hub.requests) == 1
