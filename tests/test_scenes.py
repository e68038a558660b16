"""A scene survives JSON, and its meaning survives the prompt form."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyperbridge import HyperBridgeError, Scene
from hyperbridge.jsonl import read_jsonl, write_jsonl
from hyperbridge.scenes import Expression

CONTRACT = (
    '{"scene":"жартишинавход","vector":[0.23,-0.56],"meta":{"Δ":"Δ41","register":"телесный","emotion":"страх",'
    '"arch":"инициация","symbol":"⟁","source":"poetry_17.txt","density":0.91},"registers":{"primary":"поэтический",'
    '"secondary":["телесный"]},"tension":0.7,"trust":"anchor","components":{"agent":"тело","act":"шаг",'
    '"field":"тишина","tone":"внутренний жар","meta":["порог"]},"mode":"ностальгия","context":"детство",'
    '"modalities":{"text":"...","sound":"...","color":"#B22222","gesture":"..."},"hyperlexeme":["жар","тишина","вход"],'
    '"span":{"source":"poetry_17.txt","start":1042,"end":1107},"next":["..."],"parent":"..."}'
)

text = st.text(max_size=12) | st.sampled_from(
    ["a;b", "в,г", "x+y", "\\", "\\n", " край ", "k=v", "<|im_end|>", "\n", "e\u2028"]
)
name = text.filter(bool)
maybe = st.none() | text
json_value = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=5,
)


@st.composite
def scene_objects(draw: st.DrawFn) -> dict:
    """JSON objects of the contract: any subset of the keys, plus keys nobody has heard of."""
    optional = {
        "vector": st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=4),
        "meta": st.fixed_dictionaries(
            {},
            optional={
                "Δ": maybe,
                "register": maybe,
                "emotion": maybe,
                "arch": maybe,
                "symbol": maybe,
                "x-мой": json_value,
            },
        ),
        "registers": st.fixed_dictionaries({}, optional={"primary": maybe, "secondary": st.lists(text, max_size=3)}),
        "tension": st.none() | st.floats(0, 1),
        "components": st.fixed_dictionaries(
            {},
            optional={"agent": maybe, "act": maybe, "field": maybe, "tone": maybe, "meta": st.lists(text, max_size=3)},
        ),
        "mode": maybe,
        "context": maybe,
        "hyperlexeme": st.lists(text, max_size=4),
        "мета": json_value,
    }
    record = draw(st.fixed_dictionaries({"scene": name}, optional=optional))
    if draw(st.booleans()):
        record["hyperlexeme"] = draw(st.lists(name, min_size=2, max_size=5))
        record["scene"] = "".join(record["hyperlexeme"])
    return record


@given(scene_objects())
def test_any_scene_survives_json(record: dict) -> None:
    line = Scene.model_validate_json(json.dumps(record, ensure_ascii=False)).to_json()
    assert json.loads(line) == record
    assert "\n" not in line


@given(scene_objects())
def test_any_scene_survives_the_prompt_form(record: dict) -> None:
    scene = Scene.model_validate(record)
    prompt = scene.prompt()
    assert Scene.from_prompt(prompt) == scene.meaning()
    assert Scene.from_prompt(prompt).prompt() == prompt
    assert len(prompt.splitlines()) == 1


@given(scene_objects())
def test_no_scene_can_smuggle_a_control_token(record: dict) -> None:
    assert "<|" not in Scene.model_validate(record).prompt()


def test_the_contract_line_is_written_back_as_it_was() -> None:
    assert json.loads(Scene.model_validate_json(CONTRACT).to_json()) == json.loads(CONTRACT)
    assert "\\u" not in Scene.model_validate_json(CONTRACT).to_json()


def test_the_prompt_form_reads_as_documented() -> None:
    assert Scene.model_validate_json(CONTRACT).prompt() == (
        "жар+тишина+вход; Δ=Δ41; agent=тело; act=шаг; field=тишина; tone=внутренний жар; meta=порог; "
        "emotion=страх; arch=инициация; symbol=⟁; mode=ностальгия; context=детство; tension=0.7"
    )


@pytest.mark.parametrize(
    ("line", "scene"),
    [
        ('{"core":"памятьжаратишина","mode":"ностальгия","context":"детство"}', "памятьжаратишина"),
        ('{"text":"жизньтишинапепел","sound":"🔥↘️🎵","color":"#B22222","gesture":"круг"}', "жизньтишинапепел"),
        ('{"scene":"шагтишинапорог","vector":[],"meta":{"emotion":"ожидание"}}', "шагтишинапорог"),
    ],
)
def test_the_shorter_forms_of_the_seeds_load(line: str, scene: str) -> None:
    loaded = Scene.model_validate_json(line)
    assert loaded.scene == scene
    assert Scene.model_validate_json(loaded.to_json()) == loaded


def test_a_written_hyperlexeme_is_a_prompt() -> None:
    scene = Scene.from_prompt("жар + тишина+вход")
    assert (scene.scene, scene.hyperlexeme) == ("жартишинавход", ("жар", "тишина", "вход"))


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        ("", "empty hyperlexeme part"),
        ("жар++вход", "empty hyperlexeme part"),
        ("жар; agent", "no '='"),
        ("жар; agnt=тело", "unknown key 'agnt'"),
        ("жар; act=шаг; act=бег", "a repeated key 'act'"),
        ("жар; tension=2", "a number from 0 to 1"),
    ],
)
def test_a_bad_prompt_says_what_is_wrong(prompt: str, message: str) -> None:
    with pytest.raises(HyperBridgeError, match=message):
        Scene.from_prompt(prompt)


def test_a_bad_line_is_named_and_the_good_lines_go_on(tmp_path) -> None:
    path = tmp_path / "сцены.jsonl"
    path.write_bytes(
        '\ufeff{"scene":"жар"}\r\n\n{"scene":\n{"scene":"тень","tension":7}\n{}\n'.encode()
        + b"\xff\xfe\n"
        + '{"scene":"дар"}'.encode()
    )
    bad: list = []
    assert [s.scene for s in read_jsonl(path, Scene, on_bad=bad.append)] == ["жар", "дар"]
    assert [line.line for line in bad] == [3, 4, 5, 6]
    assert str(bad[1]) == f"{path}:4: tension: Input should be less than or equal to 1 (found '7')"
    assert bad[3].reason == "not UTF-8 at byte 0; convert the file, for example: iconv -f cp1251 -t utf-8"
    with pytest.raises(HyperBridgeError, match=r"сцены\.jsonl:3: "):
        list(read_jsonl(path, Scene, strict=True))


def test_a_missing_file_is_the_users_error(tmp_path) -> None:
    with pytest.raises(HyperBridgeError, match="cannot be read: No such file"):
        list(read_jsonl(tmp_path / "нет.jsonl", Scene))


def test_a_failed_write_leaves_the_old_file(tmp_path) -> None:
    path = tmp_path / "scenes.jsonl"
    write_jsonl(path, [Scene(scene="жар")])

    def failing():
        yield Scene(scene="тень")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_jsonl(path, failing())
    assert path.read_text(encoding="utf-8") == '{"scene":"жар"}\n'
    assert list(tmp_path.iterdir()) == [path]


def test_an_expression_survives_json() -> None:
    line = (
        '{"scene":"Δ17","text_human":"Он стоял.","components":{"agent":"тело","meta":["порог"]},'
        '"text_alt":"🜂⟁ шаг","style":"поэтический","target":"человек"}'
    )
    assert json.loads(Expression.model_validate_json(line).to_json()) == json.loads(line)


def test_what_a_model_wrote_keeps_the_parts_that_can_be_read() -> None:
    said = "жар+вход; agent=тело; agent=дом; кто=я; tension=много; act; field=порог"
    assert Scene.from_prompt(said, lenient=True) == Scene.from_prompt("жар+вход; agent=тело; field=порог")
    with pytest.raises(HyperBridgeError, match="a repeated key 'agent'"):
        Scene.from_prompt(said)
    with pytest.raises(HyperBridgeError, match="an empty hyperlexeme part"):
        Scene.from_prompt("; agent=тело", lenient=True)
