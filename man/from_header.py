#!/usr/bin/env python3
"""from_header.py: fills a manual page with what the public headers say, so that nothing is said twice.

usage: from_header.py PAGE.scd INCLUDE_DIR       prints the page, ready for scdoc
       from_header.py --names HEADER             prints the functions of a header, one a line
       from_header.py --links PAGE FILE...       makes each file a link to the page

A page is scdoc text in which a line of its own may ask for a part of a header:

    @summary ring.h        the one line that says what the header is
    @essay ring.h          the rest of the comment at its top
    @synopsis ring.h       the include line and every prototype
    @types ring.h          constants, enumerations, structs and function types
    @functions ring.h      every function: prototype, purpose, parameters, context, results
"""
import os
import re
import sys

COMMENT = re.compile(r"/\*.*?\*/", re.S)


class Entry:
    """One declaration: its kind ('define', 'enum', 'struct', 'typedef', 'function'), name, comment, code."""

    def __init__(self, kind, name, comment, code):
        self.kind = kind
        self.name = name
        self.doc = comment
        self.code = code


# ---- reading a header ----------------------------------------------------------------------


def strip_comment(text):
    """The lines of a comment without its frame."""
    body = re.sub(r"^/\*+ ?|\s*\*/$", "", text.strip(), flags=re.S)
    lines = [re.sub(r"^\s*\*(?: |(?=\t)|$)", "", line).rstrip() for line in body.splitlines()]
    return "\n".join(line.strip() if i == 0 else line for i, line in enumerate(lines)).strip("\n")


def declaration_end(text, start):
    """Where the declaration that starts here ends: past its ';', or past the '}' of a function."""
    depth = 0
    for at in range(start, len(text)):
        if text[at] in "({":
            depth += 1
        elif text[at] in ")}":
            depth -= 1
            if depth == 0 and text[at] == "}" and text.startswith("static", start):
                return at + 1
        elif text[at] == ";" and depth == 0:
            return at + 1
    return len(text)


def without_comments(code):
    """Comments become blanks of the same length, so that places stay."""
    return COMMENT.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), code)


DECLARATION = re.compile(
    r"(?P<function>SL_EXPORT|static inline)\s|enum (?P<enum>\w+) \{|struct (?P<struct>\w+) \{"
    r"|typedef [^;]*?\b(?P<typedef>\w+)\(|#define (?P<define>SL_\w+|sl_\w+)[^\n]*")


def entry_at(text, found, comment):
    """The entry of a declaration, and where it ends."""
    kind = next(k for k, v in found.groupdict().items() if v)
    if kind == "define":
        return Entry(kind, found["define"], comment, found.group()), found.end()
    end = declaration_end(without_comments(text), found.start())
    code = text[found.start():end]
    name = found[kind]
    if kind == "function":
        code = re.sub(r"^(SL_EXPORT|static inline)\s+", "", re.split(r"\n\{|;$", without_comments(code))[0])
        name = re.search(r"(\w+)\s*\(", code).group(1)
    return Entry(kind, name, comment, code), end


def parse(text):
    """(summary, essay, entries) of a header."""
    opening = COMMENT.findall(text)[1]
    first, _, essay = strip_comment(opening).partition("\n")
    entries = []
    at = text.index(opening) + len(opening)
    comment = ""
    while at < len(text):
        note = COMMENT.match(text, at)
        found = DECLARATION.match(text, at)
        if note:
            comment, at = strip_comment(note.group()), note.end()
            if comment.startswith("----"):
                comment = ""
            elif text.startswith("\n\n", at):
                essay, comment = essay + "\n\n" + comment, ""
        elif found and (at == 0 or text[at - 1] == "\n"):
            entry, at = entry_at(text, found, comment)
            entries.append(entry)
            comment = ""
        else:
            if text.startswith("\n\n", at):
                comment = ""
            at += 1
    return first.partition(" - ")[2], essay.strip("\n"), [e for e in entries if wanted(e)]


def wanted(entry):
    """Include guards, the macros of the build and private structs are nobody's business."""
    return not entry.doc.startswith("private:") and not re.match(r"SLUICE_|SL_(?:BEGIN|END)_DECLS|SL_EXPORT|SL_PRINTF", entry.name)


def kernel_doc(doc):
    """(purpose, [(parameter, text)], body, context, returns) of a kernel-doc comment."""
    parts = {"body": []}
    order = []
    purpose = ""
    key = "body"
    for number, line in enumerate(doc.splitlines()):
        start = re.match(r"(@[\w.]+|Context|Return):\s*(.*)", line)
        if number == 0 and re.match(r"(?:typedef |struct |enum )?\w+(?:\(\))?\s+-\s", line):
            purpose = line.partition(" - ")[2]
        elif start:
            key = start[1]
            parts[key] = [start[2]]
            order.append(key)
        elif not line and key.startswith("@"):
            key = "body"
        else:
            parts[key].append(line)
    text = {name: "\n".join(lines).strip("\n") for name, lines in parts.items()}
    members = [(name[1:], text[name]) for name in order if name.startswith("@")]
    return purpose, members, text["body"], text.get("Context", ""), text.get("Return", "")


# ---- writing scdoc -------------------------------------------------------------------------


def escape(text):
    return re.sub(r"([\\*_#`\[\]|<~])", r"\\\1", text)


def inline(text):
    """Escapes prose for scdoc and sets names, errors and parameters apart."""
    text = " ".join(text.split())
    out = ""
    at = 0
    pattern = (r"(?P<bold>-E[A-Z][A-Z0-9]+|\bSL_[A-Z0-9_]*[A-Z0-9]|\bsl_\w+(?:\.\w+)?(?:\(\))?|\w+(?=\(\d\)))"
               r"|(?P<call>\bsl_\w+(?=\())|@(?P<param>\w+)")
    for found in re.finditer(pattern, text):
        out += escape(text[at:found.start()])
        bold = found["bold"] or found["call"]
        out += f"*{escape(bold)}*" if bold else f"_{escape(found['param'])}_"
        at = found.end()
    return out + escape(text[at:])


def guard(text):
    """A paragraph may not begin with what scdoc takes for a list, a heading or a directive."""
    text = re.sub(r"^\.\.\.", "\u2026", text)
    return "\\" + text if re.match(r"\. |[-#;|!\]]", text) else text


def literal(code):
    return "```\n" + code.expandtabs(8).strip("\n") + "\n```\n"


def block(paragraph):
    """One paragraph of a comment: prose, a list, or a table kept as it is."""
    lines = paragraph.splitlines()
    if re.match(r" +\d+\. ", lines[0]):
        items = re.split(r"^ +\d+\. ", paragraph, flags=re.M)[1:]
        return "".join(f". {inline(item)}\n" for item in items)
    if re.match(r" +- ", lines[0]):
        items = re.split(r"^ +- ", paragraph, flags=re.M)[1:]
        return "".join(f"- {inline(item)}\n" for item in items)
    if all(line.startswith("  ") or line.startswith("\t") for line in lines):
        rows = re.split(r"\n(?= {2,3}\S)", paragraph)
        cells = [re.match(r"\s+(-E\w+)\s+(.*)", row, re.S) for row in rows]
        if all(cells):
            return "".join(f"*{c[1]}*\n\t{guard(inline(c[2]))}\n\n" for c in cells)
        return literal(paragraph)
    return guard(inline(paragraph)) + "\n"


def prose(text):
    """Paragraphs of a comment; items of a numbered list join, as scdoc wants them."""
    blocks = [block(p) for p in re.split(r"\n\s*\n", text.strip("\n")) if p.strip()]
    out = ""
    for this, following in zip(blocks, blocks[1:] + [""]):
        out += this + ("" if this.startswith(". ") and following.startswith(". ") else "\n")
    return out


def listing(pairs):
    """Name and meaning, indented under each name."""
    return "".join(f"_{escape(name)}_\n\t{guard(inline(text))}\n\n" for name, text in pairs)


def returns(text):
    """What a call answers: one line per error where there are several."""
    flat = " ".join(text.split())
    pieces = re.split(r";\s+(?=[-A-Z0-9])|(?<=^0), or\s+", flat)
    if len(pieces) == 1:
        return guard(inline(flat)) + "\n"
    ends = [re.sub(r"[,;.]$", "", piece) for piece in pieces]
    return "".join(f"- {inline(end)}\n" for end in ends)


# ---- the parts of a page -------------------------------------------------------------------


def signature(entry):
    return re.sub(r"\s*SL_PRINTF\([^)]*\)", "", entry.code).strip() + ";"


def tidy(code):
    """A prototype laid out again: aligned under its own parenthesis, 76 columns at most."""
    flat = " ".join(code.split())
    if len(flat) <= 76:
        return flat
    head, _, rest = flat.partition("(")
    pad = " " * (len(head) + 1) if len(head) < 44 else " " * 8
    lines = [head + "("]
    for piece in re.split(r"(?<=,) ", rest):
        room = 76 - len(lines[-1])
        if len(piece) < room or lines[-1].strip() == "":
            lines[-1] += piece if lines[-1].endswith(("(", pad)) else " " + piece
        else:
            lines.append(pad + piece)
    return "\n".join(line.rstrip() for line in lines)


def synopsis(header, entries):
    calls = "\n".join(tidy(signature(e)) for e in entries if e.kind == "function")
    return literal(f"#include <sluice/{header}>\n\n{calls}")


def enum_members(code):
    """[(name, meaning)] of an enumeration: the comment before a member, or beside it."""
    body = code[code.index("{") + 1:code.rindex("}")]
    members = []
    pending = ""
    for line_or_note in re.finditer(r"/\*.*?\*/|\w+(?:\s*=\s*[^,/\n]+)?,?|\n", body, re.S):
        token = line_or_note.group()
        start = body.rfind("\n", 0, line_or_note.start()) + 1
        alone = not body[start:line_or_note.start()].strip()
        if token.startswith("/*"):
            meaning = strip_comment(token)
            if alone:
                pending = meaning
            else:
                members[-1][1] = meaning
        elif token != "\n":
            members.append([re.match(r"\w+", token).group(), pending])
            pending = ""
    return members


def public_part(code):
    """A struct as a caller sees it."""
    code = re.sub(r"\n\s*/\* private: \*/.*\}", "\n\n\t/* and private members */\n}", code, flags=re.S)
    return code


def type_text(entry):
    if entry.kind == "enum":
        intro = f"## enum {escape(entry.name)}\n\n" + prose(entry.doc)
        members = enum_members(entry.code)
        if not any(meaning for _, meaning in members):
            return intro + ", ".join(f"_{escape(name)}_" for name, _ in members) + "\n\n"
        return intro + listing(members)
    purpose, members, body, _, answer = kernel_doc(entry.doc)
    kind = "struct " if entry.kind == "struct" else ""
    text = f"## {kind}{escape(entry.name)}\n\n"
    if purpose:
        text += guard(inline(purpose[0].upper() + purpose[1:])) + ".\n\n"
    text += literal(public_part(entry.code)) + "\n" + listing(members) + prose(body)
    if answer:
        text += "Return: " + returns(answer) + "\n"
    return text


def define_text(entries):
    text = ""
    for entry in entries:
        if entry.doc:
            name = re.sub(r"\s+", " ", re.sub(r"^#define (\w+(?:\([^)]*\))?).*", r"\1", entry.code, flags=re.S))
            text += f"*{escape(name)}*\n\t{guard(inline(entry.doc))}\n\n"
    return text and "## Constants\n\n" + text


def types(entries):
    text = "".join(type_text(e) for e in entries if e.kind in ("enum", "struct", "typedef"))
    return text + define_text([e for e in entries if e.kind == "define"])


def function_text(entry):
    purpose, members, body, context, answer = kernel_doc(entry.doc)
    text = f"## {escape(entry.name)}\n\n" + literal(tidy(signature(entry))) + "\n"
    if purpose:
        text += guard(inline(purpose[0].upper() + purpose[1:])) + ".\n\n"
    text += listing(members) + prose(body)
    if context:
        text += f"Context: {inline(context)}\n\n"
    if answer:
        text += "Returns:" + ("\n\n" if re.search(r"-E", answer) else " ") + returns(answer) + "\n"
    return text


def functions(entries):
    """A helper without a comment of its own is what its operation is, or goes with the one before it."""
    meanings = {name: re.sub(r"^\[\w+\] ", "", meaning)
                for e in entries if e.kind == "enum" for name, meaning in enum_members(e.code)}
    calls = [e for e in entries if e.kind == "function"]
    for before, entry in zip([None, *calls], calls):
        if not entry.doc:
            meaning = meanings.get(entry.name.upper(), f"as {before.name}()" if before else "")
            entry.doc = (meaning if "(" in meaning.split()[0] else meaning.capitalize()) + "."
    return "".join(function_text(e) for e in calls)


def part(name, header, include):
    with open(os.path.join(include, header), encoding="utf-8") as file:
        summary, essay, entries = parse(file.read())
    if name == "summary":
        return re.sub(r"\.$", "", summary) + "\n"
    if name == "essay":
        return prose(essay)
    if name == "synopsis":
        return synopsis(header, entries)
    return {"types": types, "functions": functions}[name](entries)


def fill(page, include):
    """The page with every request for a part of a header answered."""
    def answer(found):
        return found["before"] + part(found["part"], found["header"], include).rstrip("\n")

    request = r"^(?P<before>[\w, ]+ - )?@(?P<part>summary|essay|synopsis|types|functions) (?P<header>\w+\.h)$"
    return re.sub(request, lambda m: (m["before"] or "") + part(m["part"], m["header"], include).rstrip("\n"),
                  page, flags=re.M)


def link(page, paths):
    for path in paths:
        with open(path, "w", encoding="utf-8") as file:
            file.write(f".so {page}\n")


def main():
    if len(sys.argv) > 3 and sys.argv[1] == "--links":
        return link(sys.argv[2], sys.argv[3:])
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    if sys.argv[1] == "--names":
        with open(sys.argv[2], encoding="utf-8") as file:
            print("\n".join(e.name for e in parse(file.read())[2] if e.kind == "function"))
        return
    with open(sys.argv[1], encoding="utf-8") as file:
        sys.stdout.write(fill(file.read(), sys.argv[2]))


if __name__ == "__main__":
    main()
