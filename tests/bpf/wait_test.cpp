// SPDX-License-Identifier: GPL-2.0-only
// What packets under way may still hold is not used again before they have left: a change waits for
// them between taking a record out of use and freeing it. Here it dies while it waits.
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <boost/test/unit_test.hpp>
#include <csignal>
#include <cstddef>
#include <functional>

#include "plugin/map.h"
#include "tests/bpf/expect.h"
#include "tests/bpf/picture.h"

namespace xdplb::test {

namespace {

const auto quiet = ServiceId::parse("192.0.2.10:80/tcp");
const auto busy = ServiceId::parse("192.0.2.11:80/tcp");
const auto first = BackendId::parse("10.0.0.2");

// The system call that waits for packets ends the process.
bool make_waiting_deadly() {
  std::array<sock_filter, 4> filter{{
      {BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, nr)},
      {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, SYS_membarrier},
      {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_KILL_PROCESS},
      {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW},
  }};
  const sock_fprog program{filter.size(), filter.data()};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

// Whether the change waits for packets: it is made up to there.
bool dies_waiting(const std::function<void()>& change) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    if (!make_waiting_deadly()) ::_exit(2);
    try {
      change();
    } catch (...) {
      ::_exit(1);
    }
    ::_exit(0);
  }
  int status = 0;
  BOOST_TEST_REQUIRE(::waitpid(pid, &status, 0) == pid);
  return WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;
}

struct Rig : Balancer {
  Rig() {
    add_service(quiet.to_string());
    add_backend(quiet.to_string(), "10.0.0.1", 1);
    add_service(busy.to_string());
    add_backend(busy.to_string(), "10.0.0.2", 2);
    add_backend(busy.to_string(), "10.0.0.3", 3);
    for (int i = 0; i < 10; i++)
      BOOST_TEST(run(build({.to = busy.vip, .sport = static_cast<std::uint16_t>(i)})).verdict ==
                 XDP_TX);
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(wait)

BOOST_AUTO_TEST_CASE(before_a_backend_is_freed) {
  Rig rig;
  const auto handle = rig.state().find_backend(rig.state().service(busy), first)->handle;
  const auto counted = Counters(rig.pins()).of_backend(handle).packets;
  BOOST_TEST_REQUIRE(dies_waiting([&] { rig.state().delete_backend(busy, first, Removal::now); }));
  // No slot has it any more, and nobody else can have it yet.
  BOOST_TEST(load(rig.pins().backends()[handle].conf).state == LB_BACKEND_REMOVED);
  BOOST_TEST(Counters(rig.pins()).of_backend(handle).packets == counted);
  BOOST_TEST(rig.state().slots_of(rig.state().service(busy))[handle] == 0U);
  rig.state().settle();
  BOOST_TEST(load(rig.pins().backends()[handle].conf).state == LB_BACKEND_FREE);
  BOOST_TEST(Counters(rig.pins()).of_backend(handle).packets == 0U);
}

BOOST_AUTO_TEST_CASE(before_a_service_is_freed) {
  Rig rig;
  const auto number = rig.state().service(busy).number;
  const auto& record = rig.pins().services()[number];
  const auto handle = rig.state().find_backend(rig.state().service(busy), first)->handle;
  BOOST_TEST_REQUIRE(dies_waiting([&] { rig.state().delete_service(busy); }));
  BOOST_TEST(load(record.conf).state == LB_SERVICE_REMOVED);
  BOOST_TEST(load(record.table).line != 0U);  // its place in the arena is not free either
  BOOST_TEST(load(rig.pins().backends()[handle].conf).state != LB_BACKEND_FREE);
  BOOST_TEST(rig.run(build({.to = busy.vip})).verdict == XDP_PASS);
  rig.state().settle();
  BOOST_TEST(load(record.conf).state == LB_SERVICE_FREE);
  BOOST_TEST(load(record.table).line == 0U);
  BOOST_TEST(load(rig.pins().backends()[handle].conf).state == LB_BACKEND_FREE);
}

// The old index and the old place of it are given up by the wait at the change's end.
BOOST_AUTO_TEST_CASE(after_a_new_index) {
  Rig rig;
  BOOST_TEST(dies_waiting([&] { rig.add_service("192.0.2.12:80/tcp"); }));
  BOOST_TEST(rig.run(build({.to = ip("192.0.2.12")})).verdict == XDP_DROP);
  BOOST_TEST(rig.run(build({.to = busy.vip})).verdict == XDP_TX);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace xdplb::test
