"""Names of version 0.1 still import, with a warning that says where they went."""

import importlib
import sys

import pytest

from pfld.moved import MOVED


@pytest.mark.parametrize("name", MOVED)
def test_a_moved_module_imports_under_its_old_name(name):
    sys.modules.pop(name, None)
    with pytest.warns(DeprecationWarning, match=f"{name} is now {MOVED[name][0]}"):
        old = importlib.import_module(name)
    for place in MOVED[name]:
        new = vars(importlib.import_module(place))
        assert all(vars(old)[key] is value for key, value in new.items() if key[:2] != "__")


def test_what_never_was_is_still_not_found():
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("pfld.runtime.nothing")
