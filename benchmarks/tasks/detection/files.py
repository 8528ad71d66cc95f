"""The files of a data set, in a folder or in a .tar that is read where it lies and never unpacked."""

from __future__ import annotations

import difflib
import tarfile
from pathlib import Path, PurePosixPath
from typing import Final, Protocol

from searchspaces.errors import InputError

_LOOKED_AT: Final = 10_000


class FileTree(Protocol):
    """Files by their paths relative to the top, with slashes, sorted; hidden ones are not there."""

    @property
    def place(self) -> str:
        """How errors call it."""
        ...

    @property
    def names(self) -> tuple[str, ...]: ...

    def __contains__(self, name: str) -> bool: ...

    def read(self, name: str) -> bytes:
        """The content of one of `names`."""
        ...


class FolderTree:
    """A folder and all below it."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.place = str(root)
        found = (file.relative_to(root) for file in root.rglob("*") if file.is_file())
        self._known = frozenset(file.as_posix() for file in found if not _is_hidden(file.parts))
        self.names = tuple(sorted(self._known))

    def __contains__(self, name: str) -> bool:
        return name in self._known

    def read(self, name: str) -> bytes:
        try:
            return (self._root / name).read_bytes()
        except OSError as error:
            raise InputError(f"{self._root / name}: cannot be read ({error.strerror}); check the file.") from error


class TarTree:
    """An uncompressed .tar; members that are no plain files, or lead out of it, do not count."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.place = str(path)
        try:
            with tarfile.open(path, "r:") as archive:
                files = {PurePosixPath(member.name): member for member in archive if member.isfile()}
        except (tarfile.TarError, OSError, EOFError, ValueError) as error:
            raise InputError(
                f"path: expected a folder or an uncompressed .tar, got {str(path)!r} ({error}); unpack it and give the"
                " folder."
            ) from error
        self._spans = {
            name.as_posix(): (member.offset_data, member.size)
            for name, member in files.items()
            if not _is_hidden(name.parts) and not name.is_absolute() and not member.issparse()
        }
        self.names = tuple(sorted(self._spans))

    def __contains__(self, name: str) -> bool:
        return name in self._spans

    def read(self, name: str) -> bytes:
        start, size = self._spans[name]
        try:
            with self._path.open("rb") as stream:
                stream.seek(start)
                data = stream.read(size)
        except OSError as error:
            raise InputError(f"{self._path}: cannot be read ({error.strerror}); check the file.") from error
        if len(data) != size:
            raise InputError(f"{self._path}: expected {size} bytes of {name}, got {len(data)}; fetch it again.")
        return data


def open_tree(path: str | Path, option: str = "path") -> FileTree:
    """The files of a folder or a .tar."""
    if not isinstance(path, (str, Path)) or not str(path):
        raise InputError(f"{option}: expected a path, got {path!r}; give the place of the data.")
    found = Path(path).expanduser()
    if found.is_dir():
        return FolderTree(found)
    if found.is_file():
        return TarTree(found)
    raise InputError(f"{option}: expected a folder or a .tar, got {str(path)!r} (nothing there); check the spelling.")


def require(tree: FileTree, name: str, where: str) -> str:
    """`name`, if the tree has it; `where` is the file and row that ask for it."""
    if name in tree:
        return name
    near = difflib.get_close_matches(name, tree.names[:_LOOKED_AT], n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else "add it, or say where the pictures are."
    raise InputError(f"{where}: expected the picture {name!r} in {tree.place!r}, which has no such file; {hint}")


def _is_hidden(parts: tuple[str, ...]) -> bool:
    return any(part.startswith(".") for part in parts)
