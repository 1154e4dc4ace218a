"""What lies around bp must not change what it does: a notebook's environment, the name of a file."""

import pytest


@pytest.mark.parametrize(
    "backend",
    [
        "nonsense",
        pytest.param("module://matplotlib_inline.backend_inline", marks=pytest.mark.long),
        pytest.param("module://no.such.module", marks=pytest.mark.long),
    ],
)
def test_pictures_are_drawn_whatever_the_backend(bp, tmp_path, backend):
    assert bp("train", "configs/xor.yaml", "--epochs", "2", "--run-dir", "r", "--quiet").code == 0
    for command in (("plot", "r", "-o", "loss.png"), ("report", "r", "-o", "report.html")):
        done = bp(*command, MPLBACKEND=backend)
        assert done.code == 0, done.err
        assert (tmp_path / command[-1]).stat().st_size > 1000


def test_a_trace_into_an_html_file_is_html(bp, tmp_path):
    for name, begins in (("x.html", "<!doctype html>"), ("x.HTM", "<!doctype html>"), ("x.txt", "")):
        done = bp("trace", "configs/xor.yaml", "-o", name)
        assert done.code == 0, done.err
        text = (tmp_path / name).read_text().lower()
        assert text.startswith(begins) and ("<html" in text) == bool(begins)
    assert bp("trace", "configs/xor.yaml", "-o", "plain.html", "--format", "text").code == 0
    assert "<html" not in (tmp_path / "plain.html").read_text()
