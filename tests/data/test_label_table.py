"""label_spread.csv as Excel and others write it."""

import codecs
import unicodedata

import numpy as np
import pytest

from pfld.data.label_table import LabelTable

ROWS = {"a.png": 0.01, "Grüße/b c.png": 0.25, "d.png": None}
COMMAS = "image,source_picture,spread\n" + "".join(
    f"{name},one.jpg,{'' if spread is None else spread}\n" for name, spread in ROWS.items()
)
SEMICOLONS = COMMAS.replace(",", ";").replace("0.", "0,")


def read(folder, data):
    (folder / "label_spread.csv").write_bytes(data)
    return LabelTable(folder)


TABLES = {
    "plain": COMMAS.encode(),
    "mark": codecs.BOM_UTF8 + COMMAS.encode(),
    "Excel, German": codecs.BOM_UTF8 + SEMICOLONS.replace("\n", "\r\n").encode(),
    "Excel, German, named separator": ("sep=;\r\n" + SEMICOLONS.replace("\n", "\r\n")).encode(),
    "Excel, English, named separator": ("SEP=,\n" + COMMAS).encode("utf-8-sig"),
    "Excel's Unicode text": COMMAS.replace(",", "\t").replace("\n", "\r\n").encode("utf-16"),
    "tabs and decimal commas": SEMICOLONS.replace(";", "\t").encode(),
    "quotes": COMMAS.replace("0.01", '"0,01"').replace("a.png", '"a.png"').encode(),
    "capitals and spaces": COMMAS.replace(
        "image,source_picture", " Image, Source_Picture"
    ).encode(),
    "empty cells behind": SEMICOLONS.replace("\n", ";;\n").encode() + b";;;;\n\n",
    "old line ends": COMMAS.replace("\n", "\r").encode(),
    "Windows' paths": COMMAS.replace("/", "\\").encode(),
    "decomposed": unicodedata.normalize("NFD", COMMAS).encode(),
    "paths from the set's folder": COMMAS.replace("a.png", "WFLW_images/a.png").encode(),
}


@pytest.mark.parametrize("data", TABLES.values(), ids=TABLES)
def test_tables_are_read(tmp_path, data):
    table = read(tmp_path, data)
    for name, spread in ROWS.items():
        origin, found = table.row(f"WFLW_images/{name}")
        assert origin == "one.jpg"
        np.testing.assert_equal(found, np.nan if spread is None else spread)
    assert table.row("WFLW_images/e.png")[0] == "WFLW_images/e.png"


def test_rows_of_other_layouts_and_capitals(tmp_path):
    table = read(tmp_path, b"image,source_picture\nimages/A.JPG,one\nimages/b.jpg,two\n")
    assert table.row("images/a.jpg")[0] == "one" and table.row("images/b.jpg")[0] == "two"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"image;spread\na.png;1\n", r"csv:1: columns image and source_picture"),
        (b"", r"csv:1: columns"),
        (b"image,source_picture,spread\na,b,0,01\n", r"csv:2: 4 cells for 3 columns"),
        (b"image,spread,source_picture\na,b,1\nc,0,01,d\n", r"csv:2: spread.*csv:3: 4 cells"),
        (b"image;source_picture;spread\r\na;b;1.234,5\r\n", r"csv:2: spread is a number"),
        (b"image;source_picture;spread\r\na;b;1\r\na;b;x\r\n", r"csv:3: spread is a number"),
        (b"image,source_picture,spread\na,b,-1\n", r"csv:2: spread is a fraction"),
        (b"image,source_picture,spread\na,b,inf\n", r"csv:2: spread is a fraction"),
        (b"image;source_picture\na;\n", r"csv:2: image and source_picture"),
        ("image;source_picture\na;b\nGrüße;b\n".encode("cp1252"), r"csv:3: this is not UTF-8"),
        (b"sep=;\nimage;source_picture\n;b\n", r"csv:3: image and source_picture"),
    ],
)
def test_faults_are_named_with_their_line(tmp_path, data, message):
    with pytest.raises(ValueError, match=message) as error:
        read(tmp_path, data)
    assert "\n" not in str(error.value)
