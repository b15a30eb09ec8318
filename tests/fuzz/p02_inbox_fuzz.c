/* Any bytes in the server's FIFO: whatever they are, a request that follows
 * them is found. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "lib/tick.h"
#include "p02-fifo/expr.h"
#include "p02-fifo/inbox.h"
#include "p02-fifo/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char MARK[] = "1234567+7654321";

static bool find_mark(struct inbox *inbox)
{
	char text[MESSAGE_EXPRESSION_MAX + 1];
	struct message_request request;
	const void *payload;
	uint32_t type;
	ssize_t n;
	int64_t value;

	while (inbox_fill(inbox) > 0) {
		while ((n = inbox_next(inbox, &type, &payload)) >= 0) {
			if (message_parse_request(payload, (size_t)n, &request,
						  text)) {
				inbox_reject(inbox, payload);
				continue;
			}
			expr_evaluate(text, &value);
			if (strcmp(text, MARK) == 0)
				return true;
		}
	}
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct message_request request = {.pid = 1};
	unsigned char payload[FRAME_ATOMIC_MAX];
	static struct inbox inbox;
	int ends[2];
	ssize_t n;

	if (size > 40000 || fdio_pipe(ends))
		return 0;
	fdio_set_nonblock(ends[0], true);
	inbox_init(&inbox, ends[0]);
	n = message_pack_request(&request, MARK, payload, sizeof(payload));
	if (fdio_write_full(ends[1], data, size) ||
	    frame_send(ends[1], MESSAGE_REQUEST, payload, (size_t)n,
		       TICK_NEVER) ||
	    !find_mark(&inbox))
		abort();
	close(ends[0]);
	close(ends[1]);
	return 0;
}
