"""Everything about a specimen that is drawn: who it talks to, by what means, what it overwrites, what things are called.

One Draw serves a specimen and its twin, so that they differ in the one property and in nothing else.
"""
import random
from dataclasses import dataclass

PEER = object()  # stands in a command where the peer goes

PROGRAMS = """healthd sensord bedlinkd telemd viewer clockd powerd netwatch devinfo stationd loggerd ledctl batmon keyd panelctl
probed trendd alarmctl scaled nodeagent paneld reportd""".split()
WORDS = """state item frame node chart panel probe trend input level page slot table entry index chan group phase unit block rate
limit gauge cache batch event field label order queue stage token value width""".split()
VERBS = """apply begin check close drain enter fetch flush grow handle keep load make next open pass post pull push read renew
ring scan send shift show start step store sweep tick walk work write""".split()
PLACES = ["/opt/bin", "/opt/app", "/usr/local/bin", "/usr/bin", "/usr/sbin", "/opt/device/bin", "/usr/lib/device"]
MOUNTS = ["/mnt", "/mnt/nfs", "/tmp/mnt", "/media/net", "/var/mnt"]
STAGES = ["/tmp", "/var/tmp", "/tmp/work", "/var/run"]
SHARES = ["pm", "fw", "export/app", "srv/image", "home/release", "data/bin", "nfsroot/opt"]


@dataclass(frozen=True)
class Means:
    """How new code arrives: commands as lists of parts. Only `fetch` names the peer; a signature can be checked after it,
    a version after `unpack`, both before `install`."""

    name: str
    kind: str  # replace, or execute
    fetch: tuple
    unpack: tuple
    install: tuple
    after: tuple = ()
    verifiable: bool = True  # what is fetched lies on local storage before it is installed


class Draw:
    def __init__(self, seed, rung, abi, opt, link):
        self._key = f"{seed}/{rung}/{abi}/{opt}/{link}"
        self.rng = rng = self.stream("facts")
        self._taken = set()
        self._names = {}
        self.program = rng.choice(PROGRAMS)
        block = rng.choice(["198.51.100", "203.0.113"])
        self.peer = f"{block}.{rng.randrange(2, 254)}"
        self.port = rng.choice([rng.randrange(1024, 49151), 80, 8080, 8000, 21, 69, 9000])
        self.share = rng.choice(SHARES)
        self.mount = rng.choice(MOUNTS)
        self.stage = f"{rng.choice(STAGES)}/{rng.choice(WORDS)}{rng.randrange(10, 99)}"
        self.remote = f"{rng.choice(WORDS)}/{rng.choice(WORDS)}{rng.choice(['.bin', '.img', '.tar', '', '.pkg'])}"
        self.target = f"{rng.choice(PLACES)}/{rng.choice([name for name in PROGRAMS if name != self.program])}"
        self.size = rng.choice([160, 192, 200, 256, 300, 384, 512])
        self.block = rng.choice([512, 1000, 1024, 2048, 4096])
        self.key = rng.randrange(1, 255)
        self.values = {}

    def stream(self, purpose):
        """A generator of its own for one purpose, so that a twin's other needs shift nothing."""
        return random.Random(f"{self._key}/{purpose}")

    def __getitem__(self, name):
        """The value of a template's @name@."""
        if name[:2] in ("f.", "v.", "t."):
            return self._identifier(name)
        found = self.values.get(name)
        return getattr(self, name) if found is None else found

    def _identifier(self, name):
        rng = self.stream(name)
        while name not in self._names:
            word, other = rng.sample(WORDS, 2)
            made = {"f": f"{rng.choice(VERBS)}_{word}", "v": f"{word}_{other}", "t": f"{word.capitalize()}{other.capitalize()}"}[name[0]]
            if made not in self._taken:
                self._taken.add(made)
                self._names[name] = made
        return self._names[name]

    def means(self, verifiable_only=False):
        """One way of fetching, drawn from those that the pair allows."""
        every = [each for each in self._all_means() if each.verifiable or not verifiable_only]
        return self.rng.choice(every)

    def _all_means(self):
        stage, target, remote = self.stage, self.target, self.remote
        folder, _, own = target.rpartition("/")
        url = ("http://", PEER, f":{self.port}/{remote}")
        unpack = ((f"mkdir -p {stage}.d",), (f"tar -xf {stage} -C {stage}.d",))
        copy = ((f"cp -f {stage}.d/program {target}",), (f"chmod 755 {target}",))
        start = ((f"sh {stage}.d/program",),)
        mount = self.rng.choice([
            ("mount -o nolock -t nfs ", PEER, f":/{self.share} {self.mount}"),
            ("mount -t nfs -o nolock,soft,ro ", PEER, f":/{self.share} {self.mount}"),
            ("mount -t cifs //", PEER, f"/{self.share} {self.mount} -o guest"),
        ])
        signature = lambda command: tuple(part + ".sig" if isinstance(part, str) and part.endswith(remote) else
                                          part.replace(stage, f"{stage}.sig") if isinstance(part, str) else part for part in command)
        wget = (f"wget -q -O {stage} ", *url)
        curl = (f"curl -s -o {stage} ", *url)
        tftp = (f"tftp -g -l {stage} -r {remote} ", PEER)
        ftpget = ("ftpget -u device -p device ", PEER, f" {stage} {remote}")
        tftp_signature = (f"tftp -g -l {stage}.sig -r {remote}.sig ", PEER)
        ftpget_signature = ("ftpget -u device -p device ", PEER, f" {stage}.sig {remote}.sig")
        return [
            Means("nfs-or-cifs", "replace", (mount,), (), ((f"cp -rf {self.mount}/{own} {folder}",),), ((f"umount {self.mount}",),), False),
            Means("nfs-or-cifs staged", "replace",
                  (mount, (f"cp -f {self.mount}/{remote.split('/')[1]} {stage}",),
                   (f"cp -f {self.mount}/{remote.split('/')[1]}.sig {stage}.sig",), (f"umount {self.mount}",)), unpack, copy),
            Means("wget", "replace", (wget, signature(wget)), unpack, copy),
            Means("wget", "execute", (wget, signature(wget)), unpack, start),
            Means("curl", "replace", (curl, signature(curl)), unpack, copy),
            Means("curl piped", "execute", (("curl -s http://", PEER, f":{self.port}/{remote} | sh"),), (), (), (), False),
            Means("wget piped", "execute", (("wget -q -O - http://", PEER, f":{self.port}/{remote} | sh"),), (), (), (), False),
            Means("wget over", "replace", ((f"wget -q -O {target} ", *url),), (), ((f"chmod 755 {target}",),), (), False),
            Means("tftp", "replace", (tftp, tftp_signature), unpack, copy),
            Means("ftpget", "execute", (ftpget, ftpget_signature), unpack, start),
            Means("nc", "execute", (("nc ", PEER, f" {self.port} > {stage}"),), (), ((f"chmod +x {stage}",), (f"{stage}",)), (), False),
        ]

    def verifier(self):
        return self.rng.choice([
            f"openssl dgst -sha256 -verify /etc/keys/update.pem -signature {self.stage}.sig {self.stage}",
            f"usign -V -q -m {self.stage} -x {self.stage}.sig -p /etc/keys/update.pub",
            f"minisign -V -q -p /etc/keys/update.pub -x {self.stage}.sig -m {self.stage}",
        ])


def spoken(command, peer):
    """The command as the shell would read it."""
    return "".join(peer if part is PEER else part for part in command)
