// SPDX-License-Identifier: GPL-2.0-only
#include "tests/net/injected.h"

#include <cstdlib>
#include <fstream>

namespace xdplb::test {

namespace {

// With these options of strace.
Outcome run_traced(const Host& host, const std::string& options, const std::string& line) {
  return host.run(split("strace -f -qq -o /run/trace " + options + " " XDP_LB_LOADER " " + line));
}

}  // namespace

Words calls_of(const Host& host, const std::string& call, const std::string& line) {
  const auto outcome = run_traced(host, "-e trace=" + call, line);
  BOOST_REQUIRE_MESSAGE(outcome.status == 0, outcome.err);
  std::ifstream trace("/run/trace");
  Words calls;
  for (std::string one; std::getline(trace, one);) calls.push_back(one);
  return calls;
}

int count_calls(const Host& host, const std::string& call, const std::string& line) {
  return static_cast<int>(calls_of(host, call, line).size());
}

bool changes_something(const std::string& call) {
  if (call.find(" bpf(") == std::string::npos) return true;
  const auto has = [&](const char* command) { return call.find(command) != std::string::npos; };
  return has("BPF_MAP_UPDATE") || has("BPF_MAP_DELETE") || has("BPF_OBJ_PIN") || has("BPF_LINK_") ||
         has("BPF_PROG_ATTACH") || has("BPF_PROG_DETACH");
}

Outcome run_injected(const Host& host, const std::string& call, const std::string& what, int nth,
                     const std::string& line) {
  const auto inject = call + ":" + what + ":when=" + std::to_string(nth);
  return run_traced(host, "-e trace=" + call + " -e inject=" + inject, line);
}

boost::test_tools::assertion_result has_strace(boost::unit_test::test_unit_id) {
  boost::test_tools::assertion_result result(std::system("strace -V >/dev/null 2>&1") == 0);
  result.message() << "strace is missing";
  return result;
}

}  // namespace xdplb::test
