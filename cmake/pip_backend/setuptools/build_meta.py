"""Answers pip's question for a source package's metadata without running the package's own build.

`pip download` asks the package for its name and version before it saves the archive. The package's own answer
needs a newer Python and a full build environment; only its C++ source is wanted here.
"""
import os


def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    name, version = os.environ["BIOPSY_SOURCE_NAME"], os.environ["BIOPSY_SOURCE_VERSION"]
    folder = f"{name}-{version}.dist-info"
    os.makedirs(os.path.join(metadata_directory, folder))
    with open(os.path.join(metadata_directory, folder, "METADATA"), "w", encoding="utf-8") as out:
        out.write(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    return folder


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    raise NotImplementedError("only the source is wanted")
