// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/diagnostics.h"

#include <bpf/libbpf.h>

#include <boost/test/unit_test.hpp>

namespace xdplb::test {
namespace {

BOOST_AUTO_TEST_SUITE(diagnostics)

BOOST_AUTO_TEST_CASE(go_on_after_others_within) {
  const Diagnostics outer;
  {
    const Diagnostics inner;
    BOOST_TEST(::bpf_object__open("/nowhere/inner.o") == nullptr);
    BOOST_TEST(inner.text().find("inner.o") != std::string::npos, inner.text());
  }
  BOOST_TEST(outer.text() == "");
  BOOST_TEST(::bpf_object__open("/nowhere/outer.o") == nullptr);
  BOOST_TEST(outer.text().find("outer.o") != std::string::npos, outer.text());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace xdplb::test
