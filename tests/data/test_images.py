"""Image files: each is read as a viewer shows it, or refused by name."""

import io
import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageFile

from fastgan.data.fit import parse_background
from fastgan.data.formats import UnreadableImageError, image_endings, pillow, skipped_note
from fastgan.data.images import ImageReader, probe

RNG = np.random.default_rng(0)


def _encoded(image, kind: str, **options) -> bytes:
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    with io.BytesIO() as file:
        image.save(file, kind, **options)
        return file.getvalue()


def _png(pixels: np.ndarray, color_type: int, *extra: tuple[bytes, bytes]) -> bytes:
    """A PNG of 16 bits a channel, which Pillow does not write in colour."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    height, width = pixels.shape[:2]
    header = struct.pack(">IIBBBBB", width, height, 16, color_type, 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), *extra, (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*c) for c in chunks)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "JPEG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_images_are_set_upright_by_their_exif_orientation(kind, orientation):
    upright = np.zeros((32, 48, 3), np.uint8)
    upright[:16, :24] = (250, 0, 0)  # a red corner, a green edge
    upright[16:, :] = (0, 250, 0)
    stored = {
        1: lambda x: x,
        2: np.fliplr,
        3: lambda x: np.rot90(x, 2),
        4: np.flipud,
        5: lambda x: x.swapaxes(0, 1),
        6: lambda x: np.rot90(x, 1),
        7: lambda x: np.rot90(x, 2).swapaxes(0, 1),
        8: lambda x: np.rot90(x, -1),
    }[orientation](upright)
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if kind == "WEBP" else {"quality": 95, "subsampling": 0} if kind == "JPEG" else {}
    content = _encoded(np.ascontiguousarray(stored), kind, exif=exif, **options)
    header = probe(content, "x")
    assert (header.height, header.width) == (32, 48)
    tolerance = 12 if kind == "JPEG" else 0  # ringing at the edges
    np.testing.assert_allclose(ImageReader().read(content, "x").astype(int), upright, atol=tolerance)


def test_an_orientation_behind_the_pixels_of_a_png_counts():
    exif = Image.Exif()
    exif[0x0112] = 6
    content = _png(np.array([[0, 65535]], np.uint16), 0, (b"eXIf", exif.tobytes()[6:]))
    header = probe(content, "x")
    assert (header.height, header.width) == (2, 1)
    assert ImageReader().read(content, "x")[..., 0].tolist() == [[0], [255]]


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP", "BMP"])
def test_a_probe_decodes_no_pixels(kind, monkeypatch):
    content = _encoded(np.zeros((5, 6, 3), np.uint8), kind)

    def load(image):
        raise AssertionError("decoded")

    monkeypatch.setattr(ImageFile.ImageFile, "load", load)
    header = probe(content, "x")
    assert (header.height, header.width) == (5, 6)


def test_damaged_exif_does_not_cost_the_image():
    content = _encoded(np.full((4, 6), 7, np.uint8), "PNG", exif=b"Exif\0\0nonsense")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert ImageReader().read(content, "x").shape == (4, 6, 1)
        assert probe(content, "x").width == 6


@pytest.mark.parametrize(("background", "color"), [("white", 255), ("black", 0), ("#0a141e", (10, 20, 30))])
@pytest.mark.parametrize("mode", ["RGBA", "PA", "P", "RGB"])
def test_transparent_images_show_the_background_and_not_their_hidden_colours(background, color, mode):
    image = Image.new("RGBA", (4, 4), (77, 88, 99, 0))
    image.paste((255, 0, 0, 255), (1, 1, 3, 3))
    options = {}
    if mode == "RGB":  # a colour that counts as transparent
        image, options = image.convert("RGB"), {"transparency": (77, 88, 99)}
    elif mode == "P":
        image = image.quantize(8)
    elif mode == "PA":
        image = image.convert("PA")
    content = _encoded(image, "PNG" if mode != "PA" else "TIFF", **options) if mode != "PA" else None
    if content is None:  # no format keeps PA: its pixels are those of RGBA
        content = _encoded(image.convert("RGBA"), "WEBP", lossless=True, exact=True)
    assert probe(content, "x").transparent
    pixels = ImageReader(background=background).read(content, "x")
    assert (pixels[0, 0] == color).all()
    assert pixels[1, 1].tolist() == [255, 0, 0]


def test_half_transparent_pixels_mix_with_the_background():
    content = _encoded(Image.new("LA", (1, 1), (100, 51)), "PNG")  # a fifth of 100 over white
    assert ImageReader().read(content, "x").tolist() == [[[224]]]


def test_grey_images_over_a_coloured_background_are_rgb():
    content = _encoded(Image.new("LA", (2, 2), (100, 0)), "PNG")
    header = probe(content, "x")
    assert ImageReader().keeps_grey(header)
    assert not ImageReader(background="#ff0000").keeps_grey(header)
    assert ImageReader(background="#ff0000").read(content, "x")[0, 0].tolist() == [255, 0, 0]
    opaque = _encoded(Image.new("L", (2, 2), 100), "PNG")
    assert ImageReader(background="#ff0000").read(opaque, "x").shape == (2, 2, 1)


@pytest.mark.parametrize("text", ["red", "#fff", "#gggggg", "", "white "])
def test_another_background_is_refused(text):
    with pytest.raises(ValueError, match=f"`background` to be white, black or #rrggbb, got '{text}'"):
        ImageReader(background=text)
    assert parse_background("#00Ff10") == (0, 255, 16)


@pytest.mark.parametrize(
    ("mode", "kind", "channels"),
    [
        ("1", "PNG", 1),
        ("L", "JPEG", 1),
        ("LA", "PNG", 1),
        ("RGB", "BMP", 3),
        ("CMYK", "JPEG", 3),
        ("CMYK", "TIFF", 3),
        ("YCbCr", "JPEG", 3),
        ("RGBA", "TGA", 3),
    ],
)
def test_every_mode_is_grey_or_rgb(mode, kind, channels):
    image = Image.fromarray(np.full((6, 7, 3), 255, np.uint8)).convert(mode)
    content = _encoded(image, kind)
    pixels = ImageReader().read(content, "x")
    assert pixels.shape == (6, 7, channels)
    assert pixels.min() == 255
    assert probe(content, "x").grey == (channels == 1)
    assert ImageReader(color="rgb").read(content, "x").shape == (6, 7, 3)
    assert ImageReader(color="grey").read(content, "x").shape == (6, 7, 1)


def test_a_palette_of_greys_is_grey():
    grey, red = Image.new("P", (2, 2)), Image.new("P", (2, 2))
    grey.putpalette([0, 0, 0, 9, 9, 9, 200, 200, 200])
    red.putpalette([0, 0, 0, 9, 0, 0])
    assert [probe(_encoded(image, "PNG"), "x").grey for image in (grey, red)] == [True, False]


def test_a_mode_that_pillow_does_not_convert_is_refused_by_name():
    lab = ImageCms.createProfile("LAB")
    image = ImageCms.profileToProfile(Image.new("RGB", (2, 2)), ImageCms.createProfile("sRGB"), lab, outputMode="LAB")
    with pytest.raises(UnreadableImageError, match=r"expected a\.tif to be an image"):
        ImageReader(color="grey").read(_encoded(image, "TIFF"), "a.tif")


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_of_several_frames_the_first_is_read(kind):
    frames = [Image.new("RGB", (8, 8), color) for color in ((255, 0, 0), (0, 255, 0))]
    content = _encoded(frames[0], kind, save_all=True, append_images=frames[1:], lossless=True)
    assert probe(content, "x").frames
    assert ImageReader(color="rgb").read(content, "x")[0, 0].tolist() == [255, 0, 0]
    assert not probe(_encoded(frames[0], kind), "x").frames


@pytest.mark.parametrize("ending", [".jfif", ".jpe", ".avif", ".webp", ".jp2", ".tga", ".pcx", ".ico", ".dib"])
def test_the_endings_beside_png_and_jpg_are_read(ending, tmp_path):
    if ending not in image_endings():
        pytest.skip(f"this Pillow does not read {ending}")
    path = tmp_path / f"x{ending}"
    Image.new("RGB", (16, 16), (200, 100, 50)).save(path, pillow().registered_extensions()[ending])
    pixels = ImageReader().read(str(path), path.name)
    np.testing.assert_allclose(pixels.astype(int), np.broadcast_to([200, 100, 50], (16, 16, 3)), atol=3)  # lossy ones


def test_a_photo_with_further_pictures_behind_it_is_a_photo(tmp_path):
    photos = [Image.new("RGB", (16, 16), color) for color in ((200, 100, 50), (0, 0, 0))]
    photos[0].save(tmp_path / "x.mpo", save_all=True, append_images=photos[1:])
    assert ".mpo" in image_endings()
    header = probe(str(tmp_path / "x.mpo"), "x.mpo")
    assert (header.mode, header.frames) == ("RGB", False)
    pixels = ImageReader().read(str(tmp_path / "x.mpo"), "x.mpo")
    np.testing.assert_allclose(pixels[8, 8].astype(int), [200, 100, 50], atol=3)  # JPEG's loss


def test_values_of_16_bits_are_scaled_from_their_range():
    levels = np.linspace(0, 4095, 1600).astype(np.uint16).reshape(40, 40)
    content = _encoded(levels, "PNG")
    assert probe(content, "x").deep == "16-bit"
    full = ImageReader().read(content, "x")
    np.testing.assert_array_equal(full[..., 0], np.rint(levels / 257))  # 0 to 65,535, as the format says
    known = ImageReader(ranges={"16-bit": (0, 4095)}).read(content, "x")
    np.testing.assert_array_equal(known[..., 0], np.rint(levels / 4095 * 255))
    with pytest.raises(UnreadableImageError, match=r"x\.png .*expected values from 0 to 1,023, .*got 0 to 4,095"):
        ImageReader(ranges={"16-bit": (0, 1023)}).read(content, "x.png")


@pytest.mark.parametrize(("dtype", "deep"), [(np.int32, "32-bit"), (np.float32, "float")])
def test_32_bits_are_scaled_from_a_range_that_is_known_and_refused_otherwise(dtype, deep):
    values = np.array([[-10, 0, 10]], dtype)
    content = _encoded(values, "TIFF")
    assert probe(content, "x").deep == deep
    reader = ImageReader(ranges={deep: (-10, 10)})
    np.testing.assert_array_equal(reader.read(content, "x"), [[[0], [128], [255]]])
    with pytest.raises(UnreadableImageError, match=f"a.tif to be an image that can be read, got one of {deep} values"):
        ImageReader().read(content, "a.tif")
    nan = _encoded(np.full((2, 2), np.nan, np.float32), "TIFF")
    with pytest.raises(UnreadableImageError, match=r"outside the range|of float values"):
        reader.read(nan, "a.tif")


def test_a_transparent_level_of_16_bits_shows_the_background():
    values = np.array([[0, 300, 65535]], np.uint16)
    content = _encoded(values, "PNG", transparency=300)
    assert ImageReader().read(content, "x")[..., 0].tolist() == [[0, 255, 255]]
    assert ImageReader(background="black").read(content, "x")[..., 0].tolist() == [[0, 0, 255]]


def test_of_16_bits_a_colour_the_upper_8_are_read():
    pixels = np.array([[[0, 256 * 7, 65535]]], np.uint16)
    assert ImageReader().read(_png(pixels, 2), "x").tolist() == [[[0, 7, 255]]]
    assert probe(_png(pixels, 2), "x").deep == "16-bit colour"
    grey = _png(np.array([[[256 * 9, 65535]]], np.uint16), 4)
    assert ImageReader().read(grey, "x").tolist() == [[[9]]]


def test_image_size_crops_about_the_centre_and_resizes():
    wide = np.zeros((10, 90), np.uint8)
    wide[:, 30:60] = 200  # wider than the crop, as resizing blurs the edges
    assert (ImageReader(image_size=4).read(_encoded(wide, "PNG"), "x") == 200).all()
    exact = RNG.integers(0, 256, (8, 8, 3), np.uint8)
    np.testing.assert_array_equal(ImageReader(image_size=8).read(_encoded(exact, "PNG"), "x"), exact)


def test_a_large_jpeg_that_is_decoded_small_looks_the_same():
    gradient = np.add.outer(np.arange(512), np.arange(512)) // 4
    content = _encoded(gradient.astype(np.uint8), "JPEG", quality=95)
    small = ImageReader(image_size=16).read(content, "x")[..., 0].astype(int)
    np.testing.assert_allclose(small, gradient.reshape(16, 32, 16, 32).mean((1, 3)), atol=2)  # JPEG's own loss


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "in no known format"),
        (b"no image", "in no known format"),
        (_encoded(RNG.integers(0, 256, (9, 9, 3), np.uint8), "PNG")[:100], "damaged or cut short"),
        (_encoded(RNG.integers(0, 256, (64, 64, 3), np.uint8), "JPEG")[:-400], "damaged or cut short"),
        (_encoded(RNG.integers(0, 256, (64, 64), np.uint8), "TIFF")[:1000], "damaged or cut short"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n", "in no known format"),
    ],
)
def test_what_is_no_image_is_refused_with_its_name_and_a_reason(content, reason):
    with pytest.raises(UnreadableImageError, match=r"expected cat/1\.png to be an image that can be read") as error:
        ImageReader().read(content, "cat/1.png")
    assert (error.value.name, error.value.reason) == ("cat/1.png", reason)
    assert "BytesIO" not in str(error.value)


def test_a_file_that_is_gone_may_not_be_read_or_is_too_large_says_so(tmp_path, monkeypatch):
    with pytest.raises(UnreadableImageError, match="that is gone"):
        ImageReader().read(str(tmp_path / "x.png"), "x.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with pytest.raises(UnreadableImageError, match="with too many pixels"):
        ImageReader().read(_encoded(np.zeros((5, 6), np.uint8), "PNG"), "x.png")

    def refuse(*arguments, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Image, "open", refuse)
    with pytest.raises(UnreadableImageError, match=r"x\.png .* that may not be read"):
        ImageReader().read(b"", "x.png")


def test_skipped_images_are_told_in_one_line():
    errors = [UnreadableImageError(f"{i}.png", reason, "") for i, reason in enumerate(["cut", "gone", "cut"])]
    assert skipped_note(errors, 2000) == "skipped 3 of 2,000 images: 2 cut, 1 gone; 0.png first"
