#!/usr/bin/env python3
"""Checks an export of Greenlight's audit, alone: this file needs Python 3.10 and nothing of Greenlight.

    python verify_audit.py EXPORT --key PUBLIC_KEY [--key OTHER_KEY] [--heads PUBLISHED_HEADS]

It shows that no row was changed, taken out, put in, moved or cut off, and that each red call had been approved: that
very call, by as many people as it takes or by a rule, once, and under no freeze. Exit 0: so it is. Exit 1: it is not.

PUBLIC_KEY comes from `greenlight audit key`; keep it where nobody who may write the database may write. The heads are
the lines of the file that `[audit] heads_file` names: they show a tail that was cut off before the export was made.
"""

import argparse
import csv
import functools
import hashlib
import io
import json
import pathlib
import sys

EXPORT = "greenlight-audit-export/1"
COLUMNS = ["seq", "at", "thread", "node", "event", "person", "by", "salt", "digest", "details", "hash"]
LACKED = ("person", "by", "salt")
END = ["end", "tenant", "first", "before", "last", "hash", "at", "body", "key", "signature"]
HEAD = ["tenant", "seq", "hash", "at", "key", "signature"]
EVENTS = ["asked", "edited", "voted", "tightened", "decided", "started", "finished", "granted", "revoked"]


class Wrong(Exception):
    """The file is no export, or not the one that was written."""


# Signatures: Ed25519 as in RFC 8032, section 5.1.7. Points are (X, Y, Z, T) with x = X/Z, y = Y/Z, x*y = T/Z.

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P


def point(data: bytes):
    number = int.from_bytes(data, "little")
    y, odd = number & (2**255 - 1), number >> 255
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if len(data) != 32 or y >= P or (x * x - square) % P or (x == 0 and odd):
        raise ValueError("no point")
    x = x if x & 1 == odd else P - x
    return x, y, 1, x * y % P


def added(one, other):
    a = (one[1] - one[0]) * (other[1] - other[0]) % P
    b = (one[1] + one[0]) * (other[1] + other[0]) % P
    c, d = 2 * one[3] * other[3] * D % P, 2 * one[2] * other[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(number: int, base):
    total = (0, 1, 1, 0)
    while number:
        if number & 1:
            total = added(total, base)
        base, number = added(base, base), number >> 1
    return total


BASE = point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


@functools.lru_cache(maxsize=10_000)
def is_signed(text: bytes, key: str, signature: str) -> bool:
    try:
        public, signed = bytes.fromhex(key), bytes.fromhex(signature)
        a, r, s = point(public), point(signed[:32]), int.from_bytes(signed[32:], "little")
    except ValueError:
        return False
    h = int.from_bytes(hashlib.sha512(signed[:32] + public + text).digest(), "little") % ORDER
    left, right = times(s, BASE), added(r, times(h, a))
    return len(signed) == 64 and s < ORDER and all((left[i] * right[2] - right[i] * left[2]) % P == 0 for i in (0, 1))


def framed(*values) -> bytes:
    return "".join("-" if v is None else f"{len(str(v).encode())}:{v}" for v in values).encode()


def parsed(text: str, columns):
    told = json.loads(text, object_pairs_hook=tuple)
    if not isinstance(told, tuple) or [name for name, _ in told] != columns:
        raise ValueError("other keys")
    return dict(told)


def typed(row, numbers=("seq",), may_lack=LACKED):
    for name, value in row.items():
        if type(value) is not (int if name in numbers else str) and not (value is None and name in may_lack):
            raise ValueError(name)
    return row


def read(text: str):
    body, newline, last = text[:-1].rpartition("\n")
    body += newline
    try:
        if text[-1:] != "\n":
            raise ValueError("no end")
        if text.startswith("seq,"):
            heading, *lines = csv.reader(io.StringIO(body, newline=""))
            [[word, whole]] = csv.reader(io.StringIO(last, newline=""))
            if heading != COLUMNS or word != "end":
                raise ValueError("no heading, or no end")
            rows = [dict(zip(COLUMNS, line, strict=True)) for line in lines]
            rows = [typed(row | {"seq": int(row["seq"])} | {one: row[one] or None for one in LACKED}) for row in rows]
        else:
            rows, whole = [typed(parsed(line, COLUMNS)) for line in body.split("\n")[:-1]], last
        end = typed(parsed(whole, END), numbers=("first", "last"))
        if end["end"] != EXPORT:
            raise ValueError("another format")
    except (ValueError, TypeError, AttributeError, RecursionError, csv.Error) as error:
        raise Wrong(f"it does not read as an export, or its end is missing ({error})") from error
    if hashlib.sha256(body.encode()).hexdigest() != end["body"]:
        raise Wrong("its lines are not those that were exported")
    return rows, end


class Chain:
    """Follows the rows: each has the hash of itself and of the hash before it."""

    def __init__(self, tenant, seq, hash, keys) -> None:
        self.tenant, self.first, self.seq, self.hash, self.keys = tenant, seq, seq, hash, keys
        self.hashes, self.faults = {seq: hash}, []

    def note(self, row) -> None:
        fields = [row[name] for name in ("at", "thread", "node", "event", "person", "digest", "details")]
        text = framed("greenlight-audit/1", self.hash, self.tenant, row["seq"], *fields)
        if row["seq"] != self.seq + 1 or row["hash"] != hashlib.sha256(text).hexdigest():
            self.faults.append(f"row {row['seq']}: changed, or not in its place")
        if (row["by"] is None) != (row["salt"] is None):
            self.faults.append(f"row {row['seq']}: a person by half")
        elif row["by"] and row["person"] != hashlib.sha256(f"{row['salt']}:{row['by']}".encode()).hexdigest():
            self.faults.append(f"row {row['seq']}: another person")
        self.seq, self.hash = row["seq"], row["hash"]
        self.hashes[self.seq] = self.hash
        if row["event"] == "sealed":
            self.note_head(row["details"])

    def note_head(self, text: str) -> None:
        try:
            head = typed(parsed(text, HEAD))
        except (ValueError, TypeError):
            self.faults.append("a published head that is none")
            return
        if head["tenant"] != self.tenant:  # another team's
            return
        signed = framed("greenlight-audit-head/1", head["tenant"], head["seq"], head["hash"], head["at"])
        if head["key"] not in self.keys or not is_signed(signed, head["key"], head["signature"]):
            self.faults.append(f"the published head {head['seq']}: signed by none of the keys")
        elif head["seq"] >= self.first and self.hashes.get(head["seq"]) != head["hash"]:
            self.faults.append(f"row {head['seq']} was published with another hash, or is cut off")


class Effects:
    """Follows the red calls: each rests on one approval of its own, on a rule, or on a use of a grant that stands."""

    def __init__(self, whole: bool) -> None:
        self.whole, self.faults = whole, []
        self.requests, self.about, self.calls, self.freezes, self.grants = {}, {}, {}, set(), {}

    def note(self, row) -> None:
        details = json.loads(row["details"])
        if row["event"] in ("frozen", "lifted"):
            change = self.freezes.add if row["event"] == "frozen" else self.freezes.discard
            change((details["scope"], details["target"]))
        if row["event"] not in EVENTS:
            return
        self.at = row["at"]
        about = (row["thread"], row["node"], row["digest"])
        lost = row["event"] in ("edited", "voted", "tightened", "decided") and details["question"] not in self.requests
        answer = None if lost else getattr(self, row["event"])(about, details, row["person"])
        if fault := (self.whole and "an answer to what nobody asked" if lost else answer):
            self.faults.append(f"row {row['seq']}: {fault}")

    def asked(self, about, details, _person):
        if details["question"] in self.requests:
            return "asked twice"
        request = {"kind": details["kind"], "tool": details.get("tool"), "about": about, "open": True}
        request |= {"needs": details.get("needs", [1]), "rule": details.get("allowed") and details["rule"]}
        self.requests[details["question"]] = request | {"votes": {}, "stages": details.get("stages"), "grant": None}
        self.about.setdefault(about, []).append(self.requests[details["question"]])
        return ""

    def edited(self, about, details, person):
        request, was = self.requests[details["question"]], (*about[:2], details["was"])
        fits = request["open"] and request["kind"] == "approve" and request["about"] == was and person is not None
        request["about"] = about if fits else request["about"]
        self.about.setdefault(about, []).append(request)
        return "" if fits else "an edit of what was decided, of another call, or by nobody"

    def voted(self, about, details, person):
        request = self.requests[details["question"]]
        votes = request["votes"].setdefault((about, details["stages"]), {})
        fits = request["open"] and request["about"] == about and person is not None and person not in votes
        votes[person] = details["stage"]
        return "" if fits else "a second vote, on what was decided, on another call, or by nobody"

    def tightened(self, _about, details, _person):
        request = self.requests[details["question"]]
        fits = request["open"] and sum(details["needs"]) >= sum(request["needs"]) and not request["rule"]
        request["needs"], request["stages"] = details["needs"], details["stages"]
        return "" if fits else "a policy that asks for less, or that comes too late"

    def decided(self, about, details, person):
        request = self.requests[details["question"]]
        fits, yes = request["open"] and request["about"] == about, details["decision"] in ("approved", "again")
        votes, needs = list(request["votes"].get((about, request["stages"]), {}).values()), request["needs"]
        enough = needs == [1] or all(votes.count(stage) >= needed for stage, needed in enumerate(needs))
        by_rule = request["rule"] and request["rule"] == details.get("rule")
        request["grant"], granted = details.get("grant"), self.uses(about[0], request, details.get("grant"))
        by_someone = person is not None or by_rule or granted
        request["open"], request["approved"] = False, fits and yes and enough and by_someone
        return "" if fits else "a second decision, or on another call"

    def granted(self, _about, details, person):
        self.grants[details["grant"]] = {**details, "by": person}

    def uses(self, thread, request, name):
        if name is None or (grant := self.grants.get(name)) is None:
            return name is not None and not self.whole
        grant["uses"] -= 1
        fits = grant["channel"] == thread.split(":")[1] and grant["thread"] in ("", thread) and grant["uses"] >= 0
        in_time = self.at[:19] <= grant["until"][:19]  # both UTC
        return fits and in_time and grant["tool"] == request["tool"] and grant["by"] is not None

    def revoked(self, _about, details, _person):
        self.grants.pop(details["grant"], None)
        for request in self.requests.values():  # what did not start asks again
            if request["grant"] == details["grant"] and request["approved"]:
                request["open"], request["approved"], request["grant"] = True, False, None

    def started(self, about, details, _person):
        call, kinds = (about, details["attempt"]), ("approve", "unknown")[: details["attempt"]]
        again, self.calls[call] = call in self.calls, False
        covered = {("workspace", ""), ("channel", about[0].split(":")[1]), ("tool", details.get("tool"))}
        if again or covered & self.freezes:
            return "a call that was started twice, or was frozen"
        for request in self.about.get(about, ()):
            if request["about"] == about and request.get("approved") and request["kind"] in kinds:
                request["approved"] = False  # used
                return ""
        return "a call that nobody approved"

    def finished(self, about, details, _person):
        call = (about, details["attempt"])
        ended = self.calls.get(call, self.whole)
        self.calls |= {call: True} if call in self.calls else {}
        return "a call that ended twice, or was not started" if ended else ""


def verify(text: str, keys, heads=()):
    rows, end = read(text)
    signed = framed(EXPORT, *(end[name] for name in END[1:8]))
    if end["key"] not in keys or not is_signed(signed, end["key"], end["signature"]):
        raise Wrong("none of the keys signed it")
    chain, effects = Chain(end["tenant"], end["first"] - 1, end["before"], keys), Effects(end["first"] == 1)
    for row in rows:
        chain.note(row)
        try:
            effects.note(row)
        except (ValueError, KeyError, TypeError) as error:
            effects.faults.append(f"row {row['seq']}: not what such a row holds ({error})")
    for head in heads:
        chain.note_head(head)
    if (chain.seq, chain.hash) != (end["last"], end["hash"]):
        chain.faults.append(f"the rows end at {chain.seq} and not at {end['last']}")
    return end, len(effects.calls), chain.faults + effects.faults


def main() -> "int | str":
    """Check the file that the command line names; return the exit code, or why it is no export."""
    options = argparse.ArgumentParser(description="Check an export of Greenlight's audit.")
    options.add_argument("export")
    options.add_argument("--key", action="append", required=True, help="a public key that may have signed it")
    options.add_argument("--heads", help="the file of published heads")
    given = options.parse_args()
    try:
        text = pathlib.Path(given.export).read_bytes().decode()
        heads = pathlib.Path(given.heads).read_text(encoding="utf-8").splitlines() if given.heads else []
        end, calls, faults = verify(text, given.key, heads)
    except (Wrong, OSError, UnicodeDecodeError) as error:
        return str(error)
    print("".join(f"{fault}\n" for fault in faults), end="", file=sys.stderr)
    print(f"rows {end['first']} to {end['last']} of {end['tenant']}: {calls} red calls, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
