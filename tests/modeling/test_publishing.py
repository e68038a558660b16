"""From a run to the Hub and back: what is pushed, what is fetched, and what is refused."""

from __future__ import annotations

import errno
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
from hub_double import READER, HubDouble
from huggingface_hub import ModelCard, constants
from typer.testing import CliRunner

from hyperbridge import HyperBridge, HyperBridgeError
from hyperbridge.cli.main import app
from hyperbridge.hub import list_files
from hyperbridge.modeling.publishing import Destination, Stale, pull, push, staged_bundle, staged_register

SCENE = "жар+тишина+вход; agent=тело"
VOICES = ("поэтический", "телесный")


@pytest.fixture
def run(tiny_bundle: Path, tmp_path: Path) -> Path:
    """A run that was evaluated; a test may spoil it."""
    folder = Path(shutil.copytree(tiny_bundle, tmp_path / "run"))
    scores = {"body": 2.5, "poet": 2.0}
    matrix = {"base": {"body": 3.0, "poet": 2.9}, "matrix": {"body": scores, "poet": {"body": 2.8, "poet": 1.9}}}
    (folder / "register_matrix.json").write_text(json.dumps(matrix))
    said = [{"scene": "мост+туман", "voices": {"poet": "Туман\nстоит.", "body": "Стою."}}]
    (folder / "samples.json").write_text(json.dumps(said, ensure_ascii=False), encoding="utf-8")
    return folder


@pytest.fixture
def base(hub: HubDouble, tiny_base: Path) -> str:
    """The tiny base on the Hub."""
    hub.put("owner/base", {path.name: path.read_bytes() for path in tiny_base.iterdir()})
    return "owner/base"


def push_run(run: Path, base: str, repo_id: str = "owner/voices", stale: Stale = "refuse", **to: Any) -> str:
    with staged_bundle(run, repo_id, base=base) as staged:
        return push(staged, Destination(repo_id, **to), stale=stale)


def test_a_friend_hears_what_was_pushed(hub: HubDouble, run: Path, base: str, tiny_base: Path) -> None:
    commit = push_run(run, base)
    mine = HyperBridge.from_pretrained(run).speak(SCENE, registers="all", seed=3, max_new_tokens=12)
    theirs = HyperBridge.from_pretrained("owner/voices")
    assert theirs.speak(SCENE, registers="all", seed=3, max_new_tokens=12) == mine
    assert theirs.located is not None
    assert (theirs.located.repo_id, theirs.located.commit) == ("owner/voices", commit)
    assert theirs.config.base.model == "owner/base"
    assert theirs.config.base.revision is not None


def test_nothing_of_this_machine_is_pushed(hub: HubDouble, run: Path, base: str, tmp_path: Path) -> None:
    push_run(run, base)
    pushed = hub.files("owner/voices")
    assert sorted(pushed) == [
        "README.md",
        "config.json",
        "recipe.json",
        "register_matrix.json",
        "register_matrix.png",
        *(
            f"registers/{name}/{file}"
            for name in ("body", "poet")
            for file in ("adapter_config.json", "adapter_model.safetensors", "register.json", "training.json")
        ),
        "samples.json",
    ]
    for path, content in pushed.items():
        assert str(tmp_path.parent).encode() not in content, path
    adapter = json.loads(pushed["registers/poet/adapter_config.json"])
    assert (adapter["base_model_name_or_path"], len(adapter["revision"])) == ("owner/base", 40)


def test_the_card_tells_the_base_the_figures_and_how_to_load(hub: HubDouble, run: Path, base: str) -> None:
    push_run(run, base)
    card = ModelCard(hub.files("owner/voices")["README.md"].decode())
    card.validate()
    assert card.data.base_model == "owner/base"
    assert card.data["base_model_relation"] == "adapter"
    results = {result.dataset_name: result.metric_value for result in card.data.eval_results}
    assert results == {"held-out expressions: поэтический": 1.9, "held-out expressions: телесный": 2.5}
    assert 'HyperBridge.from_pretrained("owner/voices")' in card.text
    assert "| poet | 2.800 | **1.900** |" in card.text
    assert "> *poet*: Туман  \n> стоит." in card.text


def test_one_of_five_registers_is_fetched_alone(hub: HubDouble, run: Path, base: str, tmp_path: Path) -> None:
    for number in range(3):
        shutil.copytree(run / "registers/poet", run / f"registers/poet{number}")
        card = run / f"registers/poet{number}/register.json"
        card.write_text(card.read_text(encoding="utf-8").replace("поэтический", f"поэт {number}"), encoding="utf-8")
    push_run(run, base)
    pull("owner/voices", registers=["телесный"], output=tmp_path / "one")
    weights = sum(len(data) for path, data in hub.files("owner/voices").items() if path.endswith(".safetensors"))
    assert hub.downloaded() < 0.25 * weights
    assert [path.name for path in (tmp_path / "one/registers").iterdir()] == ["body"]


def test_a_second_pull_fetches_nothing_and_the_cache_answers_offline(
    hub: HubDouble, run: Path, base: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    push_run(run, base)
    pull("owner/voices")
    before = hub.downloaded()
    assert pull("owner/voices").is_dir()
    assert hub.downloaded() == before
    list_files.cache_clear()  # as in a new process
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert pull("owner/voices", registers=["poet"]).is_dir()
    with pytest.raises(HyperBridgeError, match="owner/others: the Hub cannot be reached, and the cache lacks it"):
        pull("owner/others")
    with pytest.raises(HyperBridgeError, match=r"owner/base@\w+: the Hub cannot be reached"):
        push_run(run, base)


def test_a_push_without_the_hub_says_what_it_lacks(
    hub: HubDouble, run: Path, base: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with staged_bundle(run, "owner/voices", base=base) as staged:
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
        with pytest.raises(HyperBridgeError, match="owner/voices: the Hub cannot be reached, and a push needs it"):
            push(staged, Destination("owner/voices"))


def test_an_old_revision_stays_loadable(hub: HubDouble, run: Path, base: str, tmp_path: Path) -> None:
    first = push_run(run, base)
    shutil.rmtree(run / "registers/body")
    push_run(run, base, stale="remove")
    assert [path.name for path in (pull("owner/voices") / "registers").iterdir()] == ["poet"]
    old = pull(f"owner/voices@{first}", output=tmp_path / "old")
    assert sorted(path.name for path in (old / "registers").iterdir()) == ["body", "poet"]


def test_a_branch_is_made_and_main_stays(hub: HubDouble, run: Path, base: str) -> None:
    push_run(run, base, revision="v2")
    assert "config.json" in hub.files("owner/voices", "v2")
    assert hub.files("owner/voices") == {}


@pytest.mark.parametrize(("stale", "left"), [("keep", ["body", "poet", "singer"]), ("remove", ["body", "singer"])])
def test_a_renamed_register_is_kept_or_removed_as_asked(
    hub: HubDouble, run: Path, base: str, stale: Stale, left: list[str]
) -> None:
    push_run(run, base)
    (run / "registers/poet").rename(run / "registers/singer")
    (run / "register_matrix.json").unlink()
    with pytest.raises(HyperBridgeError, match=r"holds registers that are not here \(poet\); --keep leaves"):
        push_run(run, base)
    push_run(run, base, stale=stale)
    files = hub.files("owner/voices")
    assert sorted({path.split("/")[1] for path in files if "/" in path}) == left
    assert ("Beside them, from an earlier push: `poet`." in files["README.md"].decode()) == (stale == "keep")
    with pytest.raises(HyperBridgeError, match=r"owner/voices@\w+: no register 'singr'; did you mean 'singer'\?"):
        pull("owner/voices", registers=["singr"])


def test_a_new_branch_begins_at_main_and_its_registers_are_asked_about(hub: HubDouble, run: Path, base: str) -> None:
    push_run(run, base)
    (run / "registers/poet").rename(run / "registers/singer")
    with pytest.raises(HyperBridgeError, match=r"holds registers that are not here \(poet\)"):
        push_run(run, base, revision="v2")


def test_a_whole_bundle_that_was_pulled_can_be_pushed_again(
    hub: HubDouble, run: Path, base: str, tmp_path: Path
) -> None:
    push_run(run, base)
    push_run(pull("owner/voices", output=tmp_path / "got"), base, "owner/again")
    first, again = hub.files("owner/voices"), hub.files("owner/again")
    assert sorted(again) == sorted(first)
    assert again["README.md"] == first["README.md"].replace(b"owner/voices", b"owner/again").replace(
        b"name: voices", b"name: again"
    ).replace(b"# voices", b"# again")


def test_a_push_goes_over_nothing_of_another_kind(hub: HubDouble, run: Path, base: str) -> None:
    def push_alone(register: str, repo_id: str, stale: Stale = "refuse") -> None:
        with staged_register(run, register, repo_id, base=base) as staged:
            push(staged, Destination(repo_id), stale=stale)

    push_run(run, base)
    push_alone("poet", "owner/poet")
    for stale in ("refuse", "keep", "remove"):
        with pytest.raises(HyperBridgeError, match="owner/base: it holds a model, which a bundle would overwrite"):
            push_run(run, base, "owner/base", stale)
        with pytest.raises(HyperBridgeError, match="owner/poet: it holds a register alone, which a bundle would"):
            push_run(run, base, "owner/poet", stale)
        with pytest.raises(HyperBridgeError, match="owner/voices: it holds a bundle, which a register alone would"):
            push_alone("poet", "owner/voices", stale)
    with pytest.raises(HyperBridgeError, match=r"it holds another register \(поэтический\); --remove puts this"):
        push_alone("body", "owner/poet")
    push_alone("body", "owner/poet", "remove")
    assert json.loads(hub.files("owner/poet")["register.json"])["style"] == "телесный"


def test_an_interpreter_is_pushed_as_one(hub: HubDouble, run: Path, base: str) -> None:
    path = run / "registers/poet/register.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"speak"', '"interpret"'), encoding="utf-8")
    push_run(run, base)
    files = hub.files("owner/voices")
    assert json.loads(files["registers/poet/register.json"])["task"] == "interpret"
    card = files["README.md"].decode()
    assert 'bridge.speak("жар+тишина+вход", register="body")' in card
    assert "bridge.interpret(" in card


def test_a_loaded_bridge_pushes_all_its_adapters(hub: HubDouble, run: Path, base: str) -> None:
    card = run / "registers/body/register.json"
    card.write_text(json.dumps(json.loads(card.read_text(encoding="utf-8")) | {"task": "interpret"}), encoding="utf-8")
    HyperBridge.from_pretrained(run).push_to_hub("owner/both", base=base)
    pulled = HyperBridge.from_pretrained("owner/both")
    assert pulled.tasks == {"body": "interpret", "poet": "speak"}
    poet = HyperBridge.from_pretrained(run, registers=["poet"])
    with pytest.raises(HyperBridgeError, match=r"body.*--keep"):
        poet.push_to_hub("owner/both", base=base)
    poet.push_to_hub("owner/both", base=base, stale="remove")
    assert HyperBridge.from_pretrained("owner/both").tasks == {"poet": "speak"}


def test_files_of_replies_are_named_without_their_folders(hub: HubDouble, run: Path, base: str) -> None:
    recipe = json.loads((run / "recipe.json").read_text(encoding="utf-8"))
    recipe["data"]["replies"] = {"train": "/home/me/replies.jsonl", "validation": None, "test": None}
    (run / "recipe.json").write_text(json.dumps(recipe), encoding="utf-8")
    push_run(run, base)
    pushed = json.loads(hub.files("owner/voices")["recipe.json"])
    assert pushed["data"]["replies"] == {"train": "replies.jsonl", "validation": None, "test": None}


def test_registers_are_kept_under_their_own_system_prompt_alone(hub: HubDouble, run: Path, base: str) -> None:
    push_run(run, base)
    (run / "registers/poet").rename(run / "registers/singer")
    config = json.loads((run / "config.json").read_text(encoding="utf-8"))
    (run / "config.json").write_text(json.dumps(config | {"system_prompt": "Говори."}), encoding="utf-8")
    with pytest.raises(HyperBridgeError, match="trained under another system prompt"):
        push_run(run, base, stale="keep")


def test_an_upload_that_breaks_off_leaves_nothing_and_goes_on(hub: HubDouble, run: Path, base: str) -> None:
    hub.fail("POST", "/commit/", status=400)
    with pytest.raises(HyperBridgeError, match="owner/voices: the Hub answered 400"):
        push_run(run, base)
    assert hub.files("owner/voices") == {}
    sent = sum(one.method == "PUT" for one in hub.requests)
    push_run(run, base)
    assert "config.json" in hub.files("owner/voices")
    assert sum(one.method == "PUT" for one in hub.requests) == sent


def test_a_push_in_between_is_not_overwritten(hub: HubDouble, run: Path, base: str) -> None:
    push_run(run, base)
    (run / "samples.json").unlink()
    hub.before("POST", "/commit/", lambda: hub.put("owner/voices", {"note": b"mine"}) and None)
    with pytest.raises(HyperBridgeError, match="somebody pushed in between"):
        push_run(run, base)
    assert hub.files("owner/voices")["note"] == b"mine"


@pytest.mark.parametrize(
    ("token", "why"),
    [
        ("hf_wrong", "does not know this token"),
        (READER, "a token with the right to write there"),
        ("", "you are not signed in to the Hub"),
    ],
)
def test_a_token_that_may_not_write(
    hub: HubDouble, run: Path, base: str, monkeypatch: pytest.MonkeyPatch, token: str, why: str
) -> None:
    monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(HyperBridgeError, match=why):
        push_run(run, base)


def test_a_full_disk_is_said_to_be_one(hub: HubDouble, run: Path, base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: Any, **options: Any) -> str:
        raise OSError(errno.ENOSPC, "No space left on device")

    push_run(run, base)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", full)
    with pytest.raises(HyperBridgeError, match=r"cannot be written to: .*No space left on device"):
        pull("owner/voices")


def test_what_is_not_there_is_one_line(hub: HubDouble, run: Path, base: str) -> None:
    push_run(run, base)
    with pytest.raises(HyperBridgeError, match="owner/voices@v9: the repository has no such revision"):
        pull("owner/voices@v9")
    with pytest.raises(HyperBridgeError, match="owner/none: the Hub has no such repository, or it is private"):
        pull("owner/none")
    with pytest.raises(HyperBridgeError, match=r"not a HyperBridge.*a register published alone: PeftModel"):
        pull("owner/base")


def test_a_base_on_this_machine_alone_is_not_published(hub: HubDouble, run: Path, other_base: Path) -> None:
    with pytest.raises(HyperBridgeError, match="a folder of this machine, which nobody else can load"):
        push_run(run, None)  # type: ignore[arg-type]
    hub.put("owner/other", {path.name: path.read_bytes() for path in other_base.iterdir()})
    with pytest.raises(HyperBridgeError, match="not the weights these registers were trained on"):
        push_run(run, "owner/other")


@pytest.mark.parametrize(
    ("planted", "why"),
    [
        ({"registers/poet/adapter_model.bin": b"\x80\x04."}, "is no safetensors file; such formats can run code"),
        ({"../evil.py": b"raise SystemExit"}, "names a file outside of its own folder"),
        ({"/etc/evil": b"1"}, "names a file outside of its own folder"),
        ({"registers\\poet": b"1"}, "names a file outside of its own folder"),
    ],
)
def test_planted_files_are_refused(hub: HubDouble, run: Path, base: str, planted: dict[str, bytes], why: str) -> None:
    push_run(run, base)
    hub.put("owner/voices", planted)
    with pytest.raises(HyperBridgeError, match=why):
        HyperBridge.from_pretrained("owner/voices")


def test_planted_code_never_runs(hub: HubDouble, run: Path, base: str, tiny_base: Path, tmp_path: Path) -> None:
    push_run(run, base)
    trace = tmp_path / "trace"
    code = f"open({str(trace)!r}, 'w').write('run')".encode()
    hub.put("owner/voices", dict.fromkeys(("modeling_evil.py", "registers/poet/__init__.py", "setup.py"), code))
    HyperBridge.from_pretrained("owner/voices")
    config = json.loads((tiny_base / "config.json").read_text())
    config |= {"auto_map": {"AutoModelForCausalLM": "modeling_evil.Evil", "AutoConfig": "modeling_evil.Evil"}}
    hub.put("owner/base", {"config.json": json.dumps(config).encode(), "modeling_evil.py": code})
    with pytest.raises(HyperBridgeError, match=r"names code to be loaded \(auto_map\)"):
        HyperBridge.from_pretrained("owner/voices", base="owner/base")
    assert not trace.exists()


def test_a_register_alone_is_plain_peft(hub: HubDouble, run: Path, base: str, tiny_base: Path, tmp_path: Path) -> None:
    with staged_register(run, "поэтический", "owner/poet", base=base) as staged:
        push(staged, Destination("owner/poet"))
    files = hub.files("owner/poet")
    assert sorted(files) == [
        "README.md",
        "adapter_config.json",
        "adapter_model.safetensors",
        "register.json",
        "training.json",
    ]
    assert ModelCard(files["README.md"].decode()).data.library_name == "peft"
    alone = tmp_path / "alone"
    alone.mkdir()
    for name, content in files.items():
        (alone / name).write_bytes(content)
    program = (
        "import sys; sys.modules['hyperbridge'] = None\n"
        "from transformers import AutoModelForCausalLM; from peft import PeftModel\n"
        f"base = AutoModelForCausalLM.from_pretrained({str(tiny_base)!r})\n"
        f"model = PeftModel.from_pretrained(base, {str(alone)!r})\n"
        "print(model.peft_config['default'].r)\n"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.split()[-1] == "4"


def test_the_commands_show_what_they_do(hub: HubDouble, run: Path, base: str, tmp_path: Path) -> None:
    tool = CliRunner()
    dry = tool.invoke(app, ["push", str(run), "owner/voices", "--base", base, "--dry-run"])
    assert dry.exit_code == 0
    assert "adapter_model.safetensors" in dry.stdout
    assert "# voices" in dry.stdout
    assert ("models", "owner/voices") not in hub.repositories
    done = tool.invoke(app, ["push", str(run), "owner/voices", "--base", base])
    commit = hub.repositories["models", "owner/voices"].refs["main"]
    assert f"{constants.ENDPOINT}/owner/voices at commit {commit}" in done.stdout
    branch = tool.invoke(app, ["push", str(run), "owner/voices@v2", "--base", base])
    assert "hyperbridge speak owner/voices@v2 SCENE" in branch.stdout
    alone = tool.invoke(app, ["push", str(run), "owner/poet", "-r", "poet", "--base", base])
    commit = hub.repositories["models", "owner/poet"].refs["main"]
    assert f'PeftModel.from_pretrained(base, "owner/poet", revision="{commit}")' in alone.stdout
    fetched = tool.invoke(app, ["pull", "owner/voices", "-r", "poet", "-o", str(tmp_path / "got")])
    assert fetched.stdout.strip() == str(tmp_path / "got")
    again = tool.invoke(app, ["pull", "owner/voices", "-o", str(tmp_path / "got")])
    assert "is there already" in str(again.exception)
