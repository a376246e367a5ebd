"""Images in folders, one folder for each class."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import PIL.Image

# Formats that Pillow decodes itself. For some others it starts a program: Ghostscript for EPS.
_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM")


def load_image_folder(
    path: str | os.PathLike[str], *, mode: str = "L"
) -> tuple[NDArray[np.uint8], NDArray[Any]]:
    """Read images from a folder that contains one folder of image files for each class.

    The files may be PNG, JPEG, BMP, GIF, TIFF, WebP or PPM (also PGM and PBM), whatever their
    names. From an animation or a file of several pages, only the first image is read. All images
    must have the same size. Files and folders whose names begin with a dot are skipped, and so are
    files next to the folders of the classes. Reading needs Pillow, which the extra ``images``
    installs.

    Parameters
    ----------
    path : str or path-like
        The folder that contains the folders of the classes.
    mode : {"L", "RGB"}, default="L"
        Whether to return the images in grayscale or in colour. Transparency is dropped.

    Returns
    -------
    images : ndarray of shape (n, height, width) or (n, height, width, 3), uint8
        The images, sorted by the names of their folders and then by their own names.
    labels : ndarray of shape (n,), int64 or str
        The name of each image's folder; as a number if the names of all folders consist of
        decimal digits.

    Raises
    ------
    ImportError
        If Pillow is not installed.
    OSError
        If a folder or a file cannot be read, for instance FileNotFoundError if there is no such
        folder.
    MemoryError
        If there is not enough memory for the images.
    ValueError
        If there are no classes; if a class has no images; if something in its folder is not a
        regular file or a link to one; if a file is not an image of 8 bits per channel in one of
        these formats; if an image has more pixels than ``PIL.Image.MAX_IMAGE_PIXELS`` (about 89
        million), Pillow's guard against decompression bombs; if the sizes of images differ; or if
        the names of two folders are the same number.

    Examples
    --------
    >>> from cymlp.datasets import load_image_folder
    >>> images, labels = load_image_folder("digits/train")  # doctest: +SKIP
    >>> X = images.reshape(len(images), -1).astype("float32") / 255  # doctest: +SKIP
    """
    if mode not in ("L", "RGB"):
        raise ValueError(f'mode must be "L" or "RGB". Got {mode!r} instead.')
    try:
        import PIL.Image  # noqa: F401
    except ImportError as error:
        raise ImportError(
            'load_image_folder needs Pillow. Install it with: pip install "pillow>=10"'
        ) from error

    path = Path(path)
    folders = [entry for entry in _visible(path) if entry.is_dir()]
    if not folders:
        raise ValueError(f"{str(path)!r} contains no folders of images, one for each class.")
    files_of = {folder.name: _visible(folder) for folder in folders}
    for folder in folders:
        if not files_of[folder.name]:
            raise ValueError(f"{str(folder)!r}, the folder of a class, has no images.")

    files = [file for of_class in files_of.values() for file in of_class]
    size_of = attrgetter("size")
    first = _read_image(files[0], size_of)

    def check_size(file: Path, size: tuple[int, int]) -> None:
        if size != first:
            raise ValueError(
                f"All images must have the same size, but {str(file)!r} has "
                f"{size[0]} x {size[1]} pixels (width x height) and {str(files[0])!r} has "
                f"{first[0]} x {first[1]}."
            )

    def pixels_of(image: PIL.Image.Image) -> NDArray[np.uint8]:
        image.info.pop("transparency", None)  # Pillow would warn of dropping a palette's
        return np.asarray(image.convert(mode))

    for file in files[1:]:  # before memory is allocated for all of them
        check_size(file, _read_image(file, size_of))
    shape = (len(files), first[1], first[0])
    images = np.empty(shape if mode == "L" else (*shape, 3), np.uint8)
    for image, file in zip(images, files, strict=True):
        pixels = _read_image(file, pixels_of)
        check_size(file, pixels.shape[1::-1])  # again: the file may have changed since
        image[...] = pixels
    labels = np.repeat(_as_labels(list(files_of), path), [len(of) for of in files_of.values()])
    return images, labels


def _visible(folder: Path) -> list[Path]:
    """The entries of a folder that are not hidden, sorted by name."""
    entries = [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
    return sorted(entries, key=lambda entry: entry.name)


def _as_labels(names: list[str], path: Path) -> NDArray[Any]:
    """The names of the classes as an array (n_classes,), int64 if all are numbers that fit."""
    if not all(name.isascii() and name.isdecimal() and len(name) <= 18 for name in names):
        return np.array(names)
    labels = np.array([int(name) for name in names], np.int64)
    if len(np.unique(labels)) < len(names):
        raise ValueError(
            f"In {str(path)!r} the names of some folders are the same number, as 1 and 01 "
            f"are: {names}."
        )
    return labels


def _read_image(path: Path, get: Callable[[PIL.Image.Image], Any]) -> Any:
    """Open an image file, of which Pillow reads only the header, and return ``get(image)``."""
    import PIL.Image

    if not path.is_file():  # opening a FIFO would wait for a writer
        kind = "a folder" if path.is_dir() else "not a regular file"
        raise ValueError(f"{str(path)!r} is {kind}; the folder of a class may contain only images.")
    with open(path, "rb") as file:
        with _pillows_errors(path):
            image = PIL.Image.open(file, formats=_FORMATS)
        # Pillow would clip the pixels at 255: most of them, if they have 16 bits.
        if image.mode.startswith(("I", "F")):
            raise ValueError(
                f"{str(path)!r} has more than 8 bits per pixel (Pillow's mode {image.mode!r})."
            )
        limit = PIL.Image.MAX_IMAGE_PIXELS
        if limit is not None and image.width * image.height > limit:
            raise ValueError(
                f"{str(path)!r} has {image.width} x {image.height} pixels, more than "
                f"PIL.Image.MAX_IMAGE_PIXELS, {limit}, allows."
            )
        with _pillows_errors(path):
            return get(image)


@contextlib.contextmanager
def _pillows_errors(path: Path) -> Iterator[None]:
    """Turn any error into a ValueError: Pillow's readers raise all sorts."""
    from PIL import UnidentifiedImageError

    try:
        yield
    except UnidentifiedImageError as error:
        formats = ", ".join(_FORMATS)
        raise ValueError(
            f"Pillow cannot read {str(path)!r}: it is not one of {formats}, or is damaged."
        ) from error
    except Exception as error:
        raise ValueError(
            f"Pillow cannot read {str(path)!r}: {type(error).__name__}: {error}"
        ) from error
