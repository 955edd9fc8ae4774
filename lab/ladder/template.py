"""Turns a template and a draw into a source text.

Three things are known in a template, all resolved when it is generated, none by a compiler flag:
  @name@            a value of the draw; `@f.x@`, `@v.x@` and `@t.x@` are identifiers drawn once for each x
  //[ a,b ... //| c ... //]   lines kept when one of the named flags is set; `!a` when it is not (in scripts #[ #| #])
  //# ... //# ... //.         parts whose order is drawn
"""
import re


def _wanted(condition, flags):
    return any((word[1:] not in flags) if word.startswith("!") else (word in flags) for word in condition.split(","))


def _choose(lines, flags):
    kept = []
    stack = []  # [taken already, keeping now]
    for line in lines:
        words = line.split()
        mark = words[0] if words else ""
        if mark in ("#[", "#|", "#]"):
            mark = "//" + mark[1]
        if mark == "//[":
            now = _wanted(words[1], flags)
            stack.append([now, now])
        elif mark == "//|":
            now = not stack[-1][0] and (len(words) < 2 or _wanted(words[1], flags))
            stack[-1] = [stack[-1][0] or now, now]
        elif mark == "//]":
            stack.pop()
        elif all(keeping for _, keeping in stack):
            kept.append(line)
    if stack:
        raise ValueError("a condition is not closed")
    return kept


def _shuffle(lines, rng):
    kept = []
    parts = None
    for line in lines:
        mark = line.strip()
        if mark == "//#":
            parts = (parts or []) + [[]]
        elif mark == "//.":
            rng.shuffle(parts)
            kept += [line for part in parts for line in part]
            parts = None
        else:
            (kept if parts is None else parts[-1]).append(line)
    if parts is not None:
        raise ValueError("a shuffled section is not closed")
    return kept


def render(text, flags, draw, rng):
    """`draw[name]` gives the text of @name@; it may hold further @names@."""
    lines = _shuffle(_choose(text.splitlines(), flags), rng)
    out = "\n".join(lines) + "\n"
    for _ in range(6):
        changed = re.sub(r"@([a-z_][a-z_0-9.]*)@", lambda found: str(draw[found.group(1)]), out)
        if changed == out:
            return out
        out = changed
    raise ValueError("names that name each other")
