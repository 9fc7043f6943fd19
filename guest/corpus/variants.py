"""Scenarios of the corpus for compiled programs, made from those for assembly.

A scenario that starts ``{arch}/NAME.s`` has a compiled form for each ``NAME.c`` and
``NAME.cc`` beside it and each level of optimisation: the same scene, with that one program
exchanged.  ``python -m guest.corpus.variants`` writes them; a test holds what is stored
against this.
"""

import re
from pathlib import Path

CORPUS = Path(__file__).parent
LANGUAGES = {"c": ("c", "C"), "cxx": ("cc", "C++")}
LEVELS = {"O0": "-O0", "O2": "-O2", "O2-noinline": "-O2 -fno-inline"}

_IMAGE = re.compile(r'^image = "\{arch\}/([a-z0-9_]+)\.s"$', re.MULTILINE)
_TITLE = re.compile(r'^(title  = ".*)"$', re.MULTILINE)
_DERIVED = re.compile(rf"-(?:{'|'.join(LANGUAGES)})-(?:{'|'.join(LEVELS)})$")


def compiled_variants(folder: Path) -> dict[Path, str]:
    """Give path and text of every compiled scenario in `folder`, a case or the innocents."""
    found: dict[Path, str] = {}
    for path in sorted(folder.glob("*.toml")):
        if _DERIVED.search(path.stem):
            continue
        text = path.read_text()
        for language, (suffix, title) in LANGUAGES.items():
            for level, option in LEVELS.items():
                variant = f"{language}-{level}"
                scene = _exchange(text, folder, suffix, variant)
                if scene is not None:
                    scene = _TITLE.sub(rf'\1 (in {title}, {option})"', scene)
                    found[folder / f"{path.stem}-{variant}.toml"] = scene
    return found


def _exchange(text: str, folder: Path, suffix: str, variant: str) -> str | None:
    """Let a scene start compiled programs where there are any; None if there is none."""

    def image(match: re.Match[str]) -> str:
        program = match[1]
        if not (folder / f"{program}.{suffix}").is_file():
            return match[0]
        return f'image = "build/{{arch}}/{folder.name}/{program}-{variant}.elf"'

    exchanged = _IMAGE.sub(image, text)
    return exchanged if exchanged != text else None


if __name__ == "__main__":
    for case in sorted((*CORPUS.glob("[0-9]*"), CORPUS / "innocent")):
        for path, text in compiled_variants(case).items():
            path.write_text(text)
