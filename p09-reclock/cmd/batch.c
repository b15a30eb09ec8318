/* batch.c - all lines are read before the first is applied, so that one that is
 * malformed leaves the file as it was. */
#include "p09-reclock/cmd/batch.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cmd/die.h"
#include "lib/parse.h"
#include "lib/tick.h"
#include "p09-reclock/cmd/text.h"

struct batch {
	struct reclock_change *changes;
	size_t n, room;
};

/* Cut off what stands before a blank or tab; *rest is NULL if there is none. */
static char *next_word(char **rest, size_t *len, size_t *word_len)
{
	char *word = *rest;
	size_t i = 0;

	while (i < *len && word[i] != ' ' && word[i] != '\t')
		i++;
	*word_len = i;
	if (i < *len) {
		*rest = word + i + 1;
		*len -= i + 1;
	} else {
		*rest = NULL;
		*len = 0;
	}
	return word;
}

static bool is_word(const char *text, size_t len, const char *word)
{
	return len == strlen(word) && memcmp(text, word, len) == 0;
}

/* Of an action and what stands behind its key; false if they do not fit. */
static bool parse_action(struct reclock_change *change, const char *verb,
			 size_t verb_len, char *rest, size_t len)
{
	ssize_t n;

	if (is_word(verb, verb_len, "del")) {
		change->action = RECLOCK_DEL;
		return rest == NULL;
	}
	if (is_word(verb, verb_len, "incr")) {
		change->action = RECLOCK_INCR;
		change->by = 1;
		return !rest || (strlen(rest) == len &&
				 parse_integer(rest, &change->by) == 0);
	}
	change->action = RECLOCK_SET;
	if (!is_word(verb, verb_len, "set") || !rest)
		return false;
	n = text_parse(rest, len);
	change->value = rest;
	change->value_len = (size_t)n;
	return n >= 0;
}

/* The line belongs to the change from then on. */
static bool parse_line(struct reclock_change *change, char *line, size_t len)
{
	char *rest = line, *verb, *key;
	size_t verb_len, key_len;
	ssize_t n;

	verb = next_word(&rest, &len, &verb_len);
	if (!rest)
		return false;
	key = next_word(&rest, &len, &key_len);
	n = text_parse(key, key_len);
	if (n <= 0)
		return false;
	change->key = key;
	change->key_len = (size_t)n;
	return parse_action(change, verb, verb_len, rest, len);
}

static void read_batch(struct batch *batch)
{
	for (;;) {
		char *line = NULL;
		size_t room = 0;
		ssize_t len = getline(&line, &room, stdin);

		if (len < 0) {
			free(line);
			break;
		}
		if (line[len - 1] == '\n')
			line[--len] = '\0';
		if (batch->n == batch->room) {
			batch->room = batch->room * 2 + 64;
			batch->changes =
				reallocarray(batch->changes, batch->room,
					     sizeof(*batch->changes));
			if (!batch->changes)
				die_errno(ENOMEM, "batch");
		}
		batch->changes[batch->n] = (struct reclock_change){0};
		if (!parse_line(&batch->changes[batch->n], line, (size_t)len))
			die("batch: line %zu is none of `set KEY VALUE`, `del "
			    "KEY`, `incr KEY [N]`; nothing was changed",
			    batch->n + 1);
		batch->n++;
	}
	if (ferror(stdin))
		die_errno(errno, "batch: standard input");
}

int batch_run(const struct arguments *a)
{
	struct batch batch = {0};
	struct reclock *store;
	int status = 0, error;

	read_batch(&batch);
	store = arguments_open(a, RECLOCK_CREATE);
	error = reclock_apply_until(store, batch.changes, batch.n,
				    tick_after(a->timeout_ns));
	if (error)
		arguments_die(a, store, NULL, error);
	for (size_t i = 0; i < batch.n; i++) {
		const struct reclock_change *change = &batch.changes[i];
		char name[32];

		if (change->error && change->error != -ENOENT) {
			snprintf(name, sizeof(name), "line %zu", i + 1);
			arguments_warn(a, store, name, change->error);
			status = DIE_FAILURE;
		} else if (change->action == RECLOCK_INCR) {
			printf("%" PRId64 "\n", change->by);
		}
	}
	reclock_close(store);
	return status;
}
