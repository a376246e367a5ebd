"""Formulas as MathML, which browsers render without scripts, fonts or a network."""

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.util.docutils import SphinxTranslator


def _inline(translator: SphinxTranslator, node: nodes.math) -> None:
    translator.body.append(convert(node.astext()))
    raise nodes.SkipNode


def _block(translator: SphinxTranslator, node: nodes.math_block) -> None:
    translator.body.append(f'<div class="math">{convert(node.astext(), display="block")}</div>')
    raise nodes.SkipNode


def setup(app):
    """Register "mathml" as a value of ``html_math_renderer``."""
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
