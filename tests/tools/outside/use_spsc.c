/* Numbers from a parent to its child through a queue in memory. */
#include "p15-spsc/spsc.h"
#include "uses.h"

static int add_up(void *memory, size_t bytes)
{
	struct spsc_consumer consumer;
	uint64_t sum = 0, number;

	if (spsc_consumer_attach(&consumer, memory, bytes, sizeof(number)))
		return 1;
	while (spsc_pop_until(&consumer, &number, sizeof(number),
			      uses_deadline()) == 0)
		sum += number;
	spsc_consumer_close(&consumer);
	return sum == SUM ? 0 : 1;
}

int main(void)
{
	size_t bytes = spsc_bytes(sizeof(uint64_t), 64);
	void *memory = uses_memory(bytes);
	struct spsc_producer producer;
	pid_t child;

	if (spsc_init(memory, bytes, sizeof(uint64_t), 64))
		return 1;
	child = fork();
	if (child == 0)
		_exit(add_up(memory, bytes));
	if (spsc_producer_attach(&producer, memory, bytes, sizeof(uint64_t)))
		return 1;
	for (uint64_t i = 0; i < ITEMS; i++)
		if (spsc_push_until(&producer, &i, sizeof(i), uses_deadline()))
			return 1;
	spsc_producer_close(&producer);
	return uses_wait(child) || puts("spsc") < 0;
}
