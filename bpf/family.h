/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the other parts of abi.h stand on. */
#ifndef XDP_LB_FAMILY_H
#define XDP_LB_FAMILY_H

#include <linux/types.h>

#ifdef __cplusplus
#define LB_ASSERT_SIZE(type, size) static_assert(sizeof(type) == (size), #type)
#else
#define LB_ASSERT_SIZE(type, size) _Static_assert(sizeof(type) == (size), #type)
#endif

/* Families as the maps know them. */
enum lb_family {
	LB_NO_FAMILY = 0, /* not an IP packet, or too short to tell */
	LB_IPV4 = 1,
	LB_IPV6 = 2,
	LB_FAMILIES = 3,
};

/* Bytes of a line of lb_arena. */
#define LB_LINE 64u

#endif
