#!/usr/bin/env python3
"""apidoc.py: every public function is documented in full in its header, in kernel-doc form.

In full means: a comment right before it that opens with the function's name and purpose, one
@line per parameter (and none for a parameter it does not have), `Context:`, and `Return:` unless
the function is void.

An inline helper that only fills a request is told more shortly: a comment of any form right before it,
or right before the helper it follows (a family, such as fsync and fdatasync). If it has a comment in
kernel-doc form, that is held to the same rules, but for `Context:`.
"""
import re

import sources
from tap import Tap

COMMENT = r"/\*\*(?P<doc>(?:(?!\*/).)*)\*/\s*"
PROTOTYPE = re.compile(
    r"(?:" + COMMENT + r")?"
    r"^(?P<kind>SL_EXPORT|static\s+inline)\s+(?P<result>[\w \t*]+?)(?P<name>\bsl_\w+)\s*"
    r"\((?P<args>[^;{]*?)\)\s*(?:SL_\w+(?:\([^)]*\))?\s*|__attribute__\(\(.*?\)\)\s*)*[;{]",
    re.M | re.S)
PLAIN_COMMENT_BEFORE = re.compile(r"\*/\s*\Z")
FAMILY_BEFORE = re.compile(r"^};?\s*\Z", re.M)
EXPORT = re.compile(r"^\s*SL_EXPORT\b", re.M)


def parameters(args):
    """Names of the parameters in a prototype's parentheses."""
    names = []
    depth = 0
    part = ""
    for char in args + ",":
        if char == "," and depth == 0:
            pointer = re.search(r"\(\s*\*\s*(\w+)\s*\)", part)
            words = re.findall(r"\w+", re.sub(r"\[[^\]]*\]", "", part))
            if part.strip() == "...":
                names.append("...")
            elif pointer:
                names.append(pointer.group(1))
            elif words and words != ["void"]:
                names.append(words[-1])
            part = ""
        else:
            depth += {"(": 1, ")": -1}.get(char, 0)
            part += char
    return names


def check_function(match):
    """What is missing from one function's comment."""
    name, doc = match["name"], match["doc"]
    if doc is None:
        before = match.string[:match.start()]
        family = PLAIN_COMMENT_BEFORE.search(before) or FAMILY_BEFORE.search(before)
        return [] if match["kind"] != "SL_EXPORT" and family else ["no comment"]
    lines = [re.sub(r"^\s*\*? ?", "", line) for line in doc.strip().splitlines()]
    missing = []
    if not re.match(rf"{name}(?:\(\))?\s+-\s+\S", lines[0]):
        missing.append(f"its comment does not open with '{name}() - purpose'")
    told = [m.group(1) for line in lines if (m := re.match(r"@(\w+|\.\.\.):\s*\S?", line))]
    wanted = parameters(match["args"])
    missing += [f"@{arg} is not told" for arg in wanted if arg not in told]
    missing += [f"@{arg} is told but is no parameter" for arg in told if arg not in wanted]
    text = "\n".join(lines)
    if match["kind"] == "SL_EXPORT" and not re.search(r"^Context:\s*\S", text, re.M):
        missing.append("no Context:")
    if match["result"].strip() != "void" and not re.search(r"^Return:\s*\S", text, re.M):
        missing.append("no Return:")
    return missing


def check_text(header, text):
    problems = []
    found = list(PROTOTYPE.finditer(text))
    for match in found:
        problems += [f"{header}: {match['name']}: {what}" for what in check_function(match)]
    exported = sum(1 for match in found if match["kind"] == "SL_EXPORT")
    declared = len(EXPORT.findall(sources.blank_strings_and_comments(text)))
    if declared != exported:
        problems.append(f"{header}: {declared} SL_EXPORT lines, but {exported} prototypes understood")
    return problems


def exported_names(text):
    return [m["name"] for m in PROTOTYPE.finditer(text) if m["kind"] == "SL_EXPORT"]


GOOD = """
/**
 * sl_thing_get() - take the thing
 * @thing: borrowed
 * @fn: called for each
 * @ret_len: bytes
 *
 * Context: any thread.
 * Return: 0 or -EINVAL.
 */
SL_EXPORT int sl_thing_get(struct sl_thing *thing, int (*fn)(int, int),
\t\t\t   size_t ret_len[2]);

/**
 * sl_thing_end - end it
 *
 * Context: any thread.
 */
SL_EXPORT void sl_thing_end(void);

/**
 * sl_thing_prep - fill it
 * @thing: filled
 */
static inline void sl_thing_prep(struct sl_thing *thing)
{
}
"""
BAD = {
    "no comment": (GOOD, "/**\n * sl_thing_end", "/*\n * sl_thing_end"),
    "no purpose": (GOOD, "sl_thing_end - end it", "sl_thing_end"),
    "another name": (GOOD, "sl_thing_end - end it", "sl_thing_and - end it"),
    "a parameter not told": (GOOD, " * @fn: called for each\n", ""),
    "a parameter told but absent": (GOOD, "@fn: called", "@gn: called"),
    "no context": (GOOD, " * Context: any thread.\n */", " */"),
    "no return": (GOOD, " * Return: 0 or -EINVAL.\n", ""),
    "an empty return": (GOOD, "Return: 0 or -EINVAL.", "Return:"),
    "an inline helper without its parameter": (GOOD, " * @thing: filled\n", ""),
    "an inline helper without any comment": (GOOD, GOOD, "static inline int sl_thing_old(int a)\n{\n}\n"),
    "an export it cannot read": (GOOD, "SL_EXPORT void sl_thing_end(void);", "SL_EXPORT extern int x;"),
}


def self_test():
    family = GOOD + "\nstatic inline int sl_thing_also(int a)\n{\n}\n"
    problems = [f"refused a good comment: {p}" for p in check_text("good", GOOD) + check_text("good", family)]
    for what, (text, old, new) in BAD.items():
        assert old in text, what
        if not check_text("bad", text.replace(old, new, 1)):
            problems.append(f"accepted {what}")
    return problems


def main():
    tap = Tap()
    tap.check("the documentation check refuses every kind of gap", self_test())
    for header in sources.with_suffix(".h"):
        if header.startswith("include/sluice/"):
            tap.check(f"{header} documents every function in full", check_text(header, sources.read(header)))
    tap.done()


if __name__ == "__main__":
    main()
