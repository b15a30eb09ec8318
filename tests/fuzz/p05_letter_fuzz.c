/* Any bytes as a message of the queue: what passes the check can be answered
 * within the room that it says is reserved. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "p05-sysv-mq/letter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct letter_head head;

	memset(&head, 0xff, sizeof(head));
	memcpy(&head, data, size < sizeof(head) ? size : sizeof(head));
	if (letter_check(&head, size))
		return 0;
	if (size < sizeof(head) || head.client <= 0 ||
	    letter_type(&head, head.place.pid) == LETTER_REQUEST ||
	    letter_type(&head, head.place.pid ^ 1) == LETTER_REQUEST ||
	    (uint64_t)head.units * LETTER_UNIT < size)
		abort();
	return 0;
}
