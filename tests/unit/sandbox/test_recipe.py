"""The image's tag follows from its inputs."""

from sandbox.recipe import Recipe, image_tag


def test_tag_is_the_same_for_the_same_inputs() -> None:
    assert image_tag(Recipe()) == image_tag(Recipe())
    assert image_tag(Recipe()).startswith("greenlight-sandbox:")


def test_packages_change_the_tag() -> None:
    tags = {image_tag(Recipe(packages=each)) for each in ((), ("numpy",), ("numpy", "pandas"), ("numpypandas",))}
    assert len(tags) == 4
