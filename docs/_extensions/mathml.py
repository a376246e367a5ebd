"""Formulas as MathML, which browsers show without scripts, fonts or a network."""

from latex2mathml.converter import convert
from sphinx.util.docutils import SphinxTranslator


def _inline(translator: SphinxTranslator, node) -> None:
    translator.body.append(convert(node.astext()))


def _block(translator: SphinxTranslator, node) -> None:
    translator.body.append(f'<div class="math">{convert(node.astext(), display="block")}</div>')


def _depart(translator: SphinxTranslator, node) -> None:
    """Nothing: `convert` closes what it opens."""


def setup(app):
    app.add_html_math_renderer("mathml", (_inline, _depart), (_block, _depart))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
