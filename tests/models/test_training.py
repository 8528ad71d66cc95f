"""Training: configuration, batches, the flat optimiser, and that a stopped training goes on as if it had not been."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.batches import Batches
from models.fitting import TrainResult
from models.optimizer import FlatAdamW
from models.train_config import TrainConfig
from models.training import train, with_probabilities
from searchspaces.blocks import ConvBlock, DenseBlock, PoolBlock, SoftmaxBlock
from searchspaces.catalog import named_network
from searchspaces.errors import InputError
from searchspaces.spec import NetworkSpec
from searchspaces.tabnas import TabNAS

Rows = tuple[NDArray[np.float32], NDArray[np.int64]]
CONFIG = TrainConfig(epochs=4, batch_size=16, learning_rate=0.02)


def rows(count: int, seed: int) -> Rows:
    """Three classes that a small network can tell apart, but not at once."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, count)
    x = rng.normal(0, 0.6, (count, 4)).astype(np.float32)
    x[np.arange(count), y] += 1.0
    return x, y.astype(np.int64)


TRAINING, VALIDATION = rows(120, 1), rows(60, 2)


@pytest.fixture(scope="module")
def spec() -> NetworkSpec:
    space = TabNAS((4,), 3)
    return space.network(space.architecture(layers=2, width_1=16, width_2=8))


@pytest.fixture(autouse=True)
def fresh_session() -> Iterator[None]:
    yield
    keras.backend.clear_session()


def trained(spec: NetworkSpec, config: TrainConfig = CONFIG, **options: Any) -> TrainResult:
    return train(spec, TRAINING, VALIDATION, config, **({"seed": 3} | options))


def weights(result: TrainResult) -> list[NDArray[Any]]:
    return [np.asarray(value) for value in result.model.get_weights()]


def equal(first: Sequence[NDArray[Any]], second: Sequence[NDArray[Any]]) -> bool:
    return len(first) == len(second) and all(map(np.array_equal, first, second))


# -- configuration -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", 0),
        ("batch_size", 0),
        ("learning_rate", 0.0),
        ("learning_rate", -1.0),
        ("learning_rate", float("nan")),
        ("learning_rate", float("inf")),
        ("weight_decay", -0.1),
        ("weight_decay", float("inf")),
        ("warmup", 1.0),
        ("warmup", -0.1),
        ("patience", -1),
    ],
)
def test_config_refuses(name: str, value: Any) -> None:
    with pytest.raises(InputError, match=rf"{name}: got {value}, which no training can use"):
        TrainConfig(**{name: value})


# -- batches -----------------------------------------------------------------------------------------------------------


def images(count: int) -> Rows:
    """Every image is its number plus its pixel's place, so that what became of it can be read off."""
    place = np.arange(6 * 5).reshape(6, 5, 1)
    return (1000 * np.arange(count).reshape(-1, 1, 1, 1) + place).astype(np.float32), np.arange(count)


def epochs_of(batches: Batches, count: int) -> list[list[tuple[NDArray[Any], NDArray[Any]]]]:
    found = []
    for _ in range(count):
        found.append([batches[index] for index in range(len(batches))])
        batches.on_epoch_end()
    return found


def test_batches_are_the_same_for_the_same_seed_and_differ_by_epoch() -> None:
    x, y = images(20)
    options: dict[str, Any] = {"batch_size": 4, "seed": 5, "shift": 2, "flip": True}
    first, second = (epochs_of(Batches(x, y, **options), 3) for _ in range(2))
    for one, two in zip(first, second, strict=True):
        for (x1, y1), (x2, y2) in zip(one, two, strict=True):
            assert np.array_equal(x1, x2) and np.array_equal(y1, y2)
    orders = [np.concatenate([labels for _, labels in epoch]).tolist() for epoch in first]
    assert orders[0] != orders[1] != orders[2]
    other = epochs_of(Batches(x, y, **(options | {"seed": 6})), 1)[0]
    assert np.concatenate([labels for _, labels in other]).tolist() != orders[0]


def test_an_epoch_holds_every_row_once_less_the_short_batch() -> None:
    x, _ = rows(50, 0)
    batches = Batches(x, np.arange(50), batch_size=8, seed=0)
    assert len(batches) == 6
    for epoch in epochs_of(batches, 2):
        found = np.concatenate([labels for _, labels in epoch])
        assert len(found) == len(set(found.tolist())) == 48
        assert all(len(labels) == 8 for _, labels in epoch)
        for batch, labels in epoch:
            assert np.array_equal(batch, x[labels])


def test_fewer_rows_than_a_batch_make_one_batch() -> None:
    x, y = rows(5, 0)
    assert len(Batches(x, y, batch_size=32, seed=0)) == 1


def test_a_training_that_goes_on_sees_the_later_epochs() -> None:
    x, y = images(12)
    options: dict[str, Any] = {"batch_size": 4, "seed": 5, "shift": 1, "flip": True}
    whole = epochs_of(Batches(x, y, **options), 4)
    batches = Batches(x, y, **options)
    batches.begin(2)
    late = epochs_of(batches, 2)
    for one, two in zip(whole[2:], late, strict=True):
        assert all(np.array_equal(x1, x2) for (x1, _), (x2, _) in zip(one, two, strict=True))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 3), st.booleans(), st.integers(0, 10**6))
def test_augmentation_moves_each_image_by_no_more_than_the_shift(shift: int, flip: bool, seed: int) -> None:
    x, y = images(8)
    batch, labels = Batches(x, y, batch_size=8, seed=seed, shift=shift, flip=flip)[0]
    padded = np.pad(x, ((0, 0), (shift, shift), (shift, shift), (0, 0)), mode="edge")
    offsets = [(top, left) for top in range(2 * shift + 1) for left in range(2 * shift + 1)]
    for image, label in zip(batch, labels, strict=True):
        moved = [padded[label, top : top + 6, left : left + 5] for top, left in offsets]
        mirrored = [each[:, ::-1] for each in moved] if flip else []
        assert any(np.array_equal(image, each) for each in [*moved, *mirrored])


def test_augmentation_reaches_both_ends() -> None:
    x, y = images(400)
    batch, labels = Batches(x, y, batch_size=400, seed=0, shift=1)[0]
    corners = (batch[:, 2, 2, 0] - 1000 * labels).astype(int)
    assert set(corners.tolist()) == {5 * row + column for row in (1, 2, 3) for column in (1, 2, 3)}
    batch, labels = Batches(x, y, batch_size=400, seed=0, flip=True)[0]
    mirrored = batch[:, 0, 0, 0] > batch[:, 0, 4, 0]
    # Even odds: within 5 standard deviations of half.
    assert abs(mirrored.mean() - 0.5) < 5 * 0.5 / np.sqrt(400)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 3), st.booleans(), st.integers(0, 10**6))
def test_all_frames_of_a_clip_are_changed_alike(shift: int, flip: bool, seed: int) -> None:
    pictures, _ = images(24)
    clips = pictures.reshape(8, 3, 6, 5, 1)
    batch, labels = Batches(clips, np.arange(8), batch_size=8, seed=seed, shift=shift, flip=flip)[0]
    assert batch.shape == clips.shape
    padded = np.pad(clips, ((0, 0), (0, 0), (shift, shift), (shift, shift), (0, 0)), mode="edge")
    offsets = [(top, left) for top in range(2 * shift + 1) for left in range(2 * shift + 1)]
    for clip, label in zip(batch, labels, strict=True):
        moved = [padded[label, :, top : top + 6, left : left + 5] for top, left in offsets]
        mirrored = [each[:, :, ::-1] for each in moved] if flip else []
        assert any(np.array_equal(clip, each) for each in [*moved, *mirrored])


def test_tables_are_not_augmented_and_the_data_is_left_alone() -> None:
    x, _ = rows(16, 0)
    batch, labels = Batches(x, np.arange(16), batch_size=16, seed=0, shift=3, flip=True)[0]
    assert np.array_equal(batch, x[labels])
    pictures, numbers = images(4)
    before = pictures.copy()
    epochs_of(Batches(pictures, numbers, batch_size=4, seed=0, shift=2, flip=True), 2)
    assert np.array_equal(pictures, before)


def test_bytes_become_floats() -> None:
    x = np.full((4, 2, 2, 1), 200, dtype=np.uint8)
    batch, _ = Batches(x, np.arange(4), batch_size=2, seed=0)[0]
    assert batch.dtype == np.float32
    assert (batch == 200).all()


# -- the optimiser -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("decay", [0.0, 0.05])
@pytest.mark.parametrize("scheduled", [False, True])
def test_flat_adamw_gives_the_numbers_of_keras(decay: float, scheduled: bool) -> None:
    """Ten steps of both on the same gradients; Keras's own spares the vectors from decay by name."""
    rng = np.random.default_rng(0)
    shapes = [(5, 7), (7,), (3, 3, 2, 4), (4,), (), (1, 1)]
    start = [rng.normal(size=shape).astype(np.float32) for shape in shapes]

    def variables() -> list[keras.Variable]:
        return [keras.Variable(value, name=f"v{index}_{value.ndim}d") for index, value in enumerate(start)]

    def rate() -> Any:
        return keras.optimizers.schedules.CosineDecay(0.02, decay_steps=10) if scheduled else 0.02

    ours, theirs = variables(), variables()
    flat, own = FlatAdamW(rate(), decay=decay), keras.optimizers.AdamW(rate(), weight_decay=decay)
    own.exclude_from_weight_decay(var_names=["_0d", "_1d"])
    flat.build(ours)
    own.build(theirs)
    for _ in range(10):
        gradients = [rng.normal(size=shape).astype(np.float32) for shape in shapes]
        flat.apply([keras.ops.convert_to_tensor(each) for each in gradients], ours)
        own.apply([keras.ops.convert_to_tensor(each) for each in gradients], theirs)
    for mine, reference, before in zip(ours, theirs, start, strict=True):
        np.testing.assert_allclose(np.asarray(mine.value), np.asarray(reference.value), rtol=0, atol=1e-6)
        assert not np.allclose(np.asarray(mine.value), before)
    assert int(flat.iterations) == 10


def test_flat_adamw_decays_matrices_but_no_vectors() -> None:
    matrix, vector = keras.Variable(np.ones((2, 2), np.float32)), keras.Variable(np.ones(2, np.float32))
    optimizer = FlatAdamW(0.1, decay=0.5)
    optimizer.build([matrix, vector])
    zeros = [keras.ops.zeros((2, 2)), keras.ops.zeros((2,))]
    optimizer.apply(zeros, [matrix, vector])
    assert np.asarray(matrix.value) == pytest.approx(0.95)
    assert np.asarray(vector.value) == pytest.approx(1.0)


# -- training ----------------------------------------------------------------------------------------------------------


def test_a_small_network_learns(spec: NetworkSpec) -> None:
    result = trained(spec, TrainConfig(epochs=8, batch_size=16, learning_rate=0.02))
    # Guessing gives a third; six standard deviations above that on 60 rows is 0.70.
    assert result.metrics["accuracy"] > 0.70
    assert (result.epochs, result.stopped) == (8, "done")
    assert len(result.history["loss"]) == 8
    assert result.history["loss"][-1] < result.history["loss"][0]
    assert result.metrics["accuracy"] == max(result.history["val_accuracy"])


def test_the_model_holds_the_weights_of_its_best_epoch(spec: NetworkSpec) -> None:
    result = trained(spec)
    logits = np.asarray(result.model(VALIDATION[0]))
    assert np.mean(logits.argmax(axis=1) == VALIDATION[1]) == pytest.approx(result.metrics["accuracy"], abs=1e-6)


def test_probabilities_are_those_of_the_trained_logits(spec: NetworkSpec) -> None:
    result = trained(spec, TrainConfig(epochs=1))
    logits = np.asarray(result.model(VALIDATION[0]), dtype=np.float64)
    whole = np.asarray(with_probabilities(spec, result.model)(VALIDATION[0]))
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(whole, expected, atol=1e-6)


def test_one_seed_one_result(spec: NetworkSpec) -> None:
    np.random.seed(1)
    keras.utils.set_random_seed(1)
    first = trained(spec)
    keras.utils.set_random_seed(2)
    second, third = trained(spec), trained(spec, seed=4)
    assert equal(weights(first), weights(second))
    assert first.history == second.history
    assert not equal(weights(first), weights(third))


class Stop(Exception):
    """Stands for a kill."""


def interrupted(spec: NetworkSpec, folder: Path, after: int, config: TrainConfig = CONFIG, **options: Any) -> None:
    """Train until epoch `after` has ended and been saved, and in the one after that lose the process."""

    def on_epoch(epoch: int, figures: Mapping[str, float]) -> bool:
        if epoch > after:
            raise Stop
        return True

    with pytest.raises(Stop):
        trained(spec, config, checkpoint=folder, on_epoch=on_epoch, **options)


@pytest.mark.parametrize("after", [1, 3])
def test_an_interrupted_training_ends_as_the_uninterrupted_one(spec: NetworkSpec, tmp_path: Path, after: int) -> None:
    whole = trained(spec)
    interrupted(spec, tmp_path, after)
    seen: list[int] = []

    def on_epoch(epoch: int, figures: Mapping[str, float]) -> bool:
        seen.append(epoch)
        return True

    resumed = trained(spec, checkpoint=tmp_path, on_epoch=on_epoch)
    assert seen == list(range(after + 1, 5))
    assert equal(weights(resumed), weights(whole))
    assert (resumed.metrics, resumed.epochs, resumed.stopped) == (whole.metrics, whole.epochs, whole.stopped)
    assert resumed.history == whole.history


def test_images_with_dropout_and_augmentation_go_on_the_same_too(tmp_path: Path) -> None:
    blocks = (
        ConvBlock(name="conv", filters=4, kernel=3, stride=2, activation="relu"),
        PoolBlock(),
        DenseBlock(name="hidden", units=8, activation="relu", dropout=0.5),
        DenseBlock(name="classifier", units=3),
        SoftmaxBlock(),
    )
    spec = NetworkSpec(name="image", input_shape=(8, 8, 1), blocks=blocks)
    rng = np.random.default_rng(0)
    data = rng.integers(0, 255, (48, 8, 8, 1), dtype=np.uint8), rng.integers(0, 3, 48)
    config = TrainConfig(epochs=2, batch_size=16)
    options: dict[str, Any] = {"seed": 1, "shift": 1, "flip": True}
    whole = train(spec, data, data, config, **options)

    def on_epoch(epoch: int, figures: Mapping[str, float]) -> bool:
        if epoch > 1:
            raise Stop
        return True

    with pytest.raises(Stop):
        train(spec, data, data, config, checkpoint=tmp_path, on_epoch=on_epoch, **options)
    assert equal(weights(train(spec, data, data, config, checkpoint=tmp_path, **options)), weights(whole))


def test_a_finished_training_is_taken_from_its_checkpoint(spec: NetworkSpec, tmp_path: Path) -> None:
    first = trained(spec, checkpoint=tmp_path)
    again = trained(spec, checkpoint=tmp_path, on_epoch=lambda epoch, figures: pytest.fail("it trained again"))
    assert equal(weights(first), weights(again))
    assert (again.metrics, again.epochs, again.history) == (first.metrics, 4, first.history)


def test_patience_is_not_renewed_by_an_interruption(spec: NetworkSpec, tmp_path: Path) -> None:
    """With a learning rate of nothing no epoch beats the first."""
    config = TrainConfig(epochs=9, batch_size=16, learning_rate=1e-12, weight_decay=0.0, patience=3)
    whole = trained(spec, config)
    assert (whole.epochs, whole.stopped) == (4, "patience")
    interrupted(spec, tmp_path, 2, config)
    resumed = trained(spec, config, checkpoint=tmp_path)
    assert (resumed.epochs, resumed.stopped) == (4, "patience")
    again = trained(spec, config, checkpoint=tmp_path)
    assert (again.epochs, again.stopped) == (4, "patience")


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 cut off"])
def test_a_damaged_checkpoint_is_refused_and_kept(spec: NetworkSpec, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "training.npz").write_bytes(content)
    with pytest.raises(InputError, match=r"training.npz: expected the checkpoint of this training.*remove the file"):
        trained(spec, checkpoint=tmp_path)
    assert (tmp_path / "training.npz").read_bytes() == content


def test_a_checkpoint_of_other_widths_is_refused(spec: NetworkSpec, tmp_path: Path) -> None:
    trained(spec, TrainConfig(epochs=1), checkpoint=tmp_path)
    space = TabNAS((4,), 3)
    other = space.network(space.architecture(layers=2, width_1=24, width_2=8))
    with pytest.raises(InputError, match="expected the checkpoint of this"):
        trained(other, checkpoint=tmp_path)


def test_the_time_limit_ends_it_within_an_epoch(spec: NetworkSpec) -> None:
    result = trained(spec, TrainConfig(epochs=10**6, batch_size=16), time_limit_s=0.0)
    assert (result.stopped, result.epochs) == ("time limit", 1)


def test_a_loss_that_is_no_number_ends_it(spec: NetworkSpec) -> None:
    x = np.full((32, 4), 3e38, dtype=np.float32)
    result = train(spec, (x, TRAINING[1][:32]), VALIDATION, CONFIG, seed=0)
    assert (result.stopped, result.epochs) == ("nan", 1)


def test_the_caller_can_end_it(spec: NetworkSpec) -> None:
    result = trained(spec, on_epoch=lambda epoch, figures: epoch < 2)
    assert (result.stopped, result.epochs) == ("caller", 2)


def test_detectors_are_no_classifiers() -> None:
    spec = named_network("mobiledet-cpu", (64, 64, 3), 3).spec
    pictures = np.zeros((4, 64, 64, 3), dtype=np.float32), np.zeros(4, dtype=np.int64)
    with pytest.raises(InputError, match=r"expected one output to train a classifier, got boxes, scores; detectors"):
        train(spec, pictures, pictures, CONFIG)
