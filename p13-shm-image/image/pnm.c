#include "p13-shm-image/image/pnm.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- reading ---- */

enum { WORD_MAX = 32 };

static int end_of(struct picture *picture, int error)
{
	return error == -ENODATA ? picture_say(picture, "ends too early")
				 : error;
}

static bool is_space(int c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* One byte, or -errno. */
static int take(struct picture *picture)
{
	uint8_t byte;
	int error = source_read(picture->source, &byte, 1);

	return error ? end_of(picture, error) : byte;
}

/* The next word of the head and the one space behind it. A comment counts as
 * space. */
static int take_word(struct picture *picture, char word[WORD_MAX])
{
	size_t len = 0;
	int c;

	for (;;) {
		c = take(picture);
		if (c == '#')
			while (c >= 0 && c != '\n')
				c = take(picture);
		if (c < 0)
			return c;
		if (is_space(c) && len > 0)
			break;
		if (is_space(c))
			continue;
		if (len == WORD_MAX - 1)
			return picture_say(picture, "a head of no known form");
		word[len++] = (char)c;
	}
	word[len] = '\0';
	return 0;
}

static int take_number(struct picture *picture, uint64_t *value)
{
	char word[WORD_MAX];
	int error = take_word(picture, word);

	if (error)
		return error;
	if (strspn(word, "0123456789") != strlen(word))
		return picture_say(picture, "a head with no number in place");
	*value = strtoull(word, NULL, 10);
	return 0;
}

struct head {
	uint64_t width, height, depth, maxval;
	char type[WORD_MAX]; /* of a PAM, or "" */
};

static int read_pam_head(struct picture *picture, struct head *head)
{
	static const char *const NAME[] = {"WIDTH", "HEIGHT", "DEPTH",
					   "MAXVAL"};
	uint64_t *value[] = {&head->width, &head->height, &head->depth,
			     &head->maxval};
	char word[WORD_MAX];
	int error;

	for (;;) {
		size_t i = 0;

		error = take_word(picture, word);
		if (error || strcmp(word, "ENDHDR") == 0)
			return error;
		while (i < 4 && strcmp(word, NAME[i]) != 0)
			i++;
		if (i < 4)
			error = take_number(picture, value[i]);
		else if (strcmp(word, "TUPLTYPE") == 0 && !head->type[0])
			error = take_word(picture, head->type);
		else
			error = picture_say(picture, "a head of no known form");
		if (error)
			return error;
	}
}

/* A PAM that does not say it is what its depth lets one expect. */
static int check_type(struct picture *picture, const struct head *head)
{
	static const struct {
		const char *type;
		uint64_t depth;
	} KNOWN[] = {{"BLACKANDWHITE", 1},
		     {"GRAYSCALE", 1},
		     {"BLACKANDWHITE_ALPHA", 2},
		     {"GRAYSCALE_ALPHA", 2},
		     {"RGB", 3},
		     {"RGB_ALPHA", 4}};
	char words[sizeof(picture->trouble)];

	if (!head->type[0])
		return 0;
	for (size_t i = 0; i < sizeof(KNOWN) / sizeof(KNOWN[0]); i++)
		if (strcmp(head->type, KNOWN[i].type) == 0 &&
		    head->depth == KNOWN[i].depth)
			return 0;
	snprintf(words, sizeof(words),
		 "TUPLTYPE %s with DEPTH %" PRIu64 " is "
		 "not read",
		 head->type, head->depth);
	return picture_say(picture, words);
}

static int read_head(struct picture *picture, char kind, struct head *head)
{
	int error;

	if (kind == '7')
		return read_pam_head(picture, head);
	head->depth = kind == '6' ? 3 : 1;
	error = take_number(picture, &head->width);
	if (!error)
		error = take_number(picture, &head->height);
	return error ? error : take_number(picture, &head->maxval);
}

int pnm_in_open(struct picture *picture, uint64_t max_pixels)
{
	struct head head = {0};
	char word[WORD_MAX];
	int error = take_word(picture, word);

	if (error)
		return error;
	if (word[1] < '5' || word[1] > '7' || word[2])
		return picture_say(picture, "of the PNM formats, only P5, P6 "
					    "and P7 are read");
	error = read_head(picture, word[1], &head);
	if (error)
		return error;
	if (head.depth < 1 || head.depth > 4)
		return picture_say(picture, "of 1 to 4 channels only");
	error = check_type(picture, &head);
	if (error)
		return error;
	if (head.maxval < 1 || head.maxval > 65535)
		return picture_say(picture, "no such MAXVAL");
	picture->maxval = (uint32_t)head.maxval;
	picture->is_16_bit = head.maxval > 255;
	picture->shape.channels = (uint32_t)head.depth;
	return picture_check_size(picture, head.width, head.height, max_pixels);
}

/* Samples of another range than 0 … 255, of one byte or two. */
static int read_scaled(struct picture *picture, uint8_t *to, size_t n)
{
	uint8_t raw[2] = {0};
	size_t size = picture->is_16_bit ? 2 : 1;

	for (size_t i = 0; i < n; i++) {
		int error = source_read(picture->source, raw, size);
		uint32_t value = size == 2 ? raw[0] * 256U + raw[1] : raw[0];

		if (error)
			return error;
		if (value > picture->maxval)
			value = picture->maxval;
		to[i] = (uint8_t)((value * 255 + picture->maxval / 2) /
				  picture->maxval);
	}
	return 0;
}

int pnm_in_read(struct picture *picture, uint8_t *pixels, uint32_t until)
{
	size_t row_bytes = image_row_bytes(&picture->shape);
	int error;

	while (picture->rows_read < until) {
		uint8_t *row = pixels + picture->rows_read * row_bytes;

		error = picture->maxval == 255
				? source_read(picture->source, row, row_bytes)
				: read_scaled(picture, row, row_bytes);
		if (error)
			return end_of(picture, error);
		picture->rows_read++;
	}
	return 0;
}

/* ---- writing ---- */

size_t pnm_out_head(char *to, const struct image_shape *shape, bool wants_pam)
{
	static const char *const kind[] = {"", "GRAYSCALE", "GRAYSCALE_ALPHA",
					   "RGB", "RGB_ALPHA"};
	int len;

	if (wants_pam || image_has_alpha(shape))
		len = snprintf(to, PNM_OUT_HEAD_MAX,
			       "P7\nWIDTH %u\nHEIGHT %u\nDEPTH %u\nMAXVAL 255\n"
			       "TUPLTYPE %s\nENDHDR\n",
			       shape->width, shape->height, shape->channels,
			       kind[shape->channels]);
	else
		len = snprintf(to, PNM_OUT_HEAD_MAX, "P%d\n%u %u\n255\n",
			       shape->channels == 3 ? 6 : 5, shape->width,
			       shape->height);
	return (size_t)len;
}
