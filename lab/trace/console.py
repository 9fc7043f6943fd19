"""What guests wrote to the log, as text."""

CONSOLE_LIMIT = 1 << 20  # bytes
CUT_MARK = "\n[console cut after 1 MiB]\n"


def decode_console(data: bytes) -> str:
    """Make text of what guests wrote; a console of over 1 MiB is cut and marked."""
    text = data[:CONSOLE_LIMIT].decode(errors="backslashreplace")
    return text + CUT_MARK if len(data) > CONSOLE_LIMIT else text
