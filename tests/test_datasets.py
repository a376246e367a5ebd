"""Data sets: IDX files, folders of images, MNIST from files and from OpenML."""

import builtins
import gzip
import os
import tracemalloc
import urllib.error
import zlib
from concurrent.futures import ThreadPoolExecutor, wait

import numpy as np
import pytest
import sklearn.datasets
from numpy.testing import assert_array_equal
from sklearn.datasets._openml import OpenMLError
from sklearn.metrics import pairwise_distances_argmin

from cymlp.datasets import _idx, _mnist, fetch_mnist, load_idx, load_image_folder
from idx import idx_bytes, idx_header, small_mnist, write

DTYPES = {
    0x08: np.uint8,
    0x09: np.int8,
    0x0B: np.int16,
    0x0C: np.int32,
    0x0D: np.float32,
    0x0E: np.float64,
}
SHAPES = [(0,), (1,), (7,), (3, 4), (2, 0, 3), (2, 3, 4), (2, 1, 3, 2), (1,) * 32]
PARTS = {
    "train-images-idx3-ubyte": "X_train",
    "train-labels-idx1-ubyte": "y_train",
    "t10k-images-idx3-ubyte": "X_test",
    "t10k-labels-idx1-ubyte": "y_test",
}


def random_array(dtype, shape):
    rng = np.random.default_rng(0)
    if np.issubdtype(dtype, np.floating):
        return rng.normal(size=shape).astype(dtype)
    limits = np.iinfo(dtype)
    return rng.integers(limits.min, limits.max, size=shape, dtype=dtype, endpoint=True)


# load_idx


@pytest.mark.parametrize("compress", [bytes, gzip.compress], ids=["plain", "gzipped"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", DTYPES.values())
def test_idx_of_every_dtype_and_rank(tmp_path, dtype, shape, compress):
    wanted = random_array(dtype, shape)
    array = load_idx(write(tmp_path / "data", compress(idx_bytes(wanted))))
    assert array.dtype == dtype
    assert array.dtype.isnative
    assert array.flags.c_contiguous
    assert array.flags.aligned
    assert array.flags.writeable
    assert array.shape == shape
    assert_array_equal(array, wanted)
    array[...] = 1


def test_idx_of_extreme_values(tmp_path):
    for dtype in (np.int16, np.int32):
        wanted = np.array([np.iinfo(dtype).min, -1, 0, 1, np.iinfo(dtype).max], dtype)
        assert_array_equal(load_idx(write(tmp_path / "ints", idx_bytes(wanted))), wanted)
    for dtype in (np.float32, np.float64):
        wanted = np.array([-np.inf, -0.0, np.finfo(dtype).tiny, np.nan], dtype)
        array = load_idx(write(tmp_path / "floats", idx_bytes(wanted)))
        assert_array_equal(array, wanted)
        assert np.signbit(array[1])


@pytest.mark.parametrize("n", [-1, 0, 1])
def test_idx_is_read_in_chunks(tmp_path, n):
    wanted = random_array(np.uint8, (2 * _idx._CHUNK + n,))
    path = write(tmp_path / "data", idx_header(0x08, wanted.shape) + wanted.tobytes())
    assert_array_equal(load_idx(path), wanted)


def test_idx_path_may_be_a_str_and_its_name_does_not_matter(tmp_path):
    wanted = random_array(np.uint8, (3, 2))
    plain = write(tmp_path / "plain.gz", idx_bytes(wanted))
    gzipped = write(tmp_path / "gzipped", gzip.compress(idx_bytes(wanted)))
    for path in (plain, gzipped):
        assert_array_equal(load_idx(path), wanted)
        assert_array_equal(load_idx(str(path)), wanted)


def test_idx_gzipped_in_several_members(tmp_path):
    wanted = random_array(np.int16, (40,))
    content = idx_bytes(wanted)
    members = gzip.compress(content[:30]) + gzip.compress(content[30:])
    assert_array_equal(load_idx(write(tmp_path / "data", members)), wanted)


BAD_IDX = {
    "empty": (b"", "is not an IDX file.*4 bytes.*only 0"),
    "short magic": (b"\0\0\x08", "is not an IDX file.*4 bytes.*only 3"),
    "text": (b"a,b\n1,2\n", "is not an IDX file.*two zero bytes.*61 2c"),
    "second byte": (b"\0\x01\x08\x01", "is not an IDX file.*two zero bytes.*00 01"),
    "code": (b"\0\0\x0a\x01\0\0\0\0", "is not an IDX file.*0x0A.*0x08, 0x09, 0x0B"),
    "no dimensions": (b"\0\0\x08\0\x05", "is not an IDX file.*0 dimensions"),
    "short header": (idx_header(0x08, (2, 3))[:-1], "cut short.*2 dimensions.*8 bytes.*only 7"),
    "no data": (idx_header(0x08, (2, 3)), r"cut short.*\(2, 3\).*uint8.* 6 bytes.*it has 0\."),
    "short": (idx_header(0x0C, (3,)) + bytes(11), "cut short.*int32.* 12 bytes.*it has 11"),
    "long": (idx_header(0x0D, (3,)) + bytes(13), r"longer than .*\(3,\).*float32.* 12 bytes"),
    "not empty": (idx_header(0x08, (0, 9)) + b"\0", "longer than .* 0 bytes"),
    "negative": (idx_header(0x08, (2**32 - 1,)) + bytes(9), "cut short.*4294967295 bytes.*has 9"),
    "huge": (idx_header(0x0E, (2**32 - 1,) * 3), rf"cut short.*{8 * (2**32 - 1) ** 3} bytes"),
    "2**64": (idx_header(0x08, (2**16,) * 4), rf"cut short.*{2**64} bytes.*it has 0"),
    "huge and 0": (idx_header(0x08, (0, *(2**32 - 1,) * 3)), "shape that NumPy cannot hold"),
    "255 dimensions": (idx_header(0x08, (1,) * 255) + b"\0", "shape that NumPy cannot hold"),
}


@pytest.mark.parametrize("compress", [bytes, gzip.compress], ids=["plain", "gzipped"])
@pytest.mark.parametrize("content, message", BAD_IDX.values(), ids=BAD_IDX)
def test_idx_that_is_wrong(tmp_path, content, message, compress):
    path = write(tmp_path / "wrong-file", compress(content))
    with pytest.raises(ValueError, match=f"wrong-file.*{message}"):
        load_idx(path)


def test_idx_in_a_damaged_gzip_file(tmp_path):
    content = gzip.compress(idx_bytes(random_array(np.uint8, (1000,))))
    for length in (2, 5, 10, 15, 500, len(content) - 8, len(content) - 1):
        path = write(tmp_path / "damaged-file", content[:length])
        with pytest.raises(ValueError, match=r"damaged-file.*is a damaged gzip file"):
            load_idx(path)
    wrong_sum = bytearray(content)
    wrong_sum[-8] ^= 1
    wrong_code = bytearray(content)
    wrong_code[10] |= 0b110  # a kind of block that does not exist
    for damaged in (wrong_sum, wrong_code):
        with pytest.raises(ValueError, match=r"damaged-file.*is a damaged gzip file"):
            load_idx(write(path, bytes(damaged)))


@pytest.mark.parametrize("n", [0, 1, _idx._CHUNK - 1, _idx._CHUNK])
def test_idx_whose_gzip_file_is_damaged_after_the_data(tmp_path, n):
    content = gzip.compress(idx_bytes(np.ones(n, np.uint8)))
    wrong_sum = content[:-8] + bytes([content[-8] ^ 1]) + content[-7:]
    for damaged in (wrong_sum, content[:-1], content + b"more"):
        with pytest.raises(ValueError, match=r"damaged-file.*is a damaged gzip file"):
            load_idx(write(tmp_path / "damaged-file", damaged))


@pytest.mark.parametrize("members", [1, 2])
def test_idx_that_unpacks_to_more_than_it_says_is_not_unpacked(tmp_path, monkeypatch, members):
    read = []

    class Counted(gzip.GzipFile):
        def read(self, size=-1):
            read.append(super().read(size))
            return read[-1]

    monkeypatch.setattr(gzip, "open", lambda file: Counted(fileobj=file))
    start = idx_header(0x08, (3,)) + bytes(3)
    zeros = bytes(3 * _idx._CHUNK)
    parts = [start + zeros] if members == 1 else [start, zeros]
    bomb = b"".join(gzip.compress(part) for part in parts)
    with pytest.raises(ValueError, match=r"longer than .*\(3,\).* 3 bytes"):
        load_idx(write(tmp_path / "bomb", bomb))
    assert sum(map(len, read)) == len(start) + 1


def test_idx_without_a_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_idx(tmp_path / "missing")


# load_image_folder


@pytest.fixture
def pillow():
    return pytest.importorskip("PIL.Image")


@pytest.fixture
def save(pillow, tmp_path):
    """A function that saves an array as an image file under tmp_path, and returns its path."""

    def save(name, pixels, **options):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pillow.fromarray(np.asarray(pixels)).save(path, **options)
        return path

    return save


def gray(value, shape=(2, 3)):
    return np.full(shape, value, np.uint8)


def test_image_folder(save, tmp_path):
    pixels = {
        f"{label}/{name}.png": random_array(np.uint8, (4, 6)) ^ np.uint8(10 * label + name)
        for label in (0, 1, 10)
        for name in (2, 1)
    }
    for name, image in pixels.items():
        save(name, image)
    for path in (tmp_path, str(tmp_path)):
        images, labels = load_image_folder(path)
        assert images.dtype == np.uint8
        assert images.flags.c_contiguous
        assert images.flags.writeable
        assert labels.dtype == np.int64
        assert labels.tolist() == [0, 0, 1, 1, 10, 10]
        assert_array_equal(images, [pixels[name] for name in sorted(pixels)])


def test_image_folder_is_sorted_by_name(save, tmp_path):
    for value, name in enumerate(["2/a.png", "10/b.png", "10/a.png", "10/B.png"]):
        save(name, gray(value))
    images, labels = load_image_folder(tmp_path)
    assert images[:, 0, 0].tolist() == [3, 2, 1, 0]
    assert labels.tolist() == [10, 10, 10, 2]


@pytest.mark.parametrize(
    "names, wanted",
    [
        (["cat", "dog"], ["cat", "dog"]),
        (["1", "x"], ["1", "x"]),
        (["-1", "1"], ["-1", "1"]),
        (["1.5", "2"], ["1.5", "2"]),
        (["1", "٢"], ["1", "٢"]),  # an Arabic-Indic 2
        (["1", "9" * 30], ["1", "9" * 30]),
        (["007", "010"], [7, 10]),
    ],
)
def test_labels_of_an_image_folder(save, tmp_path, names, wanted):
    for name in names:
        save(f"{name}/image.png", gray(0))
    assert load_image_folder(tmp_path)[1].tolist() == wanted


def test_image_folder_with_names_that_are_the_same_number(save, tmp_path):
    save("1/a.png", gray(1))
    save("01/a.png", gray(1))
    with pytest.raises(ValueError, match=r"same number.*\['01', '1'\]"):
        load_image_folder(tmp_path)


def test_modes_of_images(pillow, save, tmp_path):
    rgb = random_array(np.uint8, (5, 4, 3))
    save("a/0.png", rgb)
    save("a/1.png", gray(7, (5, 4)))
    save("a/2.png", np.dstack([rgb, gray(3, (5, 4))]))
    save("a/3.png", gray(1, (5, 4)) > 0)
    images, labels = load_image_folder(tmp_path, mode="RGB")
    assert images.shape == (4, 5, 4, 3)
    assert images.dtype == np.uint8
    assert_array_equal(images[0], rgb)
    assert_array_equal(images[1], np.full((5, 4, 3), 7))
    assert_array_equal(images[2], rgb)
    assert_array_equal(images[3], np.full((5, 4, 3), 255))
    assert labels.tolist() == ["a"] * 4
    images = load_image_folder(tmp_path)[0]
    assert images.shape == (4, 5, 4)
    assert_array_equal(images[0], np.asarray(pillow.fromarray(rgb).convert("L")))
    assert_array_equal(images[1], gray(7, (5, 4)))


def test_image_formats(save, tmp_path):
    save("0/a.jpg", gray(100, (8, 8)), quality=95)
    save("0/b.bmp", gray(101, (8, 8)))
    save("0/c.gif", gray(102, (8, 8)))
    images = load_image_folder(tmp_path)[0]
    assert np.abs(images[0].astype(int) - 100).max() <= 1
    assert_array_equal(images[1:], [gray(101, (8, 8)), gray(102, (8, 8))])


def test_only_formats_that_pillow_decodes_itself_are_tried(save, tmp_path, monkeypatch):
    eps = pytest.importorskip("PIL.EpsImagePlugin")
    started = []
    monkeypatch.setattr(eps, "Ghostscript", lambda *args, **kwargs: started.append(args))
    save("0/a.png", gray(1))
    save("0/b.eps", gray(2)).rename(tmp_path / "0" / "b.png")
    with pytest.raises(ValueError, match=r"Pillow cannot read .*b\.png.* PNG, .*PPM"):
        load_image_folder(tmp_path)
    assert not started


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_transparent_palettes(pillow, tmp_path, recwarn, mode):
    opaque = pillow.fromarray(random_array(np.uint8, (5, 4, 3))).quantize(64)
    (tmp_path / "0").mkdir()
    opaque.save(tmp_path / "0" / "a.png")
    opaque.save(tmp_path / "0" / "b.png", transparency=1)
    opaque.save(tmp_path / "0" / "c.png", transparency=bytes(range(64)))
    images = load_image_folder(tmp_path, mode=mode)[0]
    assert_array_equal(images, [np.asarray(opaque.convert(mode))] * 3)
    assert not recwarn.list


@pytest.mark.parametrize("name", ["a.gif", "a.png", "a.tif", "a.webp"])
def test_first_image_of_an_animation(pillow, tmp_path, name):
    path = tmp_path / "0" / name
    path.parent.mkdir()
    frames = [pillow.fromarray(gray(value, (8, 8))) for value in (10, 200)]
    options = {"lossless": True} if name == "a.webp" else {}
    frames[0].save(path, save_all=True, append_images=frames[1:], **options)
    assert_array_equal(load_image_folder(tmp_path)[0], [gray(10, (8, 8))])


def test_what_an_image_folder_skips(save, tmp_path):
    save("0/a.png", gray(1))
    write(tmp_path / "0" / ".DS_Store", b"hidden")
    write(tmp_path / ".git" / "config", b"hidden")
    write(tmp_path / "README.txt", b"beside the folders")
    images, labels = load_image_folder(tmp_path)
    assert images.shape == (1, 2, 3)
    assert labels.tolist() == [0]


def test_images_must_have_one_size(save, tmp_path):
    save("0/a.png", gray(1, (2, 3)))
    save("1/odd.png", gray(1, (5, 4)))
    with pytest.raises(ValueError, match=r"odd\.png.* 4 x 5 .*a\.png.* 3 x 2"):
        load_image_folder(tmp_path)


def test_sizes_are_compared_before_memory_is_reserved(save, tmp_path):
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


def test_image_that_changes_while_the_folder_is_read(pillow, save, tmp_path, monkeypatch):
    for name in "ab":
        save(f"0/{name}.png", gray(1))
    original, opened = pillow.open, []

    def open_image(*args, **kwargs):
        opened.append(args)
        if len(opened) == 3:  # both have been looked at; "a" is read
            save("0/b.png", gray(1, (1, 1)))
        return original(*args, **kwargs)

    monkeypatch.setattr(pillow, "open", open_image)
    with pytest.raises(ValueError, match=r"b\.png.* 1 x 1 .*a\.png.* 3 x 2"):
        load_image_folder(tmp_path)
    assert len(opened) == 4


def test_image_of_more_pixels_than_pillows_limit(pillow, save, tmp_path, monkeypatch):
    save("0/a.png", gray(1))
    save("0/large.png", gray(1, (5, 4)))
    monkeypatch.setattr(pillow, "MAX_IMAGE_PIXELS", 9)  # less than half
    with pytest.raises(ValueError, match=r"large\.png.*20 pixels.* limit of 18"):
        load_image_folder(tmp_path)
    monkeypatch.setattr(pillow, "MAX_IMAGE_PIXELS", 19)
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
def test_fifo_among_images(save, tmp_path):
    save("0/a.png", gray(1))
    fifo = tmp_path / "0" / "b.png"
    os.mkfifo(fifo)
    with ThreadPoolExecutor() as pool:
        future = pool.submit(load_image_folder, tmp_path)
        if wait([future], timeout=30).not_done:  # it waits for someone who writes
            os.close(os.open(fifo, os.O_WRONLY | os.O_NONBLOCK))
        with pytest.raises(ValueError, match=r"b\.png'? is not a regular file"):
            future.result()


@pytest.fixture
def link(tmp_path):
    """A function that makes a symbolic link under tmp_path."""

    def link(name, target):
        try:
            (tmp_path / name).symlink_to(target)
        except OSError:
            pytest.skip("symbolic links cannot be made here")

    return link


def test_links_to_images(save, link, tmp_path):
    save("0/a.png", gray(1))
    save("elsewhere", gray(2), format="PNG")
    link("0/b.png", tmp_path / "elsewhere")
    link("1", tmp_path / "0")
    images, labels = load_image_folder(tmp_path)
    assert images[:, 0, 0].tolist() == [1, 2, 1, 2]
    assert labels.tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize("target", ["b.png", "missing.png", os.devnull])
def test_links_to_no_regular_file(save, link, tmp_path, target):
    save("0/a.png", gray(1))
    link("0/b.png", target)
    with pytest.raises(ValueError, match=r"b\.png'? is not a regular file"):
        load_image_folder(tmp_path)


def test_names_that_are_not_utf_8(save, tmp_path):
    name = os.fsdecode(b"\xff")
    try:
        (tmp_path / name).mkdir()
    except OSError:
        pytest.skip("names of files are UTF-8 here")
    save(f"{name}/{name}.png", gray(1))
    images, labels = load_image_folder(tmp_path)
    assert_array_equal(images, [gray(1)])
    assert labels.tolist() == [name]
    write(tmp_path / name / f"{name}.png", b"")
    with pytest.raises(ValueError, match="Pillow cannot read ") as caught:
        load_image_folder(tmp_path)
    str(caught.value).encode()


def test_files_that_are_no_images(save, tmp_path):
    whole = save("0/a.png", random_array(np.uint8, (40, 40))).read_bytes()
    data = whole.index(b"IDAT")
    for content in (b"", b"text", whole[:20], whole[:-40], whole[: data + 8] + bytes(99)):
        write(tmp_path / "0" / "b.png", content)
        with pytest.raises(ValueError, match=r"Pillow cannot read .*b\.png"):
            load_image_folder(tmp_path)


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("name, dtype", [("a.png", np.uint16), ("a.tif", np.float32)])
def test_images_of_more_than_8_bits(save, tmp_path, name, dtype, mode):
    save(f"0/{name}", np.full((2, 3), 300, dtype))
    with pytest.raises(ValueError, match=rf"{name}.* more than 8 bits"):
        load_image_folder(tmp_path, mode=mode)


def test_image_folders_that_are_wrong(save, tmp_path):
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


@pytest.mark.parametrize("mode", ["rgb", "F", "CMYK", None, ["L"]])
def test_mode_of_image_folder_is_checked(tmp_path, mode):
    with pytest.raises(ValueError, match="mode must be"):
        load_image_folder(tmp_path, mode=mode)


def test_image_folder_without_pillow(tmp_path, monkeypatch):
    original = builtins.__import__

    def without_pillow(name, *args, **kwargs):
        if name.split(".")[0] == "PIL":
            raise ModuleNotFoundError(f"No module named {name!r}")
        return original(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_pillow)
    with pytest.raises(ImportError, match='pip install "pillow>=10"'):
        load_image_folder(tmp_path)


# fetch_mnist


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """An empty data home of scikit-learn, which is returned, and no OpenML."""

    def offline(*args, **kwargs):
        raise urllib.error.URLError("no network in tests")

    home = tmp_path / "scikit_learn_home"
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(home))
    monkeypatch.setattr(sklearn.datasets, "fetch_openml", offline)
    return home


def first_pixel(*args, **kwargs):
    return fetch_mnist(*args, **kwargs).X_train[0, 0]


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
@pytest.mark.parametrize(
    "compress, end", [(bytes, ""), (gzip.compress, ".gz")], ids=["plain", "gzipped"]
)
def test_mnist_from_files(nowhere, tmp_path, name, compress, end):
    wanted = small_mnist(tmp_path / name, 3, compress, end)
    data = fetch_mnist(name, data_home=tmp_path)
    assert isinstance(data, sklearn.utils.Bunch)
    assert set(data) == {*PARTS.values(), "target_names", "name", "DESCR"}
    assert_array_equal(data.X_train, wanted["X_train"].reshape(5, 6))
    assert_array_equal(data.X_test, wanted["X_test"].reshape(2, 6))
    assert_array_equal(data.y_train, wanted["y_train"])
    assert_array_equal(data.y_test, wanted["y_test"])
    assert data.X_train.dtype == data.X_test.dtype == np.uint8
    assert data.y_train.dtype == data.y_test.dtype == np.int64
    assert data.name == name
    assert len(data.target_names) == 10
    assert data.target_names[9] == ("9" if name == "mnist" else "Ankle boot")
    assert str(tmp_path / name) in data.DESCR


def test_mnist_is_looked_for_in_order(nowhere, tmp_path):
    given = tmp_path / "given"
    small_mnist(nowhere / "mnist", 1)
    assert first_pixel() == first_pixel(data_home=given) == 1
    small_mnist(given, 4)
    assert first_pixel() == 1
    assert first_pixel(data_home=given) == 4
    small_mnist(given / "mnist", 5)
    assert first_pixel(data_home=given) == first_pixel(data_home=str(given)) == 5
    (given / "mnist" / "t10k-labels-idx1-ubyte").unlink()
    assert first_pixel(data_home=given) == 4


def test_mnist_may_be_gzipped_in_part(nowhere, tmp_path):
    small_mnist(tmp_path, 1)
    labels = tmp_path / "t10k-labels-idx1-ubyte"
    write(tmp_path / f"{labels.name}.gz", gzip.compress(labels.read_bytes()))
    labels.unlink()
    assert first_pixel(data_home=tmp_path) == 1


def test_mnist_is_not_taken_for_fashion_mnist(nowhere, tmp_path, monkeypatch):
    small_mnist(tmp_path / "mnist", 1)
    small_mnist(tmp_path / "FASHION-MNIST", 2)
    assert first_pixel(data_home=tmp_path / "mnist") == 1
    assert first_pixel("fashion-mnist", data_home=tmp_path / "FASHION-MNIST") == 2
    with pytest.raises(OSError, match="could not be fetched"):
        fetch_mnist("mnist", data_home=tmp_path / "FASHION-MNIST")
    monkeypatch.chdir(tmp_path / "mnist")
    assert first_pixel(data_home=".") == 1
    with pytest.raises(OSError, match="could not be fetched"):
        fetch_mnist("fashion-mnist", data_home=".")


def test_mnist_in_the_users_home(nowhere, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    small_mnist(tmp_path / "data" / "mnist", 1)
    assert first_pixel(data_home="~/data") == 1


def test_scikit_learns_data_home_is_left_alone_if_it_is_not_needed(nowhere, tmp_path):
    small_mnist(tmp_path / "mnist", 1)
    assert first_pixel(data_home=tmp_path) == 1
    assert not nowhere.exists()


@pytest.mark.parametrize("name", ["MNIST", "mnist_784", "", None, 1])
def test_name_of_mnist_is_checked(nowhere, name):
    with pytest.raises(ValueError, match='name must be "mnist" or "fashion-mnist"'):
        fetch_mnist(name)


def test_mnist_that_is_wrong(nowhere, tmp_path):
    images, labels = (tmp_path / name for name in list(PARTS)[:2])
    small_mnist(tmp_path, 1)
    write(images, idx_bytes(random_array(np.uint8, (4, 2, 3))))
    with pytest.raises(ValueError, match=r"train-images.* 4 images.*train-labels.* 5 labels"):
        fetch_mnist(data_home=tmp_path)
    write(images, idx_bytes(random_array(np.int16, (5, 2, 3))))
    with pytest.raises(ValueError, match=r"train-images.*3 dimensions of uint8.* 3 of int16"):
        fetch_mnist(data_home=tmp_path)
    small_mnist(tmp_path, 1)
    write(labels, idx_bytes(random_array(np.uint8, (5, 2))))
    with pytest.raises(ValueError, match=r"train-labels.*1 dimensions of uint8.* 2 of uint8"):
        fetch_mnist(data_home=tmp_path)
    write(labels, b"")
    with pytest.raises(ValueError, match=r"train-labels.* is not an IDX file"):
        fetch_mnist(data_home=tmp_path)


def test_mnist_without_images(nowhere, tmp_path):
    small_mnist(tmp_path, 1)
    for name, shape in zip(list(PARTS)[2:], ((0, 2, 3), (0,)), strict=True):
        write(tmp_path / name, idx_bytes(np.empty(shape, np.uint8)))
    assert fetch_mnist(data_home=tmp_path).X_test.shape == (0, 6)


@pytest.mark.parametrize(
    "name, openml_name", [("mnist", "mnist_784"), ("fashion-mnist", "Fashion-MNIST")]
)
@pytest.mark.parametrize("data_home", [None, "cache"])
@pytest.mark.parametrize("dtype", [np.int64, np.float64])
@pytest.mark.parametrize("pandas", [True, False])
def test_mnist_from_openml(
    nowhere, tmp_path, monkeypatch, name, openml_name, data_home, dtype, pandas
):
    X = (np.arange(60_007 * 2) % 256).reshape(-1, 2)
    y = np.arange(60_007) * 7 % 10
    calls = []

    def fetch_openml(*args, **kwargs):
        calls.append((args, kwargs))
        return X.astype(dtype), y.astype(str).astype(object)

    monkeypatch.setattr(sklearn.datasets, "fetch_openml", fetch_openml)
    monkeypatch.setattr(_mnist, "find_spec", lambda name: object() if pandas else None)
    data_home = data_home and tmp_path / data_home
    data = fetch_mnist(name, data_home=data_home)
    [(args, kwargs)] = calls
    assert args == (openml_name,)
    assert kwargs == {
        "version": 1,
        "data_home": data_home,
        "return_X_y": True,
        "as_frame": False,
        "parser": "pandas" if pandas else "liac-arff",
    }
    assert_array_equal(data.X_train, X[:60_000])
    assert_array_equal(data.X_test, X[60_000:])
    assert_array_equal(data.y_train, y[:60_000])
    assert_array_equal(data.y_test, y[60_000:])
    for part in PARTS.values():
        assert data[part].dtype == (np.uint8 if part.startswith("X") else np.int64)
        assert data[part].flags.c_contiguous
        assert data[part].flags.writeable
    assert openml_name in data.DESCR


def test_openml_is_not_asked_where_there_are_files(nowhere, tmp_path, monkeypatch):
    def fetch_openml(*args, **kwargs):
        raise AssertionError

    monkeypatch.setattr(sklearn.datasets, "fetch_openml", fetch_openml)
    small_mnist(tmp_path / "mnist", 1)
    assert first_pixel(data_home=tmp_path) == 1


def test_mnist_that_is_nowhere(nowhere, tmp_path):
    given = tmp_path / "given"
    small_mnist(given / "mnist", 1)
    (given / "mnist" / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(OSError, match="'mnist' is not on this machine") as caught:
        fetch_mnist(data_home=given)
    message = str(caught.value)
    assert "URLError" in message
    assert "no network in tests" in message
    assert isinstance(caught.value.__cause__, urllib.error.URLError)
    assert all(name in message for name in PARTS)
    places = [line.strip() for line in message.splitlines() if line.startswith("  ")]
    assert places == [
        f"{given / 'mnist'} (which lacks t10k-labels-idx1-ubyte)",
        str(given),
        str(nowhere / "mnist"),
    ]


@pytest.mark.parametrize(
    "error",
    [
        ConnectionResetError("reset"),
        TimeoutError("late"),
        OpenMLError("refused"),
        ValueError("md5 checksum"),
        EOFError("cut short"),
        zlib.error("damaged"),
    ],
    ids=repr,
)
def test_causes_of_openmls_failures(nowhere, monkeypatch, error):
    def fetch_openml(*args, **kwargs):
        raise error

    monkeypatch.setattr(sklearn.datasets, "fetch_openml", fetch_openml)
    with pytest.raises(OSError, match=f"{type(error).__name__}: {error}") as caught:
        fetch_mnist()
    assert caught.value.__cause__ is error


def test_scikit_learns_data_home_may_be_impossible(nowhere, tmp_path, monkeypatch):
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(write(tmp_path / "file", b"") / "home"))
    with pytest.raises(OSError, match="could not be fetched"):
        fetch_mnist(data_home=tmp_path)


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_the_real_files(name, data_home):
    data = fetch_mnist(name, data_home=data_home(name))
    assert data.X_train.shape == (60_000, 784)
    assert data.X_test.shape == (10_000, 784)
    assert data.X_train.min() == 0
    assert data.X_train.max() == 255
    # Copies of these data sets are about whose samples are in another order than the original's,
    # so nothing here depends on it.
    mean, sizes, score = {
        "mnist": (33.318, [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009], 0.80),
        "fashion-mnist": (72.940, [1000] * 10, 0.65),
    }[name]
    assert data.X_train.mean() == pytest.approx(mean, abs=0.001)
    assert np.bincount(data.y_test).tolist() == sizes
    # That images and labels belong together: the class with the nearest mean is often right.
    means = [data.X_train[data.y_train == label].mean(axis=0) for label in range(10)]
    nearest = pairwise_distances_argmin(data.X_test, means)
    assert np.mean(nearest == data.y_test) > score
