"""What the hashed linear classifier promises: it learns, it is stored whole, it is the same twice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hyperbridge.corpus.text_classifier import TextClassifier, calibrate, features, fit
from hyperbridge.errors import HyperBridgeError

SEA = ["волна бьёт о берег", "берег и прибой", "парус над волной", "прибой поёт у берега"]
WOOD = ["тропа вела в чащу", "чаща и мох", "мох под старой елью", "ель у лесной тропы"]
TEXTS = [features(text) for text in SEA + WOOD]
TARGETS = np.array([[1, 0]] * 4 + [[0, 1]] * 4, np.float32)
UNSEEN = [features("у берега волна"), features("в чаще мох")]


@pytest.fixture(scope="module")
def two_places() -> TextClassifier:
    return fit(TEXTS, TARGETS, ["море", "лес"], kind="softmax", bits=12, about={"fitted_on": "восемь строк"})


def test_features_are_words_lemmas_pairs_of_lemmas_and_pieces_of_words_with_edges() -> None:
    found = features("Эй, волны!", ["эй", "волна"], pieces=(2, 2))
    assert found == [
        *("w эй", "w волны", "w !", "l эй", "l волна", "p эй волна"),
        *("<э", "эй", "й>", "<в", "во", "ол", "лн", "ны", "ы>", "<!", "!>"),
    ]


def test_without_lemmas_words_make_the_pairs_and_pieces_may_be_left_out() -> None:
    assert features("над тихой водой", pieces=(1, 0)) == [
        *("w над", "w тихой", "w водой", "p над тихой", "p тихой водой")
    ]


def test_softmax_tells_texts_apart_and_its_rows_sum_to_one(two_places: TextClassifier) -> None:
    chances = two_places.probabilities(UNSEEN)
    assert chances.shape == (2, 2)
    assert chances.argmax(1).tolist() == [0, 1]
    np.testing.assert_allclose(chances.sum(1), 1, rtol=1e-5)


def test_sigmoid_gives_a_text_both_labels() -> None:
    texts = [*TEXTS, features("волна бьёт о берег, мох и ель"), features("серый день")]
    targets = np.vstack([TARGETS, [[1, 1], [0, 0]]])
    classifier = fit(texts, targets, ["море", "лес"], kind="sigmoid", bits=12)
    both = classifier.probabilities([features("прибой, берег, мох и тропа")])[0]
    assert (both > classifier.thresholds).all()


def test_nothing_known_leaves_the_bias_and_no_texts_give_no_rows(two_places: TextClassifier) -> None:
    chances = two_places.probabilities([[], ["w неведомое"]])
    np.testing.assert_array_equal(chances[0], chances[1])
    assert two_places.probabilities([]).shape == (0, 2)


def test_a_batch_is_read_as_its_texts_are_one_by_one(two_places: TextClassifier) -> None:
    together = two_places.probabilities(UNSEEN)
    alone = [two_places.probabilities([text])[0] for text in UNSEEN]
    np.testing.assert_allclose(together, alone, rtol=1e-6)


def test_weights_of_features_may_be_given(two_places: TextClassifier) -> None:
    chances = two_places.probabilities([{"w берег": 3.0, "w мох": 1.0}, {"w берег": 1.0, "w мох": 3.0}])
    assert chances.argmax(1).tolist() == [0, 1]


def test_what_is_saved_is_loaded_and_fitting_twice_gives_equal_bytes(
    two_places: TextClassifier, tmp_path: Path
) -> None:
    again = fit(TEXTS, TARGETS, ["море", "лес"], kind="softmax", bits=12, about={"fitted_on": "восемь строк"})
    two_places.save(tmp_path / "first.safetensors")
    again.save(tmp_path / "second.safetensors")
    assert (tmp_path / "first.safetensors").read_bytes() == (tmp_path / "second.safetensors").read_bytes()
    loaded = TextClassifier.load(tmp_path / "first.safetensors")
    assert (loaded.labels, loaded.kind, loaded.about) == (("море", "лес"), "softmax", {"fitted_on": "восемь строк"})
    np.testing.assert_array_equal(loaded.probabilities(UNSEEN), two_places.probabilities(UNSEEN))


def test_calibrated_probabilities_come_true_and_thresholds_part_the_scores(two_places: TextClassifier) -> None:
    scores = np.array([[-3.0, 2.0], [-2.0, -1.0], [1.0, 3.0], [2.0, -4.0]], np.float32).repeat(25, 0)
    targets = np.array([[0, 1], [0, 0], [0, 1], [1, 0]], np.float32).repeat(25, 0)
    calibrated = calibrate(two_places, scores, targets)
    slopes = calibrated.scales / two_places.scales
    shifts = calibrated.biases - two_places.biases * slopes
    chances = 1 / (1 + np.exp(-(scores * slopes + shifts)))
    np.testing.assert_allclose(chances.mean(0), targets.mean(0), atol=0.01)
    assert ((chances >= np.array(calibrated.thresholds) - 1e-3) == (targets > 0)).all()


def test_a_file_that_is_no_classifier_is_named(tmp_path: Path) -> None:
    (tmp_path / "note.safetensors").write_text("нет", encoding="utf-8")
    with pytest.raises(HyperBridgeError, match=r"note\.safetensors: no text classifier"):
        TextClassifier.load(tmp_path / "note.safetensors")
    with pytest.raises(HyperBridgeError, match=r"absent\.safetensors: no text classifier"):
        TextClassifier.load(tmp_path / "absent.safetensors")


def test_a_kind_is_one_of_two() -> None:
    with pytest.raises(ValueError, match="kind 'linear' is not one of softmax, sigmoid"):
        fit(TEXTS, TARGETS, ["море", "лес"], kind="linear")
