/* suggestion.h - the word that was probably meant.
 *
 * For messages only ("did you mean 'benchmark'?"); nothing is ever run on a
 * guess.
 */
#ifndef UNIXIPC_SUITE_SUGGESTION_H
#define UNIXIPC_SUITE_SUGGESTION_H

#include <stddef.h>

/* The one of n words that is least keystrokes away from text (insert, delete,
 * replace, or swap two neighbours: 1 each), the first of equals. NULL when
 * none is near: more than 2 away, or more than a third of its own length. A
 * word that text begins ("bench") is always near. */
const char *suggestion_find(const char *text, const char *const words[],
			    size_t n);

#endif
