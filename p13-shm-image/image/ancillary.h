/* ancillary.h - what a PNG says besides its pixels: which ancillary chunks
 * matter to the eye and go into the output as they are, and whether they hold
 * what they should (PNG, third edition, 11.3). Any thread. */
#ifndef UNIXIPC_P13_SHM_IMAGE_IMAGE_ANCILLARY_H
#define UNIXIPC_P13_SHM_IMAGE_IMAGE_ANCILLARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ANCILLARY_MAX = 8 << 20 }; /* bytes; a longer one is not kept */

/* Why a chunk of that name is not kept, in words: "" when it is of a kind that
 * never is. NULL: it is kept. has_colour: of the picture. A colour profile is
 * unpacked for that, ANCILLARY_MAX bytes at most. */
const char *ancillary_refuse(const char *name, const uint8_t *bytes, size_t len,
			     bool has_colour);

#endif
