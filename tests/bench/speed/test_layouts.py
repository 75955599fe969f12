from __future__ import annotations

import pytest

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
    with pytest.raises(UnknownLayout, match=r"layouts: embedding, many-small, .* Did you mean 'resnet50'\?"):
        find_layout("resnet-50")
