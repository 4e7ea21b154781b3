"""Templates to pages: HTML with every text escaped, and the same in Markdown."""

from typing import Any


def render_pages(name: str, context: dict[str, Any]) -> tuple[str, str]:
    """Render `name`.html.jinja and `name`.md.jinja of the package's templates; return both texts."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    pages = []
    for kind, escape in (("html", True), ("md", False)):
        environment = Environment(
            loader=PackageLoader("bayes_npp.reporting"),
            autoescape=escape,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )
        pages.append(environment.get_template(f"{name}.{kind}.jinja").render(context))
    html, markdown = pages
    return html, markdown
