#include "lib/visible.h"

#include <stdbool.h>
#include <stdint.h>

/* The bytes of the character that begins here, or 0: it is none. */
static size_t length_of(const unsigned char *at, size_t left, uint32_t *value)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t length = at[0] < 0x80         ? 1
			: at[0] >> 5 == 0x06 ? 2
			: at[0] >> 4 == 0x0e ? 3
			: at[0] >> 3 == 0x1e ? 4
					     : 0;

	if (length == 0 || length > left)
		return 0;
	*value = length == 1 ? at[0] : at[0] & (0x7fu >> length);
	for (size_t i = 1; i < length; i++) {
		if (at[i] >> 6 != 0x02)
			return 0;
		*value = *value << 6 | (at[i] & 0x3f);
	}
	/* Written in more bytes than it needs, a surrogate, or beyond the end. */
	if (*value < least[length] || *value >> 11 == 0x1b || *value > 0x10ffff)
		return 0;
	return length;
}

static bool is_control(uint32_t value)
{
	return value < 0x20 || (value >= 0x7f && value < 0xa0);
}

void visible_make(char *text, size_t n)
{
	unsigned char *at = (unsigned char *)text;
	uint32_t value = 0;

	for (size_t i = 0; i < n;) {
		size_t length = length_of(at + i, n - i, &value);
		bool is_shown = length && !is_control(value);

		length = length ? length : 1;
		for (size_t k = 0; k < length && !is_shown; k++)
			at[i + k] = '?';
		i += length;
	}
}
