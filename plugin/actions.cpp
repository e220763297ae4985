// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/actions.h"

#include <algorithm>
#include <string>

#include "plugin/error.h"

namespace xdplb {

unsigned parse_actions(std::string_view text) {
  unsigned mask = 0;
  while (true) {
    const auto comma = text.find(',');
    const auto word = text.substr(0, comma);
    const auto found = std::ranges::find(action_names, word);
    if (found == action_names.end())
      throw Error("'" + std::string(word) + "' is no XDP action",
                  "give some of XDP_ABORTED,XDP_DROP,XDP_PASS,XDP_TX,XDP_REDIRECT");
    mask |= 1U << (found - action_names.begin());
    if (comma == std::string_view::npos) return mask;
    text.remove_prefix(comma + 1);
  }
}

}  // namespace xdplb
