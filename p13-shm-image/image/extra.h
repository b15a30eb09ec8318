/* extra.h - what a PNG says besides its pixels: which chunks matter to the eye
 * and go into the output as they are, and whether they hold what they should
 * (PNG, third edition, 11.3). Any thread. */
#ifndef UNIXIPC_P13_SHM_IMAGE_IMAGE_EXTRA_H
#define UNIXIPC_P13_SHM_IMAGE_IMAGE_EXTRA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { EXTRA_MAX = 8 << 20 }; /* bytes; a longer one is not kept */

/* Why a chunk of that name is not kept, in words: "" when it is of a kind that
 * never is. NULL: it is kept. has_colour: of the picture. A colour profile is
 * unpacked for that, EXTRA_MAX bytes at most. */
const char *extra_refuse(const char *name, const uint8_t *bytes, size_t len,
			 bool has_colour);

#endif
