"""What pyproject.toml cannot say: kernels are built where there is a C compiler, the wheel gets configs/, and a package
index a README without links to files that it has not.

The library of kernels has no Python in it and is loaded by ctypes, so that a wheel holds for every Python version on
one kind of system.
"""

from __future__ import annotations

import runpy
from pathlib import Path
from shutil import copytree, ignore_patterns
from typing import Any

from setuptools import Distribution, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py

HERE = Path(__file__).parent
BUILD = runpy.run_path(str(HERE / "backprop_cli/engine/kernels/compiled/build.py"))
INDEX = runpy.run_path(str(HERE / "scripts/readme_for_index.py"))


class BuildWithKernelsAndConfigs(build_py):
    """The package's own files; the library of kernels beside its sources; and configs/ as backprop_cli/configs/."""

    def run(self) -> None:
        failure = BUILD["build"]()
        if failure:
            self.warn(f"bp is installed without compiled kernels and will use NumPy's: {failure}")
        super().run()
        if not self.editable_mode:
            target = Path(self.build_lib) / "backprop_cli" / "configs"
            copytree(HERE / "configs", target, dirs_exist_ok=True, ignore=ignore_patterns("__pycache__"))


class WithLibrary(Distribution):
    """Its files belong to one platform where the library is among them; auditwheel refuses it otherwise."""

    def has_ext_modules(self) -> bool:
        return BUILD["compiler"]() is not None


class ForOnePlatform(bdist_wheel):
    """`py3-none-<platform>` where the library is in the wheel, else `py3-none-any`."""

    def get_tag(self) -> Any:
        return "py3", "none", super().get_tag()[2]


setup(
    long_description=INDEX["text"](),
    long_description_content_type="text/markdown",
    distclass=WithLibrary,
    cmdclass={"build_py": BuildWithKernelsAndConfigs, "bdist_wheel": ForOnePlatform},
)
