"""The image's tag follows from its inputs."""

from sandbox.image_spec import ImageSpec, image_tag


def test_tag_is_the_same_for_the_same_inputs() -> None:
    assert image_tag(ImageSpec()) == image_tag(ImageSpec())
    assert image_tag(ImageSpec()).startswith("greenlight-sandbox:")


def test_packages_change_the_tag() -> None:
    tags = {
        image_tag(ImageSpec(packages=packages)) for packages in ((), ("numpy",), ("numpy", "pandas"), ("numpypandas",))
    }
    assert len(tags) == 4
