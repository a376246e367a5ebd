"""load_image_folder: which files it reads, their order and result, and errors."""

import builtins
import os
import tracemalloc
from concurrent.futures import ThreadPoolExecutor, wait

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from cymlp.datasets import load_image_folder
from idx import write

pillow = pytest.importorskip("PIL.Image")


@pytest.fixture
def save(tmp_path):
    """A function that saves an array as an image file under tmp_path, and returns its path."""

    def save(name, pixels, **options):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pillow.fromarray(np.asarray(pixels)).save(path, **options)
        return path

    return save


@pytest.fixture
def link(tmp_path):
    """A function that makes a symbolic link under tmp_path."""

    def link(name, target):
        try:
            (tmp_path / name).symlink_to(target)
        except OSError:
            pytest.skip("symbolic links cannot be made here")

    return link


def gray(value, shape=(2, 3)):
    return np.full(shape, value, np.uint8)


def noise(*shape):
    return np.random.default_rng(0).integers(256, size=shape, dtype=np.uint8)


# What is read.

# Names that are not hidden, and valid on file systems that ignore case.
NAMES = st.text("ab019-_ é", min_size=1, max_size=3).map(str.strip).filter(bool)
FOLDERS = st.dictionaries(
    NAMES, st.dictionaries(NAMES, st.integers(0, 255), min_size=1, max_size=3), min_size=1
)


@given(FOLDERS, st.sampled_from(["L", "RGB"]), st.sampled_from([str, lambda path: path]))
@settings(max_examples=50)
def test_images_and_labels_in_the_order_of_their_names(tmp_path_factory, folders, mode, as_path):
    folders = {f"{label}a": files for label, files in folders.items()}  # numbers are tested below
    root = tmp_path_factory.mktemp("images")
    for label, files in folders.items():
        (root / label).mkdir()
        for name, value in files.items():
            pillow.fromarray(gray(value)).save(root / label / name, format="PNG")
    images, labels = load_image_folder(as_path(root), mode=mode)
    in_order = [(label, name) for label in sorted(folders) for name in sorted(folders[label])]
    assert labels.tolist() == [label for label, _ in in_order]
    assert images.shape == (len(in_order), 2, 3) + (() if mode == "L" else (3,))
    assert images.dtype == np.uint8
    assert images.flags.c_contiguous and images.flags.writeable
    for image, (label, name) in zip(images, in_order, strict=True):
        assert (image == folders[label][name]).all()


@pytest.mark.parametrize(
    "names, wanted",
    [
        (["0", "1", "10", "2"], [0, 1, 10, 2]),
        (["007", "010"], [7, 10]),
        (["9" * 18], [int("9" * 18)]),
        (["1", "9" * 19], ["1", "9" * 19]),
        (["1", "x"], ["1", "x"]),
        (["-1", "1"], ["-1", "1"]),
        (["1.5", "2"], ["1.5", "2"]),
        (["1", "٢"], ["1", "٢"]),  # an Arabic-Indic 2
    ],
)
def test_labels_are_numbers_if_all_names_are_numbers(save, tmp_path, names, wanted):
    for name in names:
        save(f"{name}/image.png", gray(0))
    labels = load_image_folder(tmp_path)[1]
    assert labels.tolist() == wanted
    assert (labels.dtype == np.int64) == isinstance(wanted[0], int)


def test_names_that_are_the_same_number(save, tmp_path):
    save("1/a.png", gray(1))
    save("01/a.png", gray(1))
    with pytest.raises(ValueError, match=r"same number.*\['01', '1'\]"):
        load_image_folder(tmp_path)


def test_color_grayscale_transparent_and_bilevel_images(save, tmp_path):
    rgb = noise(5, 4, 3)
    save("a/0.png", rgb)
    save("a/1.png", gray(7, (5, 4)))
    save("a/2.png", np.dstack([rgb, gray(3, (5, 4))]))
    save("a/3.png", gray(1, (5, 4)) > 0)
    wanted = [rgb, gray(7, (5, 4, 3)), rgb, gray(255, (5, 4, 3))]
    assert_array_equal(load_image_folder(tmp_path, mode="RGB")[0], wanted)
    wanted = [pillow.fromarray(image).convert("L") for image in wanted]
    assert_array_equal(load_image_folder(tmp_path)[0], [np.asarray(image) for image in wanted])


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_transparent_palettes(tmp_path, recwarn, mode):
    opaque = pillow.fromarray(noise(5, 4, 3)).quantize(64)
    (tmp_path / "0").mkdir()
    opaque.save(tmp_path / "0" / "a.png")
    opaque.save(tmp_path / "0" / "b.png", transparency=1)
    opaque.save(tmp_path / "0" / "c.png", transparency=bytes(range(64)))
    images = load_image_folder(tmp_path, mode=mode)[0]
    assert_array_equal(images, [np.asarray(opaque.convert(mode))] * 3)
    assert not recwarn.list


def test_formats(save, tmp_path):
    for value, name in enumerate(["a.bmp", "b.gif", "c.png", "d.ppm", "e.tif"], start=100):
        save(f"0/{name}", gray(value, (8, 8)))
    save("0/f.webp", gray(105, (8, 8)), lossless=True)
    save("0/g.jpg", gray(106, (8, 8)), quality=95)
    images = load_image_folder(tmp_path)[0].astype(int)
    assert_array_equal(images[:6, 0, 0], range(100, 106))
    assert np.ptp(images[:6], axis=(1, 2)).max() == 0
    assert np.abs(images[6] - 106).max() <= 1


def test_only_formats_decoded_by_pillow_itself_are_tried(save, tmp_path, monkeypatch):
    eps = pytest.importorskip("PIL.EpsImagePlugin")
    started = []
    monkeypatch.setattr(eps, "Ghostscript", lambda *args, **kwargs: started.append(args))
    save("0/a.png", gray(1))
    save("0/b.eps", gray(2)).rename(tmp_path / "0" / "b.png")
    with pytest.raises(ValueError, match=r"Pillow cannot read .*b\.png.* PNG, .*PPM"):
        load_image_folder(tmp_path)
    assert not started


@pytest.mark.parametrize("name", ["a.gif", "a.png", "a.tif", "a.webp"])
def test_the_first_image_of_an_animation(tmp_path, name):
    path = tmp_path / "0" / name
    path.parent.mkdir()
    frames = [pillow.fromarray(gray(value, (8, 8))) for value in (10, 200)]
    options = {"lossless": True} if name == "a.webp" else {}
    frames[0].save(path, save_all=True, append_images=frames[1:], **options)
    assert_array_equal(load_image_folder(tmp_path)[0], [gray(10, (8, 8))])


def test_hidden_files_and_files_beside_the_folders_are_skipped(save, tmp_path):
    save("0/a.png", gray(1))
    write(tmp_path / "0" / ".DS_Store", b"hidden")
    write(tmp_path / ".git" / "config", b"hidden")
    write(tmp_path / "README.txt", b"beside the folders")
    images, labels = load_image_folder(tmp_path)
    assert images.shape == (1, 2, 3)
    assert labels.tolist() == [0]


def test_links_to_images_and_to_folders(save, link, tmp_path):
    save("0/a.png", gray(1))
    save("elsewhere", gray(2), format="PNG")
    link("0/b.png", tmp_path / "elsewhere")
    link("1", tmp_path / "0")
    images, labels = load_image_folder(tmp_path)
    assert images[:, 0, 0].tolist() == [1, 2, 1, 2]
    assert labels.tolist() == [0, 0, 1, 1]


def test_names_that_are_not_utf_8(save, tmp_path):
    name = os.fsdecode(b"\xff")
    try:
        (tmp_path / name).mkdir()
    except OSError:
        pytest.skip("file names must be UTF-8 here")
    save(f"{name}/{name}.png", gray(1))
    images, labels = load_image_folder(tmp_path)
    assert_array_equal(images, [gray(1)])
    assert labels.tolist() == [name]
    write(tmp_path / name / f"{name}.png", b"")
    with pytest.raises(ValueError, match="Pillow cannot read ") as caught:
        load_image_folder(tmp_path)
    str(caught.value).encode()  # the message can be printed


# Errors.


def test_sizes_must_be_the_same(save, tmp_path):
    save("0/a.png", gray(1, (2, 3)))
    save("1/odd.png", gray(1, (5, 4)))
    with pytest.raises(ValueError, match=r"odd\.png.* 4 x 5 .*a\.png.* 3 x 2"):
        load_image_folder(tmp_path)


def test_sizes_are_compared_before_memory_is_allocated(save, tmp_path):
    save("0/a.png", gray(1, (1000, 1000)))
    small = save("1/a.png", gray(1)).read_bytes()
    for i in range(50):
        write(tmp_path / "1" / f"{i}.png", small)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=r"same size.* 3 x 2 .* 1000 x 1000"):
            load_image_folder(tmp_path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1000 * 1000


def test_an_image_that_changes_while_the_folder_is_read(save, tmp_path, monkeypatch):
    for name in "ab":
        save(f"0/{name}.png", gray(1))
    original, opened = pillow.open, []

    def open_image(*args, **kwargs):
        opened.append(args)
        if len(opened) == 3:  # both sizes are known, and "a" is being read
            save("0/b.png", gray(1, (1, 1)))
        return original(*args, **kwargs)

    monkeypatch.setattr(pillow, "open", open_image)
    with pytest.raises(ValueError, match=r"b\.png.* 1 x 1 .*a\.png.* 3 x 2"):
        load_image_folder(tmp_path)
    assert len(opened) == 4


def test_images_of_more_pixels_than_pillows_limit(save, tmp_path, monkeypatch):
    save("0/a.png", gray(1))
    save("0/large.png", gray(1, (5, 4)))
    monkeypatch.setattr(pillow, "MAX_IMAGE_PIXELS", 9)  # Pillow's own error: more than twice
    with pytest.raises(ValueError, match=r"large\.png.*20 pixels.* limit of 18"):
        load_image_folder(tmp_path)
    monkeypatch.setattr(pillow, "MAX_IMAGE_PIXELS", 19)  # where Pillow only warns
    with (
        pytest.warns(pillow.DecompressionBombWarning),
        pytest.raises(ValueError, match=r"large\.png.* 4 x 5 pixels.*MAX_IMAGE_PIXELS.* 19"),
    ):
        load_image_folder(tmp_path)
    (tmp_path / "0" / "a.png").unlink()
    for limit in (20, None):
        monkeypatch.setattr(pillow, "MAX_IMAGE_PIXELS", limit)
        assert_array_equal(load_image_folder(tmp_path)[0], [gray(1, (5, 4))])


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no FIFOs here")
def test_a_fifo(save, tmp_path):
    save("0/a.png", gray(1))
    fifo = tmp_path / "0" / "b.png"
    os.mkfifo(fifo)
    with ThreadPoolExecutor() as pool:
        future = pool.submit(load_image_folder, tmp_path)
        if wait([future], timeout=30).not_done:  # it waits for a writer: unblock it
            os.close(os.open(fifo, os.O_WRONLY | os.O_NONBLOCK))
        with pytest.raises(ValueError, match=r"b\.png'? is not a regular file"):
            future.result()


@pytest.mark.parametrize("target", ["b.png", "missing.png", os.devnull])
def test_links_to_other_than_regular_files(save, link, tmp_path, target):
    save("0/a.png", gray(1))
    link("0/b.png", target)
    with pytest.raises(ValueError, match=r"b\.png'? is not a regular file"):
        load_image_folder(tmp_path)


def test_damaged_images(save, tmp_path):
    whole = save("0/a.png", noise(40, 40)).read_bytes()
    data = whole.index(b"IDAT")
    for content in (b"", b"text", whole[:20], whole[:-40], whole[: data + 8] + bytes(99)):
        write(tmp_path / "0" / "b.png", content)
        with pytest.raises(ValueError, match=r"Pillow cannot read .*b\.png"):
            load_image_folder(tmp_path)


@pytest.mark.parametrize("name, dtype", [("a.png", np.uint16), ("a.tif", np.float32)])
def test_images_of_more_than_8_bits(save, tmp_path, name, dtype):
    save(f"0/{name}", np.full((2, 3), 300, dtype))
    for mode in ("L", "RGB"):
        with pytest.raises(ValueError, match=rf"{name}.* more than 8 bits"):
            load_image_folder(tmp_path, mode=mode)


def test_folders_without_images(save, tmp_path):
    folder = tmp_path / "folder"
    with pytest.raises(FileNotFoundError):
        load_image_folder(folder)
    folder.mkdir()
    with pytest.raises(ValueError, match=r"folder'? contains no folders of images"):
        load_image_folder(folder)
    save("folder/0/a.png", gray(1))
    with pytest.raises(ValueError, match="contains no folders of images"):
        load_image_folder(folder / "0")
    with pytest.raises(NotADirectoryError):
        load_image_folder(folder / "0" / "a.png")
    (folder / "empty").mkdir()
    with pytest.raises(ValueError, match=r"empty'?, the folder of a class, has no images"):
        load_image_folder(folder)
    save("folder/empty/deeper/a.png", gray(1))
    with pytest.raises(ValueError, match=r"deeper'? is a folder; .* only images"):
        load_image_folder(folder)


@pytest.mark.parametrize("mode", ["rgb", "CMYK", None, ["L"]])
def test_mode_is_checked(tmp_path, mode):
    with pytest.raises(ValueError, match="mode must be"):
        load_image_folder(tmp_path, mode=mode)


def test_without_pillow(tmp_path, monkeypatch):
    original = builtins.__import__

    def without_pillow(name, *args, **kwargs):
        if name.split(".")[0] == "PIL":
            raise ModuleNotFoundError(f"No module named {name!r}")
        return original(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_pillow)
    with pytest.raises(ImportError, match='pip install "pillow>=10"'):
        load_image_folder(tmp_path)
