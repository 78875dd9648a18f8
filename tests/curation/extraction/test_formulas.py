import pytest
from hypothesis import given
from hypothesis import strategies as st

from regraft.curation.extraction.formulas import linear, of_image, of_math, of_script, tex_formula

TEX = '<annotation encoding="application/x-tex">{\\displaystyle a&lt;b^{2}}</annotation>'


def test_mathml_becomes_the_tex_that_it_was_made_from() -> None:
    assert of_math(f"<math><semantics><mi>a</mi>{TEX}</semantics></math>") == "$a<b^{2}$"
    assert of_math(f'<math display="block"><mi>a</mi>{TEX}</math>').strip() == "$$a<b^{2}$$"


@pytest.mark.parametrize(
    ("mathml", "line"),
    [
        ("<msup><mi>x</mi><mn>2</mn></msup><mo>+</mo><mn>1</mn>", "x^2 + 1"),
        ("<mfrac><mrow><mi>a</mi><mo>-</mo><mi>b</mi></mrow><mn>2</mn></mfrac>", "(a - b)/2"),
        ("<msubsup><mi>x</mi><mi>i</mi><mrow><mi>n</mi><mi>m</mi></mrow></msubsup>", "x_i^nm"),
        ("<msqrt><mi>y</mi></msqrt><mroot><mi>z</mi><mn>3</mn></mroot>", "sqrt(y)root(z, 3)"),
        ("<mtable><mtr><mtd>1</mtd><mtd>0</mtd></mtr><mtr><mtd>0</mtd><mtd>1</mtd></mtr></mtable>", "1, 0; 0, 1"),
        ("<mi>&alpha;</mi><mspace width='1em'/><mi>b</mi>", "αb"),
        ("<mrow><mi>x</mi>", "x"),
    ],
)
def test_mathml_without_tex_becomes_a_line(mathml: str, line: str) -> None:
    assert linear(f"<math>{mathml}</math>") == line


def test_scripts_of_mathjax_are_formulas_and_others_are_not() -> None:
    assert of_script('<script type="math/tex">x_{i<3}</script>') == "$x_{i<3}$"
    assert of_script('<script type="math/tex; mode=display">\\sum x</script>').strip() == "$$\\sum x$$"
    assert of_script("<script>var x = '$1$'</script>") == ""


def test_images_are_formulas_if_they_say_so() -> None:
    assert of_image({"class": "mwe-math-fallback-image-inline", "alt": "{\\displaystyle e^{x}}"}) == "$e^{x}$"
    assert of_image({"class": "latex", "alt": "$y$"}) == "$y$"
    assert of_image({"class": "photo", "alt": "A graph"}) == of_image({"class": "math", "alt": ""}) == ""


@given(st.text())
def test_a_formula_is_one_line(tex: str) -> None:
    assert len(tex_formula(tex, block=False).splitlines()) <= 1


def test_hostile_mathml_takes_linear_time() -> None:
    assert linear("<mrow>" * 50_000 + "x" + "</mrow>" * 50_000) == "x"
