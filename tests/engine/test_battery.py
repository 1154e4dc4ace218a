"""Every registered layer and loss has the gradients it claims."""

import pytest

from backprop_cli.engine import battery
from backprop_cli.registry import classes


@pytest.mark.parametrize("name", sorted(classes("layer")))
def test_layer_gradients(name: str) -> None:
    checks = list(battery.check_layer(classes("layer")[name]))
    assert checks, f"{name} brings no examples"
    assert not [check for check in checks if not check.passed]


@pytest.mark.parametrize("name", sorted(classes("loss")))
def test_loss_gradients(name: str) -> None:
    checks = list(battery.check_loss(classes("loss")[name]))
    assert checks, f"{name} brings no examples"
    assert not [check for check in checks if not check.passed]
