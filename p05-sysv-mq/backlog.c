#include "p05-sysv-mq/backlog.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int backlog_add(struct backlog *backlog, const struct letter *letter,
		size_t text_bytes)
{
	struct letter *copy;

	if (backlog->n == BACKLOG_MAX)
		return -ENOBUFS;
	copy = letter_new(text_bytes);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, letter, sizeof(*letter) + text_bytes);
	backlog->waiting[backlog->n].letter = copy;
	backlog->waiting[backlog->n].text_bytes = text_bytes;
	backlog->n++;
	return 0;
}

int backlog_flush(struct backlog *backlog, int queue,
		  const struct letter_place *here, unsigned int *expired)
{
	int kept = 0, rc = 0;

	for (int i = 0; i < backlog->n; i++) {
		struct letter *letter = backlog->waiting[i].letter;
		bool is_late = letter_is_over(&letter->head, here);
		int sent =
			is_late ? 0
				: letter_send(queue, letter,
					      backlog->waiting[i].text_bytes);

		*expired += is_late;
		if (sent) {
			rc = sent;
			backlog->waiting[kept++] = backlog->waiting[i];
		} else {
			free(letter);
		}
	}
	backlog->n = kept;
	return rc;
}

void backlog_clear(struct backlog *backlog)
{
	while (backlog->n)
		free(backlog->waiting[--backlog->n].letter);
}
