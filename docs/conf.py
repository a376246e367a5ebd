"""The configuration of the documentation, which ``python docs/check.py`` builds.

``sphinx-build -t full`` runs the gallery's examples in the courses' own settings, with MNIST and
Fashion-MNIST; ``-t online`` links to other projects' documentation, and needs the network.
"""

import sys
from pathlib import Path

import cymlp

sys.path.insert(0, str(Path(__file__).parent / "_extensions"))

project = "cymlp"
author = "The cymlp developers"
copyright = author
version = release = cymlp.__version__

extensions = [
    "mathml",
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build"]
templates_path = ["_templates"]

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3

autosummary_generate = True
autodoc_member_order = "bysource"
toc_object_entries_show_parents = "hide"
autodoc_typehints = "none"  # the docstrings have them, with shapes
numpydoc_show_class_members = False

copybutton_prompt_text = r">>> |\.\.\. "
copybutton_prompt_is_regexp = True

html_math_renderer = "mathml"
html_theme = "pydata_sphinx_theme"
html_title = "cymlp"
html_logo = html_favicon = "_static/logo.svg"
html_context = {"default_mode": "auto"}
html_static_path = ["_static"]
html_css_files = ["cymlp.css"]
html_show_sourcelink = False
# Pages without subpages do not need a sidebar that lists them.
html_sidebars = {
    page: []
    for page in ("index", "install", "quickstart", "maths", "benchmarks", "support", "changelog")
}
html_theme_options = {
    "footer_start": ["copyright"],
    "footer_end": [],
    "header_links_before_dropdown": 6,
    "navbar_align": "left",
    "navigation_with_keys": True,
    "secondary_sidebar_items": ["page-toc"],
    "show_nav_level": 2,
}

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "ignore_pattern": r"(courses|quickstart|larger_than_memory_\w+)\.py$",
    "within_subsection_order": "FileNameSortKey",
    "backreferences_dir": "generated/backreferences",
    "doc_module": ("cymlp",),
    "reset_argv": f"gallery_arguments.{'full' if tags.has('full') else 'small'}",  # noqa: F821
    "abort_on_example_error": True,
    "download_all_examples": False,
    "remove_config_comments": True,
    "show_memory": False,
    "write_computation_times": False,
}

if tags.has("online"):  # noqa: F821
    extensions.append("sphinx.ext.intersphinx")
    intersphinx_mapping = {
        "python": ("https://docs.python.org/3", None),
        "numpy": ("https://numpy.org/doc/stable", None),
        "sklearn": ("https://scikit-learn.org/stable", None),
    }


def _skip_what_is_inherited_from_others(app, what, name, member, skip, options):
    """Leave out methods inherited from scikit-learn, which documents them."""
    return skip or not (getattr(member, "__module__", None) or "cymlp").startswith("cymlp")


def setup(app):
    app.connect("autodoc-skip-member", _skip_what_is_inherited_from_others)
