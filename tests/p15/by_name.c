/* by_name.c - two programs and one queue, in C: `by_name send` and `by_name
 * recv`, in any order. by_name.cc is the same in C++, and either understands the
 * other. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "lib/tick.h"
#include "p15-spsc/spsc.h"

#define NAME "/spsc.by_name"

struct item {
	uint32_t number, square;
};

static int send_some(int64_t deadline)
{
	struct spsc_producer queue;
	int error = spsc_open_producer(&queue, NAME, sizeof(struct item), 1024,
				       deadline);

	if (error)
		return error;
	for (uint32_t i = 1; i <= 5000 && !error; i++) {
		const struct item item = {.number = i, .square = i * i};

		error = spsc_push_until(&queue, &item, sizeof(item), deadline);
	}
	spsc_producer_close(&queue);
	return error;
}

/* The last to leave removes the name. */
static int receive_all(int64_t deadline)
{
	struct spsc_consumer queue;
	struct item item = {0};
	int error =
		spsc_open_consumer(&queue, NAME, sizeof(item), 1024, deadline);

	if (error)
		return error;
	while (!(error = spsc_pop_until(&queue, &item, sizeof(item), deadline)))
		if (item.square != item.number * item.number)
			return -EBADMSG;
	printf("the last of %u is %u\n", item.number, item.square);
	spsc_consumer_close(&queue);
	spsc_remove(NAME);
	return error == -EPIPE ? 0 : error;
}

int main(int argc, char **argv)
{
	int64_t deadline = tick_after(20 * TICK_S);
	int error = argc == 2 && strcmp(argv[1], "send") == 0
			    ? send_some(deadline)
			    : receive_all(deadline);

	if (error)
		fprintf(stderr, "by_name: %s\n", strerror(-error));
	return error != 0;
}
