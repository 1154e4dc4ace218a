"""What pyproject.toml cannot say: the build copies the repository's configs/ into the package."""

from pathlib import Path
from shutil import copytree, ignore_patterns

from setuptools import setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).parent


class BuildWithConfigs(build_py):
    """The package's own files, and configs/ as backprop_cli/configs/."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            target = Path(self.build_lib) / "backprop_cli" / "configs"
            copytree(HERE / "configs", target, dirs_exist_ok=True, ignore=ignore_patterns("__pycache__"))


setup(cmdclass={"build_py": BuildWithConfigs})
