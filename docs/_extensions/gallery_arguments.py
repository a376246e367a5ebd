"""The command-line arguments of the gallery's examples, for sphinx-gallery."""


def small(gallery_conf, script_vars):
    """The small setting, which takes seconds and needs no data files."""
    return []


def full(gallery_conf, script_vars):
    """The courses' own settings, which take minutes and need MNIST and Fashion-MNIST."""
    return ["--full"]
