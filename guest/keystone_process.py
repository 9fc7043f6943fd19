"""The parent's side of Keystone: what it is asked, and what its replies mean."""

from collections.abc import Iterator

from guest.child import OUT_OF_TIME, Reply, Request, run_all
from guest.errors import GuestError
from guest.expand import fail
from guest.layout import BASE, Job


def assemble_jobs(jobs: list[Job]) -> Iterator[bytes]:
    """Assemble all jobs at once, then give the results up to the first error of a source."""
    replies = run_all([_request(job) for job in jobs])
    for job, reply in zip(jobs, replies, strict=True):
        yield _result(job, reply)


def _request(job: Job, *, locate: bool = False) -> Request:
    head = {
        "bits": job.arch.bits,
        "base": BASE,
        "lines": job.lines,
        "keep": job.keep,
        "users": job.users,
        "locate": locate,
    }
    return Request("from guest.keystone_child import main; main()", head)


def _result(job: Job, reply: Reply) -> bytes:
    if reply.status is None:
        raise GuestError(f"the assembler {reply.trouble}", file=str(job.path))
    if reply.status != 0 or not reply.frames:
        raise _crash(job, reply.status)
    head, data = reply.frames[0]
    if "error" in head:
        raise _error(job, head)
    return data


def _crash(job: Job, status: int) -> GuestError:
    if status in OUT_OF_TIME:
        return GuestError("the assembler ran out of time on this source", file=str(job.path))
    # Find the line that Keystone does not survive.
    (reply,) = run_all([_request(job, locate=True)])
    if reply.status == 0 and reply.frames:
        return _error(job, reply.frames[0][0])
    return GuestError(
        f"the assembler crashed on this source (status {status})", file=str(job.path)
    )


def _error(job: Job, head: dict[str, object]) -> GuestError:
    text = str(head["error"]).partition(" (KS_ERR")[0]
    text = text[:1].lower() + text[1:]
    line = head["line"]
    if not isinstance(line, int):
        return GuestError(text, file=str(job.path))
    return fail(f"{text}: {job.lines[line]!r}", job.places[line])
