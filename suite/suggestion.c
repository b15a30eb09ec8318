/* The optimal string alignment distance, three rows of its matrix at a time:
 * row i holds what it costs to turn the first i bytes of one word into each
 * beginning of the other. */
#include "suite/suggestion.h"

#include <string.h>

enum { LONGEST = 31, NEAR = 2, NEVER = 1000 };

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

static unsigned distance(const char *a, const char *b)
{
	unsigned rows[3][LONGEST + 1];
	unsigned *before = rows[0], *last = rows[1], *row = rows[2], *spare;
	size_t len_a = strlen(a), len_b = strlen(b);

	if (len_a > LONGEST || len_b > LONGEST)
		return NEVER;
	for (size_t j = 0; j <= len_b; j++)
		last[j] = before[j] = (unsigned)j;
	for (size_t i = 1; i <= len_a; i++) {
		row[0] = (unsigned)i;
		for (size_t j = 1; j <= len_b; j++) {
			row[j] = last[j - 1] + (a[i - 1] != b[j - 1]);
			row[j] = least(row[j], last[j] + 1);
			row[j] = least(row[j], row[j - 1] + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
			    a[i - 2] == b[j - 1])
				row[j] = least(row[j], before[j - 2] + 1);
		}
		spare = before;
		before = last;
		last = row;
		row = spare;
	}
	return last[len_b];
}

const char *suggestion_find(const char *text, const char *const words[],
			    size_t n)
{
	const char *nearest = NULL;
	unsigned least_yet = NEVER;

	for (size_t i = 0; i < n; i++) {
		size_t len = strlen(text);
		unsigned d = distance(text, words[i]);

		if (len >= 2 && strncmp(text, words[i], len) == 0)
			d = 0;
		else if (d > NEAR || 3 * d > strlen(words[i]))
			continue;
		if (d < least_yet) {
			least_yet = d;
			nearest = words[i];
		}
	}
	return nearest;
}
