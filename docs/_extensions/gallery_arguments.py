"""Which setting the gallery's examples run in: their command lines, for sphinx-gallery."""


def small(gallery_conf, script_vars):
    """The small setting: seconds, and no data to find."""
    return []


def full(gallery_conf, script_vars):
    """The courses' own settings: minutes, with MNIST and Fashion-MNIST."""
    return ["--full"]
