from __future__ import annotations

from pathlib import Path

import keras
import pytest

from optreg.bench.speed.layout_files import InvalidLayout
from optreg.bench.speed.layouts import DEFAULT_LAYOUTS, LAYOUTS, UnknownLayout, find_layout


@pytest.mark.parametrize(
    ("name", "tensors", "parameters"),
    [
        ("one-big", 1, 33_554_432),
        # torchvision documents 25,557,032 parameters. keras.applications.ResNet50 has 25,583,592 trainable ones:
        # the same and a bias in each convolution, as many as half the batch normalization parameters, 53,120 / 2.
        ("resnet50", 161, 25_557_032),
        ("many-small", 1000, 1_000_000),
        ("embedding", 1, 64_000_000),
    ],
)
def test_a_layout_has_the_size_it_stands_for(name: str, tensors: int, parameters: int) -> None:
    layout = find_layout(name)
    assert (layout.name, layout.tensors, layout.parameters) == (name, tensors, parameters)


def test_the_kernels_of_resnet50_are_those_of_the_network() -> None:
    # Counted once from keras.applications.ResNet50(weights=None).trainable_variables.
    kernels = {(1, 1, 64, 256): 4, (1, 1, 1024, 256): 5, (3, 3, 256, 256): 6, (7, 7, 3, 64): 1, (1, 1, 512, 2048): 3}
    shapes = find_layout("resnet50").shapes
    assert {shape: shapes.count(shape) for shape in kernels} == kernels


def test_the_default_layouts_exist_and_cost_more_tensors_each() -> None:
    tensors = [LAYOUTS[name]().tensors for name in DEFAULT_LAYOUTS]
    assert tensors == sorted(tensors)


def test_a_misspelt_layout_gets_a_suggestion() -> None:
    with pytest.raises(UnknownLayout, match=r"layouts: bert-base, dozen, embedding, .* Did you mean 'resnet50'\?"):
        find_layout("resnet-50")


@pytest.mark.parametrize(
    # Published parameter counts: BertModel base uncased 109,482,240; GPT-2 small 124,439,808 with tied embeddings.
    ("name", "tensors", "parameters"),
    [("bert-base", 199, 109_482_240), ("gpt2", 148, 124_439_808), ("embedding-sparse", 1, 64_000_000)],
)
def test_a_language_model_has_its_published_size(name: str, tensors: int, parameters: int) -> None:
    layout = find_layout(name)
    assert (layout.tensors, layout.parameters) == (tensors, parameters)


def test_a_layout_is_read_from_a_file_and_from_a_saved_model(tmp_path: Path) -> None:
    file = tmp_path / "mine.json"
    file.write_text('{"shapes": [[3, 4], []], "gradient_rows": 0, "description": "my own"}')
    mine = find_layout(str(file))
    assert (mine.name, mine.shapes, mine.description) == ("mine", ((3, 4), ()), "my own")
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2), keras.layers.BatchNormalization()])
    model.save(tmp_path / "model.keras")
    assert find_layout(str(tmp_path / "model.keras")).shapes == ((3, 2), (2,), (2,), (2,))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "cannot read the layout"),
        ("[]", "a layout holds shapes"),
        ('{"shapes": [[0]]}', "lists of positive sizes"),
        ('{"shapes": [[4, 2]], "gradient_rows": 5}', "at most the rows of every variable, received 5"),
    ],
)
def test_a_file_that_is_no_layout_says_what_one_holds(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "mine.json"
    file.write_text(text)
    with pytest.raises(InvalidLayout, match=message):
        find_layout(str(file))
