"""What the file of a trace is: an SQLite database of exactly these tables.

Rule 1: this is the only place that says so; a change here bumps FILE_VERSION.
Rule 2: a transaction adds whole chunks and changes nothing that is there, so that a file
whose writer was killed has everything up to its last transaction.
"""

from lab.trace.format import HASH_SIZE

APPLICATION_ID = 0x6C34_7472  # "l4tr"
FILE_VERSION = 2
MAGIC = b"SQLite format 3\0"  # (sqlite.org/fileformat2.html, 1.3)
PAGE_SIZE = 4 << 10

LONGEST_RECORD = 1 << 9  # words; no event has more
LARGEST_CHUNK = 16 << 20  # bytes, inflated
LARGEST_BLOB = 160 << 20  # stored, in a row: more than the largest program takes
LARGEST_IMAGE = 300 << 20  # inflated
LARGEST_DEBUG = 64 << 20  # inflated
LARGEST_PROGRAMS = 512 << 20  # all of both
DIGEST_LENGTH = 2 * HASH_SIZE  # of a trace hash, as text

TABLES = {
    # One row: all that a run needs but its programs, and a hash over all but the chunks.
    "head": """CREATE TABLE head (
    trace_version INTEGER NOT NULL,
    versions TEXT NOT NULL,
    scenario_name TEXT NOT NULL,
    scenario TEXT NOT NULL,
    arch TEXT NOT NULL,
    budget INTEGER NOT NULL,
    model TEXT NOT NULL,
    cpu_khz INTEGER NOT NULL,
    variation TEXT NOT NULL,
    seal TEXT NOT NULL
) STRICT""",
    # Programs: an ELF file, or the segments of an assembled one; what its addresses mean.
    "program": """CREATE TABLE program (
    number INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    form TEXT NOT NULL,
    digest TEXT NOT NULL,
    entry INTEGER NOT NULL,
    data BLOB NOT NULL,
    debug BLOB NOT NULL
) STRICT""",
    "task": """CREATE TABLE task (
    number INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    program INTEGER NOT NULL
) STRICT""",
    # What the scenario calls the kernel's objects, and which program a thread runs.
    "object": """CREATE TABLE object (
    number INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    program INTEGER
) STRICT""",
    # `kinds` and `objects` are sets of 64 bits; `digest` is the trace hash so far.
    "chunk": """CREATE TABLE chunk (
    number INTEGER PRIMARY KEY,
    first INTEGER NOT NULL,
    records INTEGER NOT NULL,
    first_cycle INTEGER NOT NULL,
    last_cycle INTEGER NOT NULL,
    first_position INTEGER NOT NULL,
    last_position INTEGER NOT NULL,
    kinds INTEGER NOT NULL,
    objects INTEGER NOT NULL,
    digest TEXT NOT NULL,
    size INTEGER NOT NULL,
    data BLOB NOT NULL
) STRICT""",
    # From which event on there was no room; the run went on without being recorded.
    "truncated": """CREATE TABLE truncated (
    sequence INTEGER PRIMARY KEY,
    size_limit INTEGER NOT NULL
) STRICT""",
    # One row, if the run came to its end.
    "ending": """CREATE TABLE ending (
    outcome TEXT NOT NULL,
    engine TEXT NOT NULL,
    events INTEGER NOT NULL,
    cycles INTEGER NOT NULL,
    instructions INTEGER NOT NULL,
    messages INTEGER NOT NULL,
    invocations INTEGER NOT NULL,
    trace_hash TEXT NOT NULL,
    checked INTEGER NOT NULL
) STRICT""",
    # What the checker found, one JSON object each.
    "finding": """CREATE TABLE finding (
    number INTEGER PRIMARY KEY,
    body TEXT NOT NULL
) STRICT""",
    # Lives of messages as lab/trace/lives.py packs them, and the functions that own them;
    # `threads` is a set of 64 bits, `born` and `died` the positions they lie between.
    "life": """CREATE TABLE life (
    number INTEGER PRIMARY KEY,
    records INTEGER NOT NULL,
    born INTEGER NOT NULL,
    died INTEGER NOT NULL,
    threads INTEGER NOT NULL,
    size INTEGER NOT NULL,
    data BLOB NOT NULL
) STRICT""",
    "owner": """CREATE TABLE owner (
    number INTEGER PRIMARY KEY,
    name TEXT NOT NULL
) STRICT""",
}


def to_signed(bits: int) -> int:
    """Make of a set of 64 bits the number that SQLite stores."""
    return bits - (1 << 64) if bits >> 63 else bits


def from_signed(number: int) -> int:
    """Make of the number that SQLite stored the set of 64 bits."""
    return number & (1 << 64) - 1
