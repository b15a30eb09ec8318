#include "p13-shm-image/image/ancillary.h"

#include <string.h>
#include <zlib.h>

enum { PROFILE_HEAD = 132, KEYWORD_MAX = 79 };

static uint32_t word_at(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 |
	       (uint32_t)at[2] << 8 | at[3];
}

/* From 1 to what PNG allows a number to be. */
static bool is_positive(const uint8_t *at)
{
	return word_at(at) - 1 < INT32_MAX;
}

/* How long the stream is that is packed there, up to limit; 0: it is none, or
 * longer. What it begins with goes to head. */
static size_t unpack(const uint8_t *bytes, size_t len, size_t limit,
		     uint8_t head[PROFILE_HEAD])
{
	uint8_t rest[4096];
	z_stream z = {.next_in = (uint8_t *)(uintptr_t)bytes,
		      .avail_in = (uInt)len,
		      .next_out = head,
		      .avail_out = PROFILE_HEAD};
	int result = inflateInit(&z);

	if (result != Z_OK)
		return 0;
	do {
		result = inflate(&z, Z_NO_FLUSH);
		if (z.avail_out > 0)
			break;
		z.next_out = rest;
		z.avail_out = sizeof(rest);
	} while (result == Z_OK && z.total_out <= limit);
	inflateEnd(&z);
	return result == Z_STREAM_END && z.total_out <= limit ? z.total_out : 0;
}

/* A name, its end, the method, and the packed profile (ICC.1, 7.2). */
static const char *refuse_profile(const uint8_t *bytes, size_t len,
				  bool has_colour)
{
	const uint8_t *stop =
		memchr(bytes, '\0', len <= KEYWORD_MAX ? len : KEYWORD_MAX + 1);
	uint8_t head[PROFILE_HEAD] = {0};
	size_t before, unpacked;

	if (!stop || stop == bytes)
		return "has no name";
	before = (size_t)(stop - bytes) + 2;
	if (before > len || stop[1] != 0)
		return "is packed in no known way";
	unpacked = unpack(bytes + before, len - before, ANCILLARY_MAX, head);
	if (unpacked == 0)
		return "cannot be unpacked";
	if (unpacked < sizeof(head) || unpacked != word_at(head) ||
	    memcmp(head + 36, "acsp", 4) != 0)
		return "is no profile";
	if (memcmp(head + 16, has_colour ? "RGB " : "GRAY", 4) != 0)
		return "is of other colours";
	return NULL;
}

static bool is_gamma(const uint8_t *bytes)
{
	return is_positive(bytes);
}

/* The white point. */
static bool is_chromaticity(const uint8_t *bytes)
{
	return is_positive(bytes) && is_positive(bytes + 4);
}

static bool is_intent(const uint8_t *bytes)
{
	return bytes[0] <= 3;
}

static bool is_resolution(const uint8_t *bytes)
{
	return is_positive(bytes) && is_positive(bytes + 4) && bytes[8] <= 1;
}

/* The matrix is 0 in a PNG, as pixels are RGB. */
static bool is_code_points(const uint8_t *bytes)
{
	return bytes[2] == 0 && bytes[3] <= 1;
}

/* It begins like a TIFF file, of either byte order. */
static bool is_exif(const uint8_t *bytes)
{
	return memcmp(bytes, "II*\0", 4) == 0 || memcmp(bytes, "MM\0*", 4) == 0;
}

static bool is_anything(const uint8_t *bytes)
{
	(void)bytes;
	return true;
}

static const struct kind {
	char name[5];
	size_t least, most; /* bytes */
	bool (*is_right)(const uint8_t *bytes);
} KINDS[] = {
	{"gAMA", 4, 4, is_gamma},
	{"cHRM", 32, 32, is_chromaticity},
	{"sRGB", 1, 1, is_intent},
	{"cICP", 4, 4, is_code_points},
	{"mDCV", 24, 24, is_anything},
	{"cLLI", 8, 8, is_anything},
	{"pHYs", 9, 9, is_resolution},
	{"eXIf", 4, ANCILLARY_MAX, is_exif}, /* which way is up */
};

const char *ancillary_refuse(const char *name, const uint8_t *bytes, size_t len,
			     bool has_colour)
{
	if (memcmp(name, "iCCP", 4) == 0 && len > 0)
		return refuse_profile(bytes, len, has_colour);
	for (size_t i = 0; i < sizeof(KINDS) / sizeof(KINDS[0]); i++) {
		if (memcmp(name, KINDS[i].name, 4) != 0)
			continue;
		if (len < KINDS[i].least || len > KINDS[i].most)
			return "has another length";
		return KINDS[i].is_right(bytes) ? NULL : "has no such value";
	}
	return "";
}
