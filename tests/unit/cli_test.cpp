// SPDX-License-Identifier: GPL-2.0-only
// The command line up to where a verb begins its work. What verbs do is tested in tests/net.
#include "loader/cli.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "plugin/error.h"
#include "tests/unit/said.h"

namespace xdplb {
namespace {

Arguments words(const std::string& text, char end = ' ') {
  std::istringstream in(text);
  Arguments all;
  for (std::string word; std::getline(in, word, end);)
    if (!word.empty()) all.push_back(word);
  return all;
}

// The line of a real verb, with a pin path at which none can do anything, should it begin to.
Arguments harmless(const std::string& text) { return words(text + " -p /proc"); }

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// Refused as the administrator's mistake, with a message that has this in it and a hint.
template <typename Function>
void check_refused(Function function, const std::string& message) {
  try {
    const Captured out(std::cout);
    function();
    BOOST_ERROR("was accepted");
  } catch (const Error& error) {
    BOOST_TEST(has(error.what(), message), "the message is: " << error.what());
    BOOST_TEST(!error.hint().empty(), "no hint with: " << error.what());
    BOOST_TEST(error.exit_code() == 2);
  }
}

// The verbs as the help of all of them lists them.
std::vector<std::string> listed_verbs(const std::string& help) {
  std::vector<std::string> verbs;
  std::istringstream lines(help);
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with("  ")) verbs.push_back(line.substr(2, line.find("  ", 2) - 2));
  return verbs;
}

const auto all_verbs =
    words("load,unload,upgrade,status,service add,service set,service del,service list,"
          "backend add,backend set,backend del,backend drain,backend up,backend down,"
          "backend list,backend-setup,peer add,peer del,peer "
          "list,settle,plan,apply,confirm,save,import ipvs,"
          "import keepalived,simulate,digest,announce,stats,drops,metrics,trace,check",
          ',');

BOOST_AUTO_TEST_SUITE(cli)

BOOST_AUTO_TEST_CASE(help_lists_every_verb) {
  for (const auto* option : {"--help", "-h"}) {
    const auto said = run({option});
    BOOST_TEST(said.code == 0);
    BOOST_TEST(said.err.empty());
    BOOST_TEST(said.out.starts_with("Usage: xdp-lb VERB"));
    BOOST_TEST(listed_verbs(said.out) == all_verbs, boost::test_tools::per_element());
  }
}

BOOST_AUTO_TEST_CASE(no_verb_is_wrong_usage) {
  const auto said = run({});
  BOOST_TEST(said.code == 2);
  BOOST_TEST(said.out.empty());
  BOOST_TEST(said.err.starts_with("Usage: xdp-lb VERB"));
}

BOOST_AUTO_TEST_CASE(groups) {
  for (const std::string group : {"service", "backend", "peer", "import"}) {
    std::vector<std::string> verbs;
    std::ranges::copy_if(all_verbs, std::back_inserter(verbs),
                         [&](const auto& verb) { return verb.starts_with(group + " "); });
    for (const auto* option : {"--help", "-h"}) {
      const auto help = run({group, option});
      BOOST_TEST(help.code == 0);
      BOOST_TEST(help.out.starts_with("Usage: xdp-lb " + group + " VERB"));
      BOOST_TEST(listed_verbs(help.out) == verbs, boost::test_tools::per_element());
    }
    const auto alone = run({group});
    BOOST_TEST(alone.code == 2);
    BOOST_TEST(alone.out.empty());
    BOOST_TEST(listed_verbs(alone.err) == verbs, boost::test_tools::per_element());
  }
}

BOOST_AUTO_TEST_CASE(version_on_every_level) {
  const std::string version = "xdp-lb " XDP_LB_VERSION "\n";
  BOOST_TEST(run({"--version"}).out == version);
  BOOST_TEST(run({"service", "--version"}).out == version);
  BOOST_TEST(run({"backend", "--version"}).out == version);
  for (const auto& verb : all_verbs) {
    const auto said = run(harmless(verb + " --version"));
    BOOST_TEST(said.code == 0);
    BOOST_TEST(said.out == version);
  }
}

BOOST_AUTO_TEST_CASE(help_of_every_verb) {
  for (const auto& verb : all_verbs)
    for (const auto* option : {" --help", " -h"}) BOOST_TEST_CONTEXT(verb + option) {
        const auto said = run(harmless(verb + option));
        BOOST_TEST(said.code == 0);
        BOOST_TEST(said.err.empty());
        BOOST_TEST(said.out.starts_with("Usage: xdp-lb " + verb + " [OPTION...]"));
        for (const auto* common :
             {"-p [ --pin-path ] PATH", "-j [ --json ]", "-h [ --help ]", "--version"})
          BOOST_TEST(has(said.out, common), common);
        std::istringstream lines(said.out);
        for (std::string line; std::getline(lines, line);) BOOST_TEST(line.size() <= 100, line);
      }
}

// Whatever else is on the line, even what would be wrong.
BOOST_AUTO_TEST_CASE(help_wins) {
  BOOST_TEST(run(harmless("backend add --help 1 2 3 4")).code == 0);
  BOOST_TEST(run(harmless("load eth0 --prio x --help")).code == 0);
}

BOOST_AUTO_TEST_CASE(unknown_verbs) {
  for (const std::string line :
       {"foo", "serv", "services", "Load", "loa", "help", "-x", "--foo", "-p", "--pin-path",
        "service foo", "service ad", "service -x", "service --json", "backend 192.0.2.1",
        "load-all", "servicelist", "unload-all --help"})
    BOOST_TEST_CONTEXT(line) {
      const auto given = words(line);
      const bool group = given[0] == "service" || given[0] == "backend";
      const auto name = group ? given[0] + " " + given[1] : given[0];
      check_refused([&] { run_cli(given); }, "unknown verb '" + name + "'");
    }
  check_refused([] { run_cli({""}); }, "unknown verb ''");
  check_refused([] { run_cli({"service", ""}); }, "unknown verb 'service '");
}

BOOST_AUTO_TEST_CASE(unknown_options) {
  for (const auto& verb : all_verbs)
    for (const std::string option : {"--foo", "--foo=1", "-x", "--jso", "--pin", "--PIN-PATH=/x",
                                     "--hel", "--vers", "--parameters", "--parameter=1"})
      BOOST_TEST_CONTEXT(verb << " " << option) {
        check_refused([&] { run_cli(harmless(verb + " " + option)); }, verb + ": ");
      }
}

// Names of options are never guessed from their beginnings: scripts would break with the next one.
BOOST_AUTO_TEST_CASE(no_abbreviations) {
  for (const std::string line :
       {"load --pri 5 eth0", "load --actio XDP_PASS eth0", "load --single eth0", "unload --al",
        "unload --keep eth0", "status --chec", "stats --inter 1", "service add --slot 512 x",
        "service set --bal off x", "backend add --wei 1 x y", "backend set --next 1 x y"})
    BOOST_TEST_CONTEXT(line) {
      check_refused([&] { run_cli(harmless(line)); }, "unrecognised option");
    }
}

BOOST_AUTO_TEST_CASE(wrong_numbers_of_parameters) {
  for (const std::string line :
       {"load", "service add", "service set", "service del", "backend add", "backend add a",
        "backend set a", "backend del a", "backend drain a", "backend up a", "backend down a",
        "backend-setup"})
    check_refused([&] { run_cli(harmless(line)); }, "parameters are missing");
  for (const std::string line :
       {"service add a b", "service set a b", "service del a b", "service list b",
        "backend add a a b", "backend set a a b", "backend del a a b", "backend list a b",
        "stats a b", "backend drain a a b", "backend up a a b", "backend-setup a a b", "settle b"})
    check_refused([&] { run_cli(harmless(line)); }, "unexpected parameter 'b'");
}

// What can't be read, why, and what to do.
BOOST_AUTO_TEST_CASE(files_that_can_not_be_read) {
  for (const std::string verb : {"plan --offline", "import ipvs"}) {
    check_refused([&] { run_cli(harmless(verb + " /proc")); }, "/proc: Is a directory");
    check_refused([&] { run_cli(harmless(verb + " /proc/none")); },
                  "/proc/none: No such file or directory");
  }
}

BOOST_AUTO_TEST_CASE(a_limit_that_would_not_be_heeded) {
  check_refused([] { run_cli(harmless("plan --offline --max-move 0 /dev/null")); },
                "--max-move is not for --offline");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(command)

Command example(const std::string& parameters = "NAME [MORE...]") {
  Command command("do", "Does something.", parameters);
  command.flag("loud,l", "noise").option("weight,w", "N", "how much").epilogue("Example: none.");
  return command;
}

BOOST_AUTO_TEST_CASE(what_was_given) {
  auto command = example();
  BOOST_TEST(command.parse(words("-w 5 one --loud two --json -p /x")));
  BOOST_TEST((command.get("weight") == "5"));
  BOOST_TEST(command.has("loud"));
  BOOST_TEST(command.json());
  BOOST_TEST(command.pin_path() == "/x");
  BOOST_TEST(command.parameters() == words("one two"), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(what_was_not_given) {
  auto command = example();
  BOOST_TEST(command.parse({"one"}));
  BOOST_TEST(!command.get("weight").has_value());
  BOOST_TEST(!command.has("loud"));
  BOOST_TEST(!command.json());
  BOOST_TEST(command.pin_path() == "/sys/fs/bpf/xdp-lb");
}

BOOST_AUTO_TEST_CASE(ways_to_write_an_option) {
  for (const std::string line :
       {"-w5 x", "-w 5 x", "--weight 5 x", "--weight=5 x", "-lw5 x", "-lw 5 x", "x -w 5"}) {
    auto command = example();
    BOOST_TEST(command.parse(words(line)), line);
    BOOST_TEST((command.get("weight") == "5"), line);
    BOOST_TEST(command.parameters() == words("x"), boost::test_tools::per_element());
  }
}

BOOST_AUTO_TEST_CASE(parameters_behind_two_dashes) {
  auto command = example();
  BOOST_TEST(command.parse(words("-l -- --weight -x")));
  BOOST_TEST(command.parameters() == words("--weight -x"), boost::test_tools::per_element());
  BOOST_TEST(!command.get("weight").has_value());
}

BOOST_AUTO_TEST_CASE(bad_lines) {
  for (const std::string line : {"x --weight", "x -w", "x -w 1 -w 2", "x --weight 1 -w 1",
                                 "x --loud=1", "x --json=yes", "x -p", "x -z", "x --w 1", "x ---"})
    BOOST_TEST_CONTEXT(line) {
      auto command = example();
      check_refused([&] { command.parse(words(line)); }, "do: ");
    }
}

BOOST_AUTO_TEST_CASE(how_many_parameters) {
  struct Case {
    std::string usage;
    std::size_t least;
    std::size_t most;  // 9: any number
  };
  for (const auto& [usage, least, most] : std::vector<Case>{{"", 0, 0},
                                                            {"NAME", 1, 1},
                                                            {"[NAME]", 0, 1},
                                                            {"NAME...", 1, 9},
                                                            {"[NAME...]", 0, 9},
                                                            {"NAME ADDRESS[:PORT]", 2, 2},
                                                            {"NAME [OTHER]", 1, 2},
                                                            {"NAME [OTHER...]", 1, 9}})
    for (std::size_t count = 0; count < 9; count++)
      BOOST_TEST_CONTEXT(count << " for '" << usage << "'") {
        auto command = example(usage);
        const Arguments given(count, "x");
        if (count >= least && (most == 9 || count <= most))
          BOOST_TEST(command.parse(given));
        else
          check_refused([&] { command.parse(given); }, count < least ? "missing" : "unexpected");
      }
}

BOOST_AUTO_TEST_CASE(own_help) {
  const Captured out(std::cout);
  auto command = example();
  BOOST_TEST(!command.parse({"--help"}));
  for (const auto* part : {"Usage: xdp-lb do [OPTION...] NAME [MORE...]\n", "Does something.",
                           "-w [ --weight ] N", "how much", "-l [ --loud ]", "Example: none."})
    BOOST_TEST(has(out.text(), part), part);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace xdplb
