"""Why: the stories are what judgement is graded on. Each must refuse outside the closed box, name only documentation
addresses, carry its guard in every script, and differ from its twin in no more than it says; twins that verify are run
against recorders with a verifier that says no, and must write nothing."""
import ipaddress
import re
import sys
import unittest

import inert
import labkit
import recorder

sys.path.insert(0, str(labkit.SOURCE / "stories"))
import stories  # noqa: E402

DOCUMENTATION = [ipaddress.ip_network(each) for each in ("198.51.100.0/24", "203.0.113.0/24")]
# Commands that put new code in place, by story: what the planted half must do and a verified twin must not.
INSTALLS = {
    "growatt-shinelan": ("usr/bin/datalogger", "flashcp /tmp/lan.bin /dev/mtd3"),
    "homee-usb": ("usr/lib/mdev/usb-update", "dd if=/tmp/new/rootfs.img"),
    "medtronic-2090": ("usr/sbin/sdn-update", "cp -rf /tmp/sdn/new/bin /usr/local"),
    "monitor-usb": ("opt/bin/usbcheck", "cp -rf /tmp/new/bin /opt"),
    "adups": ("usr/sbin/fota.sh", "wget -q -O /tmp/offer "),
    "anyka-card": ("etc/rc.local", "sh /tmp/update/update.sh"),
}
QUIET_INSTALLS = {
    "quiet-verified-fetch": ("usr/sbin/update", "cp -rf"),
    "quiet-verified-fetch-c": ("usr/sbin/updated", "cp -f"),
    "quiet-usb-verified": ("usr/lib/mdev/usb-update", "flashcp"),
}


def every():
    for name in stories.names():
        story = stories.story_of(name)
        for role in stories.roles(story):
            yield name, story, role, stories.tree_of(name, role)


class Stories(unittest.TestCase):
    def test_every_one_refuses_outside_the_box(self):
        started = 0
        for name, story, role, tree in every():
            with inert.Place(tree) as place:
                for path, node in sorted(tree.items()):
                    if node.content.startswith(b"#!"):
                        status, words = place.start_script(path)
                    elif path.endswith(".so"):  # started by the program that loads it
                        self.assertIn(b"/run/closed-box\0", node.content)
                        continue
                    elif path in story.get("programs", {}):
                        status, words = place.start_program(path, story["abi"], recorder.sysroot(story["abi"]))
                    elif path in story.get("efi", {}):  # no host starts it; its entry point is the guard
                        self.assertIn("ClosedBox".encode("utf-16-le"), node.content)
                        continue
                    else:
                        continue
                    started += 1
                    self.assertEqual(status, inert.REFUSED, f"{name} {role} {path}: {words!r}")
        print(f"{started} programs and scripts started, all refused")

    def test_only_documentation_private_and_loopback_addresses(self):
        for name, story, role, tree in every():
            for path, node in tree.items():
                if path in [path for _, _, path in story.get("debian", [])]:
                    continue
                for found in re.findall(rb"(?<![0-9.])[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?![0-9.])", node.content):
                    address = ipaddress.ip_address(found.decode())
                    self.assertTrue(address.is_loopback or address in ipaddress.ip_network("192.168.0.0/16") or
                                    any(address in each for each in DOCUMENTATION), f"{name} {role} {path}: {address}")

    def test_scripts_begin_with_the_guard(self):
        for name, _, role, tree in every():
            for path, node in tree.items():
                if node.content.startswith(b"#!"):
                    self.assertEqual(node.content.split(b"\n")[1].decode() + "\n", stories.GUARD_LINE, f"{name} {role} {path}")

    def test_a_pair_differs_and_only_in_the_files_that_carry_the_story(self):
        for name in stories.names():
            story = stories.story_of(name)
            if story.get("quiet_only"):
                continue
            planted, twin = stories.tree_of(name, "planted"), stories.tree_of(name, "twin")
            differing = {path for path in planted | twin if planted.get(path) != twin.get(path)}
            self.assertTrue(1 <= len(differing) <= 3, f"{name}: {differing}")

    def test_planted_halves_install_and_twins_refuse(self):
        for name, (path, words) in INSTALLS.items():
            story = stories.story_of(name)
            for role in ("planted", "twin"):
                ran = recorder.record(stories.tree_of(name, role), path, story["abi"], typed="no\n")
                self.assertEqual(any(line.startswith(words) for line in ran), role == "planted", f"{name} {role}: {ran}")

    def test_quiet_updates_refuse_when_the_signature_fails(self):
        for name, (path, words) in QUIET_INSTALLS.items():
            ran = recorder.record(stories.tree_of(name, "quiet"), path, stories.story_of(name)["abi"], typed="yes\n")
            self.assertTrue(any(line.startswith("openssl dgst") for line in ran), f"{name}: {ran}")
            self.assertFalse(any(line.startswith(words) for line in ran), f"{name}: {ran}")


if __name__ == "__main__":
    why = inert.unavailable()
    if why:
        print(f"[  SKIPPED ] lab_stories_test: {why}")
        sys.exit(77)
    unittest.main()
