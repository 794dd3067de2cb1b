"""The printed output of a script: its end is kept, all of it is counted."""

from collections import deque

from sandbox.values import clean_text


class OutputBuffer:
    """Keeps the last `keep_bytes` of a script's output and reports a flood."""

    def __init__(self, *, keep_bytes: int, kill_bytes: int) -> None:
        self._keep_bytes = keep_bytes
        self._kill_bytes = kill_bytes
        self._pieces: deque[bytes] = deque()
        self._kept = 0
        self.written = 0

    @property
    def flooded(self) -> bool:
        """Whether the script wrote more than its limits let it live with."""
        return self.written > self._kill_bytes

    def write(self, piece: bytes) -> None:
        """Take what the script wrote, in order."""
        self.written += len(piece)
        self._pieces.append(piece[-self._keep_bytes :] if self._keep_bytes else b"")
        self._kept += len(self._pieces[-1])
        while self._kept - len(self._pieces[0]) >= self._keep_bytes and len(self._pieces) > 1:
            self._kept -= len(self._pieces.popleft())

    def text(self) -> str:
        """Return the end of the output, with a first line that says how much is missing."""
        kept = b"".join(self._pieces)[-self._keep_bytes :] if self._keep_bytes else b""
        left_out = self.written - len(kept)
        words = clean_text(kept.decode("utf-8", "replace"))
        return f"[{left_out} bytes of output left out]\n{words}" if left_out else words
