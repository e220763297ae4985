// SPDX-License-Identifier: GPL-2.0-only
#include "tests/net/cli_fixture.h"

#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <filesystem>
#include <functional>
#include <sstream>
#include <string_view>

#include "plugin/error.h"
#include "plugin/map.h"

namespace xdplb::test {

namespace {

Words completed(Words words) {
  const auto is = [&](const char* verb) { return !words.empty() && words[0] == verb; };
  const bool loads = is("load") || is("apply");
  if (loads || is("upgrade")) {
    const bool given = std::ranges::any_of(
        words, [](const auto& word) { return word == "-o" || word.starts_with("--object"); });
    if (!given) words.insert(words.end(), {"--object", XDP_LB_OBJECT});
    if (loads) words.push_back("--single-ok");
  }
  words.insert(words.begin(), XDP_LB_LOADER);
  return words;
}

// A map's identity and its contents, where they are the loader's alone: those are mapped.
std::string map_text(const std::string& path) {
  const Fd map(::bpf_obj_get(path.c_str()));
  bpf_map_info info{};
  std::uint32_t size = sizeof(info);
  if (!map || ::bpf_obj_get_info_by_fd(map.get(), &info, &size) != 0) return "unreadable";
  auto text = "id " + std::to_string(info.id);
  if ((info.map_flags & BPF_F_MMAPABLE) == 0) return text;
  const Mapping mapping(map, std::size_t{info.value_size} * info.max_entries, false, path);
  const auto bytes = mapping.as<const char>();
  const auto hash = std::hash<std::string_view>()({bytes.data(), bytes.size()});
  return text + ", contents " + std::to_string(hash);
}

void add_bpffs(Snapshot& snapshot) {
  struct stat root {};
  if (::stat(bpffs, &root) != 0) return;
  snapshot[bpffs] = "mode " + std::to_string(root.st_mode);
  std::error_code error;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(bpffs, error)) {
    const auto path = entry.path().string();
    struct stat status {};
    // libxdp makes its folder the first time that it looks for chains.
    if (::stat(path.c_str(), &status) != 0 || path == std::string(bpffs) + "/xdp") continue;
    snapshot[path] = "mode " + std::to_string(status.st_mode);
    if (path.starts_with(pin_path) && entry.is_regular_file())
      snapshot[path] += ", " + map_text(path);
  }
}

}  // namespace

Machine::Machine() {
  if (::mount("bpf", bpffs, "bpf", 0, "mode=0700") != 0)
    throw SystemError(errno, "mounting a bpffs");
  host.ip("link add name eth0 type veth peer name eth1\n"
          "link set eth0 up\n"
          "link set eth1 up\n"
          "address add 10.0.0.1/24 dev eth0\n"
          "address add fd00::1/64 dev eth0");
  for (const auto* family : {"ipv4", "ipv6"})
    host.sysctl(std::string(family) + "/conf/eth0/forwarding", "1");
}

Machine::~Machine() { ::umount2(bpffs, MNT_DETACH); }

Outcome Machine::run(const std::string& line) const { return run(split(line)); }

Outcome Machine::run(Words words) const { return host.run(completed(std::move(words))); }

void Machine::load() { loader.load("eth0", "native"); }

void Machine::load_with_services() {
  load();
  for (const auto* line :
       {"service add 192.0.2.10:80/tcp", "service add [2001:db8::10]:53/udp",
        "backend add 192.0.2.10:80/tcp 10.0.0.2 -w 3",
        "backend add 192.0.2.10:80/tcp 10.0.0.3 -w 0", "backend add [2001:db8::10]:53/udp fd00::2",
        "backend add [2001:db8::10]:53/udp fd00::3 --next-hop "
        "02:00:5e:00:53:01%eth0"})
    loader.require(line);
}

Snapshot take_snapshot(const Machine& machine) {
  Snapshot snapshot;
  add_bpffs(snapshot);
  for (const auto& link : nlohmann::json::parse(machine.host.require(split("ip -j link"))))
    snapshot["XDP on " + link.at("ifname").get<std::string>()] =
        link.contains("xdp") ? link.at("xdp").at("prog").at("id").dump() : "none";
  // "10.0.0.2 dev eth0 managed ...": neighbours that the kernel was asked to keep
  std::istringstream neighbours(machine.host.require(split("ip neighbour show nud all")));
  for (std::string line; std::getline(neighbours, line);)
    if (line.find(" managed") != std::string::npos)
      snapshot["neighbour " + split(line)[0]] = split(line)[2];
  return snapshot;
}

std::string differences(const Snapshot& before, const Snapshot& after) {
  std::string text;
  for (const auto& [name, value] : before) {
    const auto found = after.find(name);
    if (found == after.end())
      text += "\n  " + name + " is gone";
    else if (found->second != value)
      text += "\n  " + name + " was " + value + ", is " + found->second;
  }
  for (const auto& [name, value] : after)
    if (!before.contains(name)) text += "\n  " + name + " is new: " + value;
  return text;
}

void check_status(const Outcome& outcome, int status) {
  BOOST_TEST(outcome.status == status, outcome.status << ": " << outcome.out << outcome.err);
}

void check_words(const Outcome& outcome) {
  for (const auto* foreign : {"filesystem error", "Unknown error", "terminate called",
                              "std::", "basic_string", "json.exception"})
    BOOST_TEST(outcome.err.find(foreign) == std::string::npos, "it says: " << outcome.err);
}

void check_refused(const Machine& machine, const Words& words, int status,
                   const std::string& message) {
  const auto before = take_snapshot(machine);
  const auto outcome = machine.run(words);
  BOOST_TEST(outcome.status == status, "it said: " << outcome.err);
  BOOST_TEST(outcome.err.find(message) != std::string::npos,
             "'" << message << "' is not in: " << outcome.err);
  BOOST_TEST((outcome.err.starts_with("xdp-lb: ") || outcome.err.starts_with("Usage: ")),
             "it said: " << outcome.err);
  check_words(outcome);
  const auto changed = differences(before, take_snapshot(machine));
  BOOST_TEST(changed.empty(), "it changed:" << changed);
}

void check_refused(const Machine& machine, const std::vector<BadLine>& lines) {
  for (const auto& [line, status, message] : lines) BOOST_TEST_CONTEXT("xdp-lb " << line) {
      check_refused(machine, split(line), status, message);
    }
}

}  // namespace xdplb::test
