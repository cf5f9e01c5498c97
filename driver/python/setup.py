"""Builds libmattock.so with cargo and puts it into the package; MATTOCK_LIBRARY names one that is there already."""

import os
import pathlib
import shutil
import subprocess

from setuptools import Distribution, setup
from setuptools.command.build_py import build_py

CRATE = pathlib.Path(__file__).resolve().parent.parent / "capi"


class BuildWithLibrary(build_py):
    """The package's files, and the library beside them."""

    def run(self):
        super().run()
        library = os.environ.get("MATTOCK_LIBRARY") or self.compiled()
        folder = pathlib.Path(self.build_lib) / "mattock"
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(library, folder / "libmattock.so")

    @staticmethod
    def compiled():
        if not (CRATE / "Cargo.toml").exists():
            raise SystemExit(f"no sources of libmattock at {CRATE}: install from the repository, or set MATTOCK_LIBRARY")
        subprocess.run(["cargo", "build", "--release", "--lib"], cwd=CRATE, check=True)
        where = ["cargo", "metadata", "--format-version", "1", "--no-deps"]
        metadata = subprocess.run(where, cwd=CRATE, check=True, capture_output=True, text=True).stdout
        import json

        return pathlib.Path(json.loads(metadata)["target_directory"]) / "release" / "libmattock.so"


class WithLibrary(Distribution):
    """A wheel of one platform, though of any Python: there is no extension module."""

    def has_ext_modules(self):
        return True


try:
    from setuptools.command.bdist_wheel import bdist_wheel
except ImportError:
    from wheel.bdist_wheel import bdist_wheel


class AnyPython(bdist_wheel):
    def get_tag(self):
        return ("py3", "none", super().get_tag()[2])


setup(distclass=WithLibrary, cmdclass={"build_py": BuildWithLibrary, "bdist_wheel": AnyPython})
