// SPDX-License-Identifier: GPL-2.0-only
// Checks of what administrators get to read when they wrote something wrong.
#pragma once

#include <boost/test/unit_test.hpp>
#include <string>
#include <vector>

#include "plugin/error.h"

namespace xdplb::test {

struct Bad {
  std::string text;
  std::string message;  // part of what is said of it
};

// Each text is refused as the administrator's mistake, with its message and with a hint.
template <typename Parse>
void check_refused(Parse parse, const std::vector<Bad>& all) {
  for (const auto& [text, message] : all) BOOST_TEST_CONTEXT("text '" << text << "'") {
      try {
        parse(text);
        BOOST_ERROR("was accepted");
      } catch (const Error& error) {
        const std::string what = error.what();
        BOOST_TEST(what.find(message) != std::string::npos, "the message is: " << what);
        BOOST_TEST(!error.hint().empty(), "no hint with: " << what);
        BOOST_TEST(error.exit_code() == 2);
      }
    }
}

}  // namespace xdplb::test
