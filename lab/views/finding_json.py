"""Findings as plain data; docs/json.md explains every field.

Words and addresses are hex strings, counts and positions numbers; what is unknown is None.
"""

from typing import Any

from lab.checker.finding import Access, Clobber, Finding, Frame, Message, Word
from lab.suppress import Suppression
from lab.views.finding import suppression


def finding_as_json(finding: Finding) -> dict[str, Any]:
    """Give a finding as plain data."""
    return {
        "id": finding.id,
        "rule": finding.rule.value,
        "verdict": finding.verdict.value,
        "attribution": finding.attribution.value,
        "effect": finding.effect.value,
        "summary": finding.summary,
        "thread": finding.thread,
        "task": finding.task,
        "register": finding.register,
        "offset": finding.offset,
        "size": finding.size,
        "function": finding.function,
        "file": finding.file or None,
        "line": finding.line or None,
        "pc": hex(finding.access.pc),
        "position": finding.access.position,
        "cycle": finding.access.cycle,
        "expected": _hex(finding.expected),
        "actual": _hex(finding.actual),
        "count": finding.count,
        "access": access_as_json(finding.access),
        "message": None if finding.message is None else message_as_json(finding.message),
        "clobber": None if finding.clobber is None else _clobber(finding.clobber),
        "words": [_word(word) for word in finding.words],
        "consequences": [
            {
                "what": consequence.what,
                "position": consequence.position,
                "actual": consequence.actual,
                "expected": consequence.expected,
            }
            for consequence in finding.consequences
        ],
        "checks": [{"what": what, "result": result} for what, result in finding.checks],
        "cure": finding.cure,
        "identity": list(finding.identity),
        "suppressed": finding.suppressed or None,
        "suppression": "\n".join(suppression(finding)) + "\n",
    }


def access_as_json(access: Access) -> dict[str, Any]:
    """Give an access as plain data, with its stack."""
    return {
        "position": access.position,
        "cycle": access.cycle,
        "pc": hex(access.pc),
        "instruction": access.instruction or None,
        "stack": [_frame(frame) for frame in access.stack],
    }


def message_as_json(message: Message) -> dict[str, Any]:
    """Give a message as plain data, with all its words."""
    return {
        "id": message.id,
        "sender": message.sender,
        "receiver": message.receiver,
        "via": message.via or None,
        "label": hex(message.label),
        "protocol": message.protocol,
        "words": [hex(word) for word in message.words],
        "items": message.items,
        "born": message.born,
        "cycle": message.cycle,
        "owner": message.owner or None,
        "died": message.died,
    }


def suppression_as_json(suppression: Suppression) -> dict[str, Any]:
    """Give a suppression as plain data."""
    return {
        "key": suppression.key,
        "rule": suppression.rule or None,
        "thread": suppression.thread or None,
        "function": suppression.function or None,
        "register": suppression.register or None,
        "reason": suppression.reason,
        "expires": None if suppression.expires is None else suppression.expires.isoformat(),
    }


def _frame(frame: Frame) -> dict[str, Any]:
    return {
        "function": frame.function,
        "symbol": frame.symbol,
        "pc": hex(frame.pc),
        "file": frame.file or None,
        "line": frame.line or None,
        "inlined": frame.inlined,
    }


def _word(word: Word) -> dict[str, Any]:
    return {
        "register": word.register,
        "delivered": _hex(word.delivered),
        "now": hex(word.now),
        "writer": word.writer,
        "state": word.state,
        "here": word.here,
        "read": None if word.read is None else access_as_json(word.read),
        "unread": word.unread,
    }


def _clobber(clobber: Clobber) -> dict[str, Any]:
    return {
        "message": None if clobber.message is None else message_as_json(clobber.message),
        "stores": [access_as_json(store) for store in clobber.stores],
        "delivery": clobber.delivery,
        "call": None if clobber.call is None else access_as_json(clobber.call),
    }


def _hex(value: int | None) -> str | None:
    return None if value is None else hex(value)
