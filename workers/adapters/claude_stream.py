"""Claude Code's stream-json, line by line, as what happened: tool calls, text, usage, and how it ended.

Shapes as recorded from version 2.1; lines of unknown type are passed over, as the vendor adds some with every release.
"""

from __future__ import annotations

from typing import Any

import msgspec

from core.domain.words import Usage
from workers import diffs
from workers.adapters.adapter import Ended, Seen

WRITES = {"Write": "file_path", "Edit": "file_path", "MultiEdit": "file_path", "NotebookEdit": "notebook_path"}
MAX_SAYS = 4_000
SHOWN = ("session_id", "model", "cwd", "claude_code_version")
# By the provider's HTTP status; what is not here is "unknown".
STATUS_CLASSES = {
    400: "invalid", 401: "auth", 403: "permission", 429: "rate_limit", 500: "network", 503: "overloaded",
    529: "overloaded",
}  # fmt: skip
SUBTYPE_CLASSES = {"error_max_turns": "exit", "error_max_budget_usd": "budget"}

_decode = msgspec.json.Decoder(dict[str, Any]).decode


class ClaudeStream:
    """Fed one line at a time. ``ended`` is how the run ended once its last line was seen; without one: cut off."""

    def __init__(self) -> None:
        self.usage = Usage()
        self.model = ""
        self.session_id = ""
        self.ended: Ended | None = None
        self._messages: set[str] = set()

    def line(self, line: bytes) -> list[Seen]:
        """What the line tells. One that is no JSON object, or has another shape than any recorded, tells that."""
        try:
            return self._take(_decode(line))
        except (msgspec.DecodeError, AttributeError, TypeError, ValueError) as error:
            return [Seen(kind="note", says=f"a line of the stream cannot be read: {error}", failed=True)]

    def cut_off(self) -> Ended:
        """How a run ended whose stream has no result."""
        return Ended(result="interrupted", error_class="interrupted", error="the stream ends without a result")

    def _take(self, event: dict[str, Any]) -> list[Seen]:
        self.session_id = event.get("session_id") or self.session_id
        match event.get("type"):
            case "system":
                return self._system(event)
            case "assistant":
                return self._assistant(event)
            case "user":
                return [self._result_of(block) for block in _blocks(event) if block.get("type") == "tool_result"]
            case "result":
                return self._result(event)
            case _:
                return []

    def _system(self, event: dict[str, Any]) -> list[Seen]:
        match event.get("subtype"):
            case "init":
                self.model = str(event.get("model", ""))
                data: dict[str, Any] = {name: event[name] for name in SHOWN if name in event}
                return [Seen(kind="step", name="start", says=f"started, model {self.model or 'unknown'}", data=data)]
            case "api_retry":
                tries = f"{event.get('attempt', '?')} of {event.get('max_retries', '?')}"
                why = event.get("error") or event.get("error_status") or "unknown"
                says = f"the model did not answer ({why}); try {tries}"
                return [Seen(kind="retry", name=str(why), says=says, failed=True)]
            case "task_started" | "task_notification" as what:
                says = str(event.get("description") or event.get("summary") or what)
                return [Seen(kind="note", name="subagent", says=says[:MAX_SAYS], ref=str(event.get("task_id", "")))]
            case _:
                return []

    def _assistant(self, event: dict[str, Any]) -> list[Seen]:
        message = event.get("message", {})
        model = str(message.get("model", ""))
        seen = []
        for block in _blocks(event):
            if block.get("type") == "text":
                said = str(block.get("text", ""))[:MAX_SAYS]
                seen.append(Seen(kind="text", says=said, ref=str(message.get("id", ""))))
            elif block.get("type") == "tool_use":
                seen += self._call(block)
        usage = self._count(message, model)
        return [usage, *seen] if usage else seen  # what a message used stands before what it then called

    def _call(self, block: dict[str, Any]) -> list[Seen]:
        name, given, ref = str(block.get("name", "")), block.get("input"), str(block.get("id", ""))
        given = given if isinstance(given, dict) else {"input": given}
        self.usage = msgspec.structs.replace(self.usage, tool_calls=self.usage.tool_calls + 1)
        shown = next((str(value) for value in given.values() if isinstance(value, str)), "")
        calls = [Seen(kind="tool", name=name, ref=ref, says=shown[:200], data={"input": given}, usage=self.usage)]
        if path := given.get(WRITES.get(name, "")):
            calls.append(Seen(kind="file", name=str(path), says="changed", ref=ref, diff=_diff(str(path), given)))
        return calls

    def _count(self, message: dict[str, Any], model: str) -> Seen | None:
        """Usage once a message id: several lines share one. Output tokens are those of the message's start, too few;
        the result has the true ones."""
        used, message_id = message.get("usage"), str(message.get("id", ""))
        if not isinstance(used, dict) or message_id in self._messages or model == "<synthetic>":
            return None
        self._messages.add(message_id)
        self.usage = msgspec.structs.replace(
            self.usage,
            input_tokens=self.usage.input_tokens + _number(used, "input_tokens"),
            output_tokens=self.usage.output_tokens + _number(used, "output_tokens"),
            cache_read_tokens=self.usage.cache_read_tokens + _number(used, "cache_read_input_tokens"),
            cache_write_tokens=self.usage.cache_write_tokens + _number(used, "cache_creation_input_tokens"),
        )
        return Seen(kind="usage", name=model, usage=self.usage, ref=message_id)

    def _result_of(self, block: dict[str, Any]) -> Seen:
        content = block.get("content", "")
        if isinstance(content, list):
            content = " ".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
        return Seen(
            kind="tool_result",
            ref=str(block.get("tool_use_id", "")),
            says=str(content)[:MAX_SAYS],
            failed=bool(block.get("is_error")),
        )

    def _result(self, event: dict[str, Any]) -> list[Seen]:
        self._settle(event)
        status = event.get("api_error_status")
        text = str(event.get("result") or "; ".join(map(str, event.get("errors") or [])))
        if str(event.get("terminal_reason", "")).startswith("aborted"):
            self.ended = Ended(result="interrupted", error_class="interrupted", error=text, exit_code=1)
        elif event.get("is_error") or status:
            # The subtype may say "success" all the same: is_error and the status tell.
            known = STATUS_CLASSES.get(status or 0) or SUBTYPE_CLASSES.get(str(event.get("subtype")), "unknown")
            self.ended = Ended(result="failed", error_class=known, error=text or str(event.get("subtype")), exit_code=1)
        else:
            self.ended = Ended(result="succeeded", summary=text, exit_code=0)
        seen = [Seen(kind="usage", name=self.model, usage=self.usage)]
        for denied in event.get("permission_denials") or []:
            says = f"it was not allowed to use {denied.get('tool_name', 'a tool')}"
            ref = str(denied.get("tool_use_id", ""))
            seen.append(Seen(kind="note", name="permission", says=says, ref=ref, failed=True))
        return seen

    def _settle(self, event: dict[str, Any]) -> None:
        """The true totals, subagents included. The price holds only for the vendor's own models."""
        models = {name: used for name, used in (event.get("modelUsage") or {}).items() if isinstance(used, dict)}
        if not models:
            return
        ours = all(name.startswith("claude-") for name in models)
        cost = event.get("total_cost_usd")
        self.usage = Usage(
            input_tokens=sum(_number(used, "inputTokens") for used in models.values()),
            output_tokens=sum(_number(used, "outputTokens") for used in models.values()),
            cache_read_tokens=sum(_number(used, "cacheReadInputTokens") for used in models.values()),
            cache_write_tokens=sum(_number(used, "cacheCreationInputTokens") for used in models.values()),
            tool_calls=self.usage.tool_calls,
            cost_uusd=round(cost * 1_000_000) if ours and isinstance(cost, int | float) else None,
        )


def _diff(path: str, given: dict[str, Any]) -> str:
    """What a call that writes would change, as far as it says: where in the file it does not."""
    name = path.lstrip("/")
    if isinstance(given.get("content"), str):
        return diffs.between("", given["content"], name)
    edits = given.get("edits") if isinstance(given.get("edits"), list) else [given]
    pairs = [(each.get("old_string"), each.get("new_string")) for each in edits or () if isinstance(each, dict)]
    parts = [diffs.between(old, new, name) for old, new in pairs if isinstance(old, str) and isinstance(new, str)]
    return "".join(parts)


def _blocks(event: dict[str, Any]) -> list[dict[str, Any]]:
    message = event.get("message")
    content = message.get("content") if isinstance(message, dict) else None
    return [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []


def _number(used: dict[str, Any], name: str) -> int:
    value = used.get(name, 0)
    return value if isinstance(value, int) else 0
