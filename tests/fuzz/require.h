/* SPDX-License-Identifier: GPL-2.0-only */
/* What must hold of whatever a fuzzer tries. */
#ifndef XDP_LB_REQUIRE_H
#define XDP_LB_REQUIRE_H

#include <stdlib.h>

#define REQUIRE(condition)     \
  do {                         \
    if (!(condition)) abort(); \
  } while (0)

#endif
