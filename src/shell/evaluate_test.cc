// Why: rules see the words that a script runs with. A constant that is missed hides a peer; one that is made up accuses.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "shell/shell.h"

namespace shell {
namespace {

using testing::Contains;
using testing::ElementsAre;

Environment image(std::map<std::string, std::string> files) {
  Environment environment;
  environment.read_file = [files = std::move(files)](std::string_view path) -> std::optional<std::string> {
    const auto known = files.find(std::string(path));
    return known == files.end() ? std::nullopt : std::optional(known->second);
  };
  return environment;
}

std::string line_of(const Command& command) {
  std::string out;
  for (const auto& word : command.words) out += (out.empty() ? "" : " ") + word.text;
  return out;
}

// The words of every reached command that runs something, one string each.
std::vector<std::string> run(std::string_view text, const Environment& environment = {}) {
  std::vector<std::string> out;
  for (const auto& command : parse(text, "/etc/test.sh", environment).commands)
    if (command.reached && !command.words.empty()) out.push_back(line_of(command));
  return out;
}

const Command& find(const Script& script, std::string_view name) {
  for (const auto& command : script.commands)
    if (!command.words.empty() && command.words[0].text == name) return command;
  static const Command none;
  ADD_FAILURE() << "no command " << name;
  return none;
}

TEST(Evaluate, constants_reach_the_words) {
  EXPECT_THAT(run("SERVER=198.51.100.7\nOPTS='-o nolock -t nfs'\nmount $OPTS ${SERVER}:/pm \"/m n\"/x\n"),
              ElementsAre("mount -o nolock -t nfs 198.51.100.7:/pm /m n/x"));
  const auto script = parse("OPTS='-o nolock'\nmount $OPTS \"$OPTS\"", "/a", {});
  EXPECT_EQ(script.commands[1].words.size(), 4u) << "unquoted is split, quoted is not";
}

TEST(Evaluate, parameter_operators) {
  EXPECT_THAT(run("f=/a/b/c.tar.gz\ne=\necho ${f##*/} ${f%.*} ${f%%.*} ${f#*/} ${#f} ${e:-x} ${e-y}z ${e:+n} ${f:+s} ${f/b/Q} ${f:1:3}"),
              ElementsAre("echo c.tar.gz /a/b/c.tar /a/b/c a/b/c.tar.gz 13 x z s /a/Q/c.tar.gz a/b"));
  EXPECT_THAT(run("echo $((2 + 3 * (4 - 1))) $((1/0))"), ElementsAre("echo 11 $((1/0))"));
}

TEST(Evaluate, a_default_is_kept_beside_the_unknown) {
  const auto script = parse("mount ${HOST:-203.0.113.9}:/x /mnt", "/a", {});
  const auto& word = script.commands[0].words[1];
  EXPECT_EQ(word.text, "203.0.113.9:/x");
  EXPECT_THAT(word.alternatives, ElementsAre("203.0.113.9:/x", "${HOST}:/x"));
  EXPECT_EQ(word.origins[0].kind, Origin::Kind::default_expansion);
  EXPECT_EQ(word.origins[0].key, "HOST");
}

TEST(Evaluate, branches_join) {
  const auto script = parse("if [ -f /x ]; then A=1; else A=2; fi\nfoo $A", "/a", {});
  EXPECT_THAT(find(script, "foo").words[1].alternatives, ElementsAre("1", "2"));
  const auto one = parse("[ -n \"$1\" ] && A=$1\nfoo x$A", "/a", {});
  EXPECT_FALSE(find(one, "foo").words[1].resolved);
  const auto split = parse("O=-a\n[ -f /x ] && O='-b -c'\nfoo $O", "/a", {});
  std::vector<std::string> lines;
  for (const auto& command : split.commands)
    if (!command.words.empty() && command.words[0].text == "foo") lines.push_back(line_of(command));
  EXPECT_THAT(lines, ElementsAre("foo -a", "foo -b -c"));
}

TEST(Evaluate, a_guard_at_the_start_is_a_condition_and_not_an_end) {
  const auto script = parse("[ -f /marker ] || exit 0\nif ! grep -q x /proc/y; then exit 1; fi\ntelnetd -l /bin/sh\n", "/a", {});
  const auto& command = find(script, "telnetd");
  EXPECT_TRUE(command.reached);
  ASSERT_EQ(command.guards.size(), 2u);
  EXPECT_EQ(command.guards[0].kind, Condition::Kind::early_exit);
  EXPECT_EQ(command.guards[0].text, "[ -f /marker ]");
  EXPECT_FALSE(command.guards[0].negated);
  EXPECT_EQ(script.commands[command.guards[0].commands.at(0)].words[0].text, "[");
  EXPECT_TRUE(command.guards[1].negated) << "it goes on when the condition of the if fails";
}

TEST(Evaluate, constant_conditions_decide_what_is_reached) {
  EXPECT_THAT(run("DEBUG=0\n[ $DEBUG = 1 ] && telnetd\nif true; then a; else b; fi\nexit 0\nc\n"), ElementsAre("[ 0 = 1 ]", "true", "a", "exit 0"));
  EXPECT_THAT(run("while true; do a; done\nb"), ElementsAre("true", "a"));
  EXPECT_THAT(run("while true; do a && break; done\nb"), ElementsAre("true", "a", "break", "b"));
  EXPECT_THAT(run("for i in a b c; do [ $i = b ] && continue; x $i; done"), Contains("x c"));
  EXPECT_THAT(run("case up in up) a;; *) b;; esac"), ElementsAre("a"));
  EXPECT_THAT(run("(exit 1)\na"), ElementsAre("exit 1", "a")) << "a subshell ends alone";
}

TEST(Evaluate, functions_are_run_at_each_call) {
  const auto script = parse("up() { local dev=$1; shift; ifconfig $dev \"$@\"; }\nup eth0 up\nup wlan0 down now\nnever() { rm -rf /; }\n", "/a", {});
  std::vector<std::string> lines;
  for (const auto& command : script.commands)
    if (!command.words.empty() && command.words[0].text == "ifconfig") {
      lines.push_back(line_of(command));
      EXPECT_EQ(command.function, "up");
    }
  EXPECT_THAT(lines, ElementsAre("ifconfig eth0 up", "ifconfig wlan0 down now"));
  EXPECT_FALSE(find(script, "rm").reached);
  EXPECT_TRUE(find(script, "up").calls_function);
  EXPECT_EQ(script.functions[0].calls, 2u);
}

TEST(Evaluate, a_function_gives_its_output) {
  EXPECT_THAT(run("server() { echo 198.51.100.7; }\nwget http://$(server)/x"), Contains("wget http://198.51.100.7/x"));
  EXPECT_THAT(run("n=$(basename /a/b.sh .sh)\nd=`dirname /a/b.sh`\nfoo $n $d"), Contains("foo b /a"));
  EXPECT_THAT(run("a=$(printf '%s:%s' h 80)\nfoo $a"), Contains("foo h:80"));
}

TEST(Evaluate, dispatch_on_an_argument_reaches_all_branches) {
  EXPECT_THAT(run("start() { a; }\nstop() { b; }\ncase $1 in start) start;; stop) stop;; esac"), ElementsAre("start", "a", "stop", "b"));
  EXPECT_THAT(run("start() { a; }\n\"$1\""), Contains("a"));
  EXPECT_THAT(run("#!/bin/sh /etc/rc.common\nSTART=50\nstart() { telnetd; }\nother() { x; }\n"), ElementsAre("telnetd"));
}

TEST(Evaluate, unknowns_are_named_with_their_origin) {
  const auto script = parse("read line\nA=$(nvram get srv)\nfoo $line $A $1 $NOBODY $(date +%s)", "/a", {});
  const auto& words = find(script, "foo").words;
  EXPECT_EQ(words[1].origins[0].kind, Origin::Kind::input);
  EXPECT_EQ(words[2].text, "$(nvram get srv)");
  EXPECT_EQ(words[2].origins[0].kind, Origin::Kind::setting);
  EXPECT_EQ(words[2].origins[0].key, "srv");
  EXPECT_EQ(words[3].origins[0].kind, Origin::Kind::argument);
  EXPECT_EQ(words[4].origins[0].kind, Origin::Kind::environment);
  EXPECT_EQ(words[5].origins[0].kind, Origin::Kind::command);
  EXPECT_THAT(words[4].unknowns, ElementsAre("NOBODY"));
}

TEST(Evaluate, shipped_default_and_setting_differ) {
  const auto full = parse(". /etc/u.conf\nmount $SERVER:/x /m", "/a", image({{"/etc/u.conf", "# c\nSERVER=203.0.113.5\n"}}));
  EXPECT_EQ(find(full, "mount").words[1].text, "203.0.113.5:/x");
  EXPECT_EQ(find(full, "mount").words[1].origins[0].kind, Origin::Kind::sourced_file);
  EXPECT_EQ(find(full, "mount").words[1].origins[0].file, "/etc/u.conf");
  EXPECT_EQ(find(full, "mount").words[1].origins[0].line, 2u);
  for (const auto& files : {std::map<std::string, std::string>{{"/etc/u.conf", "SERVER=\n"}}, std::map<std::string, std::string>{}}) {
    const auto script = parse(". /etc/u.conf\n[ -n \"$SERVER\" ] || exit 0\nmount $SERVER:/x /m", "/a", image(files));
    const auto& mount = find(script, "mount");
    EXPECT_TRUE(mount.reached);
    EXPECT_FALSE(mount.words[1].resolved);
    EXPECT_EQ(mount.words[1].origins[0].kind, Origin::Kind::setting);
    EXPECT_EQ(mount.words[1].origins[0].file, "/etc/u.conf");
  }
}

TEST(Evaluate, files_of_the_image_are_read) {
  const auto files = image({{"/etc/srv", "203.0.113.5\n"}, {"/etc/k", "a=1\nserver=203.0.113.6\nempty=\n"}});
  EXPECT_THAT(run("foo $(cat /etc/srv)", files), Contains("foo 203.0.113.5"));
  EXPECT_THAT(run("foo $(grep ^server= /etc/k | cut -d= -f2)", files), Contains("foo 203.0.113.6"));
  EXPECT_THAT(run("foo $(cat /etc/k | grep server | awk -F= '{print $2}')", files), Contains("foo 203.0.113.6"));
  const auto script = parse("A=$(cat /etc/none)\nfoo $A", "/a", files);
  EXPECT_EQ(find(script, "foo").words[1].origins[0].kind, Origin::Kind::setting);
}

TEST(Evaluate, uci_values) {
  const auto files = image({{"/etc/config/up", "config server 'main'\n\toption host '203.0.113.5'\n\toption key ''\nconfig peer\n\toption ip 203.0.113.6\n"}});
  const auto script = parse(
      "config_load up\nconfig_get H main host\nconfig_get K main key\nconfig_get D main none 7\nfoo $H $K $D\n"
      "bar $(uci -q get up.@peer[0].ip) $(uci get up.main.key)\neach() { config_get IP $1 ip; baz $IP; }\nconfig_foreach each peer",
      "/a", files);
  const auto& foo = find(script, "foo").words;
  EXPECT_EQ(foo[1].text, "203.0.113.5");
  EXPECT_EQ(foo[1].origins[0].kind, Origin::Kind::config_get);
  EXPECT_EQ(foo[1].origins[0].key, "up.main.host");
  EXPECT_EQ(foo[2].origins[0].kind, Origin::Kind::setting);
  EXPECT_EQ(foo[3].text, "7");
  EXPECT_EQ(find(script, "bar").words[1].text, "203.0.113.6");
  EXPECT_EQ(find(script, "bar").words[2].origins[0].kind, Origin::Kind::setting);
  EXPECT_EQ(find(script, "baz").words[1].text, "203.0.113.6");
}

TEST(Evaluate, loops_over_constants_unroll) {
  EXPECT_THAT(run("for h in a b; do for p in 1 2; do c $h:$p; done; done"), ElementsAre("c a:1", "c a:2", "c b:1", "c b:2"));
  const auto script = parse("n=0\nwhile sleep 1; do n=$((n+1)); foo $n; done", "/a", {});
  EXPECT_TRUE(find(script, "foo").in_loop);
  EXPECT_FALSE(find(script, "foo").words[1].resolved) << "not one number";
}

TEST(Evaluate, command_strings_are_read) {
  EXPECT_THAT(run("H=203.0.113.5\nsh -c \"mount $H:/x /m && cp /m/* /opt\""), testing::IsSupersetOf({"mount 203.0.113.5:/x /m", "cp /m/* /opt"}));
  EXPECT_THAT(run("C='wget x'\neval $C -O y"), Contains("wget x -O y"));
  EXPECT_THAT(run("f() {\neval \"wget x\"\n}\nf | mtd write - y"), Contains("wget x"));
  EXPECT_THAT(run("trap 'rm /tmp/l' EXIT"), Contains("rm /tmp/l"));
  EXPECT_THAT(run("busybox timeout 5 sh -c 'nc h 1'"), Contains("nc h 1"));
}

TEST(Evaluate, pipes_redirects_and_captures_are_recorded) {
  const auto script = parse("wget -O- http://h/x | sh\n{ a; b; } > /o &\nsh -c \"$(curl h)\"\ncat <<E >f\nx $0\nE\n", "/a", {});
  EXPECT_EQ(script.commands[0].pipe_id, script.commands[1].pipe_id);
  EXPECT_EQ(script.commands[1].pipe_position, 1);
  EXPECT_EQ(find(script, "b").redirects.at(0).target.text, "/o");
  EXPECT_TRUE(find(script, "b").background);
  const auto& curl = find(script, "curl");
  ASSERT_TRUE(curl.captured_by.has_value());
  EXPECT_EQ(script.commands[*curl.captured_by].words[0].text, "sh");
  EXPECT_EQ(find(script, "cat").redirects.at(0).here_document, "x /a\n");
}

TEST(Evaluate, effective_command_takes_carriers_off) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"/bin/busybox mount -t nfs a b", "mount -t nfs a b"},
      {"nohup env A=1 nice -n 5 wget x", "wget x"},
      {"start-stop-daemon -S -b -x /usr/sbin/telnetd -- -l /bin/sh", "telnetd -l /bin/sh"},
      {"start-stop-daemon --start --quiet --pidfile /p --exec /sbin/d -- -f", "d -f"},
      {"exec timeout -t 5 ping h", "ping h"},
      {"timeout 10 ping h", "ping h"},
      {"find /m -name x -exec cp {} /opt \\;", "cp {} /opt"},
      {"procd_set_param command /usr/sbin/dropbear -F", "dropbear -F"},
      {"echo a | xargs -n 1 rm -f", "echo a"},
      {"xargs -n 1 rm -f", "rm -f"},
      {"command -v wget", "command -v wget"},
  };
  for (const auto& [text, expected] : cases) {
    const auto script = parse(text, "/a", {});
    const auto effective = effective_command(script.commands.at(0));
    std::string out = effective.name;
    for (const auto& word : effective.arguments) out += " " + word.text;
    EXPECT_EQ(out, expected) << text;
  }
  EXPECT_EQ(effective_command(parse("ssh root@h reboot", "/a", {}).commands.at(0)).peer, "h");
}

TEST(Evaluate, any_input_ends_within_its_bounds) {
  std::string nested;
  for (int i = 0; i < 12; ++i) nested += "for i" + std::to_string(i) + " in 1 2 3 4 5 6 7 8; do ";
  nested += "x; ";
  for (int i = 0; i < 12; ++i) nested += "done; ";
  EXPECT_LT(parse(nested, "/a", {}).commands.size(), 20'001u);
  std::string calls = "f0() { x; }\n";
  for (int i = 1; i < 40; ++i) calls += "f" + std::to_string(i) + "() { f" + std::to_string(i - 1) + "; f" + std::to_string(i - 1) + "; }\n";
  EXPECT_LT(parse(calls + "f39", "/a", {}).commands.size(), 20'001u);
  EXPECT_FALSE(parse("f() { f; }\nf", "/a", {}).commands.empty());
  std::string growing = "a=xxxxxxxxxxxxxxxx\n";
  for (int i = 0; i < 64; ++i) growing += "a=$a$a\n";
  EXPECT_LT(parse(growing + "foo $a", "/a", {}).commands.back().words.at(1).text.size(), 40'000u);
  EXPECT_FALSE(parse(". /a", "/a", image({{"/a", ". /a\n. /a\n"}})).commands.empty());
}

}  // namespace
}  // namespace shell
