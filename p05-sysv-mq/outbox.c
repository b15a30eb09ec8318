#include "p05-sysv-mq/outbox.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int outbox_add(struct outbox *outbox, const struct letter *letter,
	       size_t text_bytes)
{
	struct letter *copy;

	if (outbox->n == OUTBOX_MAX)
		return -ENOBUFS;
	copy = letter_new(text_bytes);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, letter, sizeof(*letter) + text_bytes);
	outbox->waiting[outbox->n].letter = copy;
	outbox->waiting[outbox->n].text_bytes = text_bytes;
	outbox->n++;
	return 0;
}

int outbox_flush(struct outbox *outbox, int queue,
		 const struct letter_place *here, unsigned int *expired)
{
	int kept = 0, rc = 0;

	for (int i = 0; i < outbox->n; i++) {
		struct letter *letter = outbox->waiting[i].letter;
		bool is_late = letter_is_over(&letter->head, here);
		int sent = is_late ? 0
				   : letter_send(queue, letter,
						 outbox->waiting[i].text_bytes);

		*expired += is_late;
		if (sent) {
			rc = sent;
			outbox->waiting[kept++] = outbox->waiting[i];
		} else {
			free(letter);
		}
	}
	outbox->n = kept;
	return rc;
}

void outbox_clear(struct outbox *outbox)
{
	while (outbox->n)
		free(outbox->waiting[--outbox->n].letter);
}
