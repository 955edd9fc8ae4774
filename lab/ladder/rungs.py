"""The rungs: for one draw, the sources and files of a specimen or of its twin.

A pair is drawn first: the twin's peer is typed by the operator, or comes from a setting that ships empty, or what is
fetched is verified and its version compared. The planted half then lacks exactly that: its peer is fixed, or the check is
absent or its answer ignored.
"""
import base64
import pathlib
import re
import sys

from draw import PEER, spoken
from template import render

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import labkit  # noqa: E402
from labkit import link, regular  # noqa: E402

RUNGS = [f"L{number}" for number in range(9)]
PAIRS = {"L0": ["typed", "setting", "verified"], "L7": ["setting", "typed", "verified"]}
GUARD_LINE = "[ -e /run/closed-box ] || exit 97\n"

FILLER_CALLS = {
    "mean": '  {\n    int samples[] = {@some.numbers@};\n    printf("mean %d\\n", @f.mean@(samples, 6));\n  }',
    "sum": '  printf("sum %08x\\n", @f.sum@((const unsigned char *)argv[0], strlen(argv[0])));',
    "hex": '  {\n    char text[9];\n    @f.hex@(text, (const unsigned char *)"\\1\\2\\3\\4", 4);\n    puts(text);\n  }',
    "band": '  puts(@f.band@(argc));',
    "uptime": '  printf("up %ld s\\n", @f.uptime@());',
    "sort": '  {\n    int levels[] = {@some.numbers@};\n    printf("median %d\\n", @f.median@(levels, 6));\n  }',
}


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def template(name):
    return (HERE / "templates" / name).read_text()


def _filler(draw):
    chunks = dict(re.findall(r"//@ (\w+)\n(.*?)(?=//@|\Z)", template("filler.c"), re.S))
    chosen = draw.rng.sample(sorted(chunks), draw.rng.randrange(2, 5))
    draw.values["some.numbers"] = ", ".join(str(draw.rng.randrange(200)) for _ in range(6))
    return "".join(chunks[name] for name in chosen), "\n".join(FILLER_CALLS[name].replace("@some.numbers@", draw.values["some.numbers"]) for name in chosen)


def _with_prototypes(source):
    found = re.findall(r"^((?:static |inline )*(?:int|long|unsigned|void|size_t|const char \*|ssize_t)\b[^;={}()]*\([^;{}]*\)) \{", source, re.M)
    lines = [head + ";" for head in found if " main(" not in head]
    return source.replace("/*PROTOTYPES*/", "\n".join(dict.fromkeys(lines)))


def _split(command):
    """(text before the peer, text after it, or None when the command names no peer)."""
    if PEER not in command:
        return "".join(command), None
    at = command.index(PEER)
    return "".join(command[:at]), "".join(command[at + 1:])


class Style:
    """How a program of one rung says a command: the lines that prepare it and the expression that runs it."""

    def __init__(self, draw, fixed):
        self.draw = draw
        self.fixed = fixed  # the peer is in the code
        self.globals = []
        self.helpers = []
        self.popen = draw.rng.random() < 0.3

    def run(self, argument):
        return f'pclose(popen({argument}, "r"))' if self.popen else f"system({argument})"

    def locals(self):
        return f"  char @v.line@[{self.draw.size}];"


class Literal(Style):
    """L1: the whole line stands in the code. (The twin puts the typed peer into it.)"""

    def say(self, command):
        before, after = _split(command)
        if after is None:
            return [], self.run(quoted(before))
        if self.fixed:
            return [], self.run(quoted(spoken(command, self.draw.peer)))
        return [f"  snprintf(@v.line@, sizeof @v.line@, {quoted(before + '%s' + after)}, @v.server@);"], self.run("@v.line@")


class Formatted(Style):
    """L2: put together from globals by one call."""

    def __init__(self, draw, fixed):
        super().__init__(draw, fixed)
        self.bounded = draw.rng.random() < 0.6
        value = quoted(draw.peer) if fixed else '""'
        self.globals.append(f"static char @v.host@[64] = {value};")
        self.count = 0

    def take(self):
        return "" if self.fixed else 'snprintf(@v.host@, sizeof @v.host@, "%s", @v.typed@);'

    def say(self, command):
        before, after = _split(command)
        words = before.split(" ")
        self.count += 1
        name = f"@v.word{self.count}@"
        self.globals.append(f"static const char *{name} = {quoted(words[0])};")
        rest = " ".join(words[1:])
        text = "%s " + rest + ("" if after is None else "%s" + after)
        arguments = name + ("" if after is None else ", @v.host@")
        target = "snprintf(@v.line@, sizeof @v.line@, " if self.bounded else "sprintf(@v.line@, "
        return [f"  {target}{quoted(text)}, {arguments});"], self.run("@v.line@")


class Built(Style):
    """L3: the peer travels through two calls; a helper strings the parts together."""

    BODIES = {
        "strcat": "  strcpy(line, a);\n  strcat(line, b);\n  strcat(line, c);\n",
        "append": "  size_t used = (size_t)snprintf(line, sizeof line, \"%s\", a);\n  used += (size_t)snprintf(line + used, sizeof line - used, \"%s\", b);\n"
                  "  snprintf(line + used, sizeof line - used, \"%s\", c);\n",
        "memcpy": "  size_t one = strlen(a), two = strlen(b), three = strlen(c);\n  memcpy(line, a, one);\n  memcpy(line + one, b, two);\n"
                  "  memcpy(line + one + two, c, three);\n  line[one + two + three] = '\\0';\n",
        "heap": None,
    }
    ENDS = {
        "system": "  return system({0});\n",
        "popen": "  {{\n    FILE *out = popen({0}, \"r\");\n    return out == NULL ? -1 : pclose(out);\n  }}\n",
        "exec": "  {{\n    int status = -1;\n    pid_t child = fork();\n    if (child == 0) {{\n      execl(\"/bin/sh\", \"sh\", \"-c\", {0}, (char *)NULL);\n"
                "      _exit(127);\n    }}\n    if (child < 0 || waitpid(child, &status, 0) != child) return -1;\n    return status;\n  }}\n",
    }

    def __init__(self, draw, fixed):
        super().__init__(draw, fixed)
        body = draw.rng.choice(sorted(self.BODIES))
        end = self.ENDS[draw.rng.choice(sorted(self.ENDS))]
        text = f"@storage@int @f.run@(const char *a, const char *b, const char *c) {{\n"
        if body == "heap":
            text += "  int result;\n  char *line = malloc(strlen(a) + strlen(b) + strlen(c) + 1);\n  if (line == NULL) return -1;\n" \
                    "  sprintf(line, \"%s%s%s\", a, b, c);\n  result = @f.shell@(line);\n  free(line);\n  return result;\n}"
            self.helpers.append(f"@storage@int @f.shell@(const char *line) {{\n{end.format('line')}}}")
        else:
            text += f"  char line[{draw.size * 2}];\n{self.BODIES[body]}{end.format('line')}}}"
        self.helpers.append(text)
        self.fetches = 0

    def locals(self):
        return ""

    def say(self, command):
        before, after = _split(command)
        if after is None:
            first, _, rest = before.partition(" ")
            return [], f"@f.run@({quoted(first)}, \" \", {quoted(rest)})"
        self.fetches += 1
        name = f"@f.fetch{self.fetches}@"
        self.helpers.append(f"@storage@int {name}(const char *host) {{\n  return @f.run@({quoted(before)}, host, {quoted(after)});\n}}")
        return [], f"{name}(@v.server@)"


class Decoded(Style):
    """L6: every word lies encoded in the program and is decoded by a loop just before use."""

    def __init__(self, draw, fixed):
        super().__init__(draw, fixed)
        self.scheme = draw.rng.choice(["xor", "add", "xor position", "reversed xor", "add step", "table"])
        self.whole = draw.rng.random() < 0.5
        self.table = list(range(256))
        draw.rng.shuffle(self.table)
        self.count = 0
        key = draw.key
        step = {"xor": f"(char)(in[i] ^ {key})", "add": f"(char)(in[i] - {key})", "xor position": f"(char)(in[i] ^ ({key} + i))",
                "reversed xor": f"(char)(in[n - 1 - i] ^ {key})", "add step": f"(char)(in[i] - {key} - 3 * i)", "table": "(char)@v.table@[in[i]]"}[self.scheme]
        if self.scheme == "table":
            inverse = [self.table.index(value) for value in range(256)]
            self.globals.append("static const unsigned char @v.table@[256] = {" + ", ".join(map(str, inverse)) + "};")
        self.helpers.append(f"@storage@void @f.decode@(char *out, const unsigned char *in, int n) {{\n  int i;\n  for (i = 0; i < n; ++i) out[i] = {step};\n"
                            "  out[n] = '\\0';\n}")

    def locals(self):
        return f"  char @v.line@[{self.draw.size + 200}];"

    def _encoded(self, text):
        key, data = self.draw.key, text.encode()
        made = {"xor": lambda: [b ^ key for b in data], "add": lambda: [(b + key) & 255 for b in data],
                "xor position": lambda: [b ^ (key + i & 255) for i, b in enumerate(data)],
                "reversed xor": lambda: [b ^ key for b in reversed(data)],
                "add step": lambda: [(b + key + 3 * i) & 255 for i, b in enumerate(data)], "table": lambda: [self.table[b] for b in data]}[self.scheme]()
        self.count += 1
        name = f"@v.hidden{self.count}@"
        self.globals.append(f"static const unsigned char {name}[] = {{{', '.join(map(str, made))}}};")
        return name

    def say(self, command):
        before, after = _split(command)
        decode = "@f.decode@(@v.line@{0}, {1}, sizeof {1});".format
        if after is None or (self.fixed and self.whole):
            return ["  " + decode("", self._encoded(spoken(command, self.draw.peer)))], self.run("@v.line@")
        end = " + strlen(@v.line@)"
        peer = decode(end, self._encoded(self.draw.peer)) if self.fixed else \
            'snprintf(@v.line@ + strlen(@v.line@), 64, "%s", @v.server@);'
        lines = ["  " + decode("", self._encoded(before)), "  " + peer]
        if after:
            lines.append("  " + decode(end, self._encoded(after)))
        return lines, self.run("@v.line@")


class Written(Style):
    """L7: the program writes a script and runs it; the script holds the commands."""

    def say(self, command):
        before, after = _split(command)
        text = (before + self.draw.peer + after if self.fixed else before + "%s" + after) if after is not None else before
        argument = ", @v.server@" if after is not None and not self.fixed else ""
        return [f"  fprintf(@v.script@, {quoted(text)} \"\\n\"{argument});"], None


def _statements(style, means, pair, wants_signature):
    """fetch, unpack, install and after as text."""
    def lines_of(commands, failure):
        out = []
        for command in commands:
            if not wants_signature and any(isinstance(part, str) and ".sig" in part for part in command):
                continue
            before, expression = style.say(command)
            out += before
            if failure is None:
                out.append(f"  {expression};")
            else:
                out.append(f"  if ({expression} != 0) return @f.stop@({quoted(failure)});")
        return "\n".join(out)

    return {"fetch": lines_of(means.fetch, "refused: nothing was fetched"), "unpack": lines_of(means.unpack, None),
            "install": lines_of(means.install, "refused: could not be written"), "after": lines_of(means.after, None)}


def _written_script(style, draw, means, wants_signature):
    """fetch and install of L7's script: each half is written to a file and given to the shell."""
    def half(commands, name, failure):
        lines = [f"  @v.script@ = fopen({quoted(name)}, \"w\");", "  if (@v.script@ == NULL) return -1;",
                 "  fputs(\"#!/bin/sh\\n[ -e /run/closed-box ] || exit 97\\n\", @v.script@);"]
        for command in commands:
            if wants_signature or not any(isinstance(part, str) and ".sig" in part for part in command):
                lines += style.say(command)[0]
        return "\n".join([*lines, "  fclose(@v.script@);", f"  if (system({quoted('/bin/sh ' + name)}) != 0) return @f.stop@({quoted(failure)});"])

    return {"fetch": half(means.fetch, draw.stage + ".sh", "refused: nothing was fetched"),
            "unpack": half(means.unpack, draw.stage + ".un.sh", "refused: not an archive") if means.unpack else "",
            "install": half([*means.install, *means.after], draw.stage + ".in.sh", "refused: could not be written")
            if means.install or means.after else "", "after": ""}


def _of_means(draw, means):
    """What truth.json says about the way that was drawn."""
    words = " ".join(spoken(command, draw.peer) for command in means.fetch)
    return {"means": means.name, "kind": means.kind, "target": draw.target if means.kind == "replace" else None,
            "port": draw.port if str(draw.port) in words and means.name.split()[0] in ("wget", "curl", "nc") else None,
            "commands": [spoken(command, draw.peer) for command in (*means.fetch[:1], *means.install[:1])]}


STARTERS = {
    "call": ("", "@f.update@({peer});"),
    "table": ("""
static const char *@v.chosen@;
static int @f.idle@(void) { return @v.chosen@ == NULL; }
static int @f.now@(void) { return @f.update@(@v.chosen@); }
static int (*const @v.actions@[])(void) = {@f.idle@, @f.now@};
""", """@v.chosen@ = {peer};
  for (argc = 0; argc < 2; ++argc) @v.actions@[argc]();"""),
    "signal": ("""
static const char *volatile @v.chosen@;
static void @f.on_alarm@(int number) {
  (void)number;
  @f.update@(@v.chosen@);
}
""", """@v.chosen@ = {peer};
  signal(SIGALRM, @f.on_alarm@);
  alarm(1);
  pause();"""),
    "thread": ("""
static void *@f.worker@(void *data) {
  @f.update@((const char *)data);
  return NULL;
}
""", """{{
    pthread_t thread;
    if (pthread_create(&thread, NULL, @f.worker@, (void *){peer}) == 0) pthread_join(thread, NULL);
  }}"""),
}


def _config_reader(draw):
    return """@storage@size_t @f.config@(const char *file, const char *key, char *out, size_t size) {
  char line[160];
  size_t wanted = strlen(key);
  FILE *in = fopen(file, "r");
  out[0] = '\\0';
  if (in == NULL) return 0;
  while (fgets(line, sizeof line, in) != NULL) {
    if (strncmp(line, key, wanted) != 0 || line[wanted] != '=') continue;
    line[strcspn(line, "\\r\\n")] = '\\0';
    snprintf(out, size, "%s", line + wanted + 1);
    break;
  }
  fclose(in);
  return strlen(out);
}"""


def _c_program(draw, rung, pair, role, facts):
    """A program of L1, L2, L3, L6, L7 or L8 that runs command lines."""
    fixed = pair == "verified" or (role == "planted" and pair == "typed")
    starter = "call"
    kinds = {"L1": Literal, "L2": Formatted, "L3": Built, "L6": Decoded, "L7": Written, "L8": Literal}
    if rung == "L8":
        starter = draw.rng.choice(["table", "signal", "thread"])
    style_type = kinds[rung] if not (rung == "L7" and pair == "setting") else Built
    style = style_type(draw, fixed and rung != "L8")
    means = draw.means(verifiable_only=pair == "verified")
    wants_signature = pair == "verified" and (role == "twin" or facts["check"] == "ignored")
    steps = _written_script(style, draw, means, wants_signature) if style_type is Written else _statements(style, means, pair, wants_signature)
    verify = draw.verifier()
    if style_type is Decoded or style_type is Built:
        verify_call = f"system({quoted(verify)})"
    else:
        verify_call = style.run(quoted(verify))
    literal_peer = style_type in (Built, Written) or rung == "L8"
    peer = "@v.typed@" if pair == "setting" or not fixed else quoted(draw.peer) if literal_peer else '"none"'
    if rung == "L7" and fixed:
        peer = '"none"'
    declared, start = STARTERS[starter]
    helpers = list(style.helpers)
    take = style.take() if isinstance(style, Formatted) else ""
    if pair == "setting":
        helpers.append(_config_reader(draw))
        take = '@f.config@("/etc/@program@.conf", "server", @v.typed@, sizeof @v.typed@);'
    filler, calls = _filler(draw)
    elsewhere = "198.51.100.7" if draw.peer != "198.51.100.7" else "198.51.100.8"
    help_peer = draw.peer if rung == "L1" else elsewhere
    help_line = spoken(means.fetch[0], help_peer) if rung != "L6" else "asks for a newer program and puts it in place"
    draw.values.update(
        common=template("common.h"), prototypes="/*PROTOTYPES*/", globals="\n".join(style.globals),
        includes="#include <pthread.h>\n#include <signal.h>\n#include <sys/wait.h>", filler=filler, filler_calls=calls,
        helpers="\n//#\n".join(helpers), steps="", help=("example: " + help_line).replace('"', '\\"'),
        locals=style.locals() if style_type is not Written else "  FILE *@v.script@;", verify=verify_call,
        starters=declared, take_peer=take, start=start.format(peer=peer), storage=facts["storage"], **steps)
    facts.update(_of_means(draw, means), starter=starter, style=style_type.__name__.lower())
    if isinstance(style, Decoded):
        facts["decoding"] = style.scheme
    flags = {role if role == "planted" else pair, *( ["setting"] if pair == "setting" else [])}
    if role == "planted" and pair == "verified" and facts["check"] == "ignored":
        flags.add("ignored")
    text = template("program.c").replace("@helpers@", draw.values["helpers"]).replace("@filler@", draw.values["filler"])
    return "program.c", text, flags


def _integer_peer(draw, destination):
    a, b, c, d = map(int, draw.peer.split("."))
    form = draw.rng.choice(["htonl", "bytes", "shifts"])
    if form == "htonl":
        return f"{destination} = htonl(0x{a:02x}{b:02x}{c:02x}{d:02x}u);", form
    if form == "shifts":
        return f"{destination} = htonl({a}u << 24 | {b}u << 16 | {c}u << 8 | {d}u);", form
    return f"((volatile unsigned char *)&{destination})[0] = {a};\n  ((volatile unsigned char *)&{destination})[1] = {b};\n" \
           f"  ((volatile unsigned char *)&{destination})[2] = {c};\n  ((volatile unsigned char *)&{destination})[3] = {d};", form


def _socket_program(draw, abi, pair, role, facts, shape):
    """A program of L4 or L5: stream, mount2 or raw (without the library's calls)."""
    kind = draw.rng.choice(["replace", "execute"])
    filler, calls = _filler(draw)
    integer, form = _integer_peer(draw, "@v.address@.sin_addr.s_addr" if shape == "raw" else "@v.host@")
    if shape == "raw":
        integer = integer.replace("htonl(", "htobe32(")  # no library to call
    draw.values.update(
        common=template("common.h"), raw_call=template("raw_call.h"), prototypes="/*PROTOTYPES*/", filler=filler, filler_calls=calls,
        integer_peer=integer, storage=facts["storage"], inline=draw.rng.choice(["static inline ", "static __attribute__((noinline)) "]),
        recv=draw.rng.choice(["recv(@v.stream@, @v.block@, sizeof @v.block@, 0)", "read(@v.stream@, @v.block@, sizeof @v.block@)"]),
        mount_flags=draw.rng.choice(["0", "MS_NOATIME", "MS_RDONLY", "MS_NOSUID | MS_NODEV"]),
        help="example: mount -o nolock -t nfs 198.51.100.7:/pm /mnt")
    facts.update(port=None if shape == "mount2" else draw.port, target=draw.target if kind == "replace" or shape == "mount2" else None, commands=[])
    facts.update(means={"stream": "socket", "mount2": "mount(2)", "raw": "raw system calls"}[shape], kind=kind, starter="call", style=shape)
    if shape != "mount2":
        facts["address_form"] = form
    flags = {role if role == "planted" else pair, kind}
    if role == "planted" and pair == "verified" and facts["check"] == "ignored":
        flags.add("ignored")
    if shape == "raw" and abi == "i386" and draw.rng.random() < 0.5:
        flags.add("socketcall")
    return {"stream": "stream.c", "mount2": "mount2.c", "raw": "raw.c"}[shape], template({"stream": "stream.c", "mount2": "mount2.c", "raw": "raw.c"}[shape]), flags


def _cpp_lines(draw, commands, fixed_form, indent, wants_signature):
    out = []
    for number, command in enumerate(commands):
        if not wants_signature and any(isinstance(part, str) and ".sig" in part for part in command):
            continue
        before, after = _split(command)
        name = f"@v.text_{number}@"
        if after is None:
            out.append(f"{indent}if (std::system({quoted(before)}) != 0) return -1;")
        elif fixed_form == "stream":
            out.append(f"{indent}std::ostringstream {name};\n{indent}{name} << {quoted(before)} << @v.server@ << {quoted(after)};\n"
                       f"{indent}if (std::system({name}.str().c_str()) != 0) return -1;")
        else:
            out.append(f"{indent}std::string {name} = {quoted(before)};\n{indent}{name} += @v.server@;\n{indent}{name}.append({quoted(after)});\n"
                       f"{indent}if (std::system({name}.c_str()) != 0) return -1;")
    return "\n".join(out)


def _cpp_program(draw, pair, role, facts):
    means = draw.means(verifiable_only=pair == "verified")
    wants_signature = pair == "verified" and (role == "twin" or facts["check"] == "ignored")
    form = draw.rng.choice(["stream", "string"])
    draw.values.update(
        verify_text=draw.verifier(), help="example: mount -o nolock -t nfs 198.51.100.7:/pm /mnt",
        cpp_fetch=_cpp_lines(draw, means.fetch, form, "    ", wants_signature),
        cpp_unpack=_cpp_lines(draw, means.unpack, form, "    ", wants_signature),
        cpp_install=_cpp_lines(draw, [*means.install, *means.after], form, "    ", wants_signature))
    facts.update(_of_means(draw, means), starter="virtual", style=f"c++ {form}")
    flags = {role if role == "planted" else pair}
    if role == "planted" and pair == "verified" and facts["check"] == "ignored":
        flags.add("ignored")
    return "virtual.cc", template("virtual.cc"), flags


def _script(draw, pair, role, facts):
    """L0: the commands of an init script, its words plain, in variables or in functions."""
    means = draw.means(verifiable_only=pair == "verified")
    form = draw.rng.choice(["plain", "variables", "function"])
    fixed = pair == "verified" or (role == "planted" and pair == "typed")
    wants_signature = pair == "verified" and (role == "twin" or facts["check"] == "ignored")
    name = draw["v.host"].upper()
    step = draw["f.fetch"]
    peer = draw.peer if fixed and form == "plain" else "$1" if form == "function" else f"${{{name}}}"
    # A command's peer is part of a word here, so the reference needs no quotes of its own.
    fetch = [spoken(command, peer) for command in means.fetch if wants_signature or not any(isinstance(p, str) and ".sig" in p for p in command)]
    local = lambda commands: [spoken(command, "") for command in commands]
    verify = draw.verifier()
    refuse = lambda why: '{ echo "refused: ' + why + f'" >> /var/log/{draw.program}.log; exit 1; }}'
    lines = [f"# {draw.program}: example: {spoken(means.fetch[0], '198.51.100.7')}"]
    if pair == "setting":
        lines += [f"[ -f /etc/{draw.program}.conf ] && . /etc/{draw.program}.conf", f"{name}=$server", f'[ -n "${name}" ] || exit 0']
    elif pair == "typed" and role == "twin":
        lines += ['echo "Server:"', f"read -r {name}", f'[ -n "${name}" ] || exit 0']
    elif form != "plain":
        lines += [f"{name}={draw.peer}"]
    body = [line + (" || exit 1" if number == 0 else "") for number, line in enumerate(fetch)]
    if form == "function":
        lines += [f"{step}() {{", *("\t" + line for line in body), "}", f'{step} "${name}"']
    else:
        lines += body
    if pair == "verified" and role == "twin":
        lines += [f"{verify} || {refuse('signature verification failed')}"]
    elif wants_signature:
        lines += [verify]
    lines += local(means.unpack)
    if pair == "verified" and role == "twin":
        lines += [f'[ "$(cat {draw.stage}.d/version)" -gt "$(cat /etc/{draw.program}.version)" ] || {refuse("not newer")}']
    elif wants_signature:
        lines += [f'echo "$(cat {draw.stage}.d/version) over $(cat /etc/{draw.program}.version)"']
    lines += [*local(means.install), *local(means.after), f'echo "update done" >> /var/log/{draw.program}.log']
    if pair == "typed" and role == "planted":
        lines += ['echo "Label:"', "read -r label", 'echo "label $label"']
    facts.update(_of_means(draw, means), starter="script", style=f"script {form}")
    return "#!/bin/sh\n" + GUARD_LINE + "\n".join(lines) + "\n"


def build_source(draw, rung, abi, link_kind, pair, role):
    """(facts, source name, source text) of one half of a pair; for L0 the text is the script and the name is None."""
    rng = draw.stream("shape")
    facts = {"check": rng.choice(["absent", "ignored"]), "storage": rng.choice(["static ", ""])}
    if rung == "L0":
        return facts, None, _script(draw, pair, role, facts)
    if rung == "L4":
        name, text, flags = _socket_program(draw, abi, pair, role, facts, rng.choice(["stream", "mount2"]))
    elif rung == "L5":
        shape = "raw" if link_kind == "dynamic" else rng.choice(["raw", "stream", "mount2"])
        name, text, flags = _socket_program(draw, abi, pair, role, facts, shape)
        if shape == "raw" and link_kind == "dynamic":
            flags.add("hosted")
    elif rung == "L8" and rng.random() < 0.4:
        name, text, flags = _cpp_program(draw, pair, role, facts)
    else:
        name, text, flags = _c_program(draw, rung, pair, role, facts)
    return facts, name, _with_prototypes(render(text, flags, draw, draw.stream("order")))


def guard_source(draw, freestanding):
    if not freestanding:
        return "guard.c", (HERE.parent / "guard" / "guard.c").read_text()
    draw.values.update(raw_call=template("raw_call.h"), inline="static ")
    return "guard_start.c", render(template("guard_start.c"), set(), draw, draw.stream("order"))


def usign_key():
    """The lab's public key as usign and minisign keep it."""
    import signing
    der = labkit.run(["openssl", "pkey", "-pubin", "-outform", "DER"], input=signing.public_key())
    return "untrusted comment: public key of the lab\n" + base64.b64encode(b"Ed" + bytes(range(8)) + der[-32:]).decode() + "\n"


def image_tree(draw, pair, role, program, script):
    """The small root file system around a program (bytes) or an L0 script (text)."""
    rng = draw.stream("image")
    number = rng.randrange(20, 90)
    start = rng.choice(["numbered", "inittab", "rc.local"])
    path = f"usr/bin/{draw.program}"
    tree = {
        "bin/sh": link("busybox"), "etc/passwd": regular("root:x:0:0:root:/:/bin/sh\n"), "tmp/.keep": regular(""), "var/log/.keep": regular(""),
        f"etc/{draw.program}.version": regular(f"{rng.randrange(1, 40)}\n"),
        "etc/keys/update.pem": regular((HERE / "update.pem").read_text()), "etc/keys/update.pub": regular(usign_key()),
    }
    begin = "#!/bin/sh\n" + GUARD_LINE
    inittab = "::sysinit:/etc/init.d/rcS\n::askfirst:-/bin/sh\n"
    rc = begin + "mount -t proc proc /proc\nfor script in /etc/init.d/S??*; do\n\t\"$script\" start\ndone\n[ -x /etc/rc.local ] && /etc/rc.local\n"
    if script is not None:
        path = f"etc/init.d/S{number}{draw.program}" if start == "numbered" else f"usr/sbin/{draw.program}.sh"
        tree[path] = regular(script, 0o755)
    else:
        tree[path] = regular(program, 0o755)
        if start == "numbered":
            tree[f"etc/init.d/S{number}{draw.program}"] = regular(begin + f"/{path} &\n", 0o755)
    if start == "inittab":
        inittab += f"::once:/{path}\n"
    if start == "rc.local":
        tree["etc/rc.local"] = regular(begin + f"/{path}\n", 0o755)
    if f"/{path}" != draw.target:  # what is overwritten is a program of the image, started at every boot
        tree[draw.target[1:]] = regular(begin + "while sleep 60; do\n\tdate > /tmp/alive\ndone\n", 0o755)
        tree["etc/init.d/S95" + draw.target.rpartition("/")[2]] = regular(begin + draw.target + " &\n", 0o755)
    tree["etc/inittab"] = regular(inittab)
    tree["etc/init.d/rcS"] = regular(rc, 0o755)
    if pair == "setting":
        value = draw.peer if role == "planted" else ""
        tree[f"etc/{draw.program}.conf"] = regular(f"# settings of {draw.program}\ninterval=60\nserver={value}\n")
    return tree, "/" + path
