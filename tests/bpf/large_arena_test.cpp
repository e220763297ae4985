// SPDX-License-Identifier: GPL-2.0-only
// The largest arena is two elements of lb_arena.
#include <bpf/bpf.h>

#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <fstream>
#include <string>

#include "plugin/error.h"
#include "tests/support/bpf_fixture.h"

namespace xdplb::test {

namespace {

constexpr auto id = "192.0.2.10:80/tcp";

boost::test_tools::assertion_result memory(boost::unit_test::test_unit_id) {
  constexpr unsigned long needed = 3UL << 20;
  std::ifstream file("/proc/meminfo");
  unsigned long kilobytes = 0;
  for (std::string word; kilobytes == 0 && file >> word;)
    if (word == "MemAvailable:") file >> kilobytes;
  boost::test_tools::assertion_result enough(kilobytes >= needed);
  enough.message() << "an arena of 1 GiB: only " << kilobytes << " kB of memory are available";
  return enough;
}

std::uint32_t length_in_kernel(int program) {
  bpf_prog_info info{};
  std::uint32_t size = sizeof(info);
  if (::bpf_obj_get_info_by_fd(program, &info, &size) != 0)
    throw SystemError(errno, "looking at a program");
  return info.xlated_prog_len;
}

struct Service : Balancer {
  explicit Service(std::uint32_t arena_size) : Balancer(arena_size) {
    add_service(id);
    add_backend(id, "10.0.0.1", 1);
    add_backend(id, "10.0.0.2", 2);
  }
  [[nodiscard]] std::uint16_t backend_for(std::uint16_t sport) const {
    return backend_of(run(build({.to = ip("192.0.2.10"), .sport = sport})).out);
  }
  [[nodiscard]] std::uint32_t line() const { return load(pins().services()[0].table).line; }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(large_arena)

BOOST_AUTO_TEST_CASE(two_elements, *boost::unit_test::precondition(memory)) {
  const Service small(1U << 20);
  const Service large(LB_ARENA_MAX);
  BOOST_TEST(large.pins().arena_size() == std::size_t{LB_ARENA_MAX});
  BOOST_TEST(large.line() >= LB_ARENA_ELEMENT / LB_LINE);
  std::map<std::uint16_t, int> seen;
  for (std::uint16_t sport = 1; sport < 500; sport++) {
    const auto backend = large.backend_for(sport);
    BOOST_TEST_REQUIRE(backend != 0);
    BOOST_TEST_REQUIRE(backend == small.backend_for(sport));
    seen[backend]++;
  }
  BOOST_TEST(seen.size() == 2U);
  // What a smaller arena has no need of, its program doesn't have.
  BOOST_TEST(length_in_kernel(large.program()) > length_in_kernel(small.program()));
  BOOST_TEST(pinned_arena_size(large.pins().path()).value_or(0) == LB_ARENA_MAX);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace xdplb::test
