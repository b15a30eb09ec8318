/* Numbers from a parent to its child through a bounded buffer. */
#include "p07-prodcons/bounded.h"
#include "uses.h"

static int add_up(struct bounded *buffer)
{
	uint64_t sum = 0, number;

	while (bounded_take(buffer, &number, uses_deadline()) == 0)
		sum += number;
	return sum == SUM ? 0 : 1;
}

int main(void)
{
	struct bounded buffer;
	pid_t child;

	if (bounded_init(&buffer, uses_memory(bounded_bytes(8, 8)), 8, 8, true))
		return 1;
	child = fork();
	if (child == 0)
		_exit(add_up(&buffer));
	for (uint64_t i = 0; i < ITEMS; i++)
		if (bounded_put(&buffer, &i, uses_deadline()))
			return 1;
	if (bounded_finish(&buffer, uses_deadline()) || uses_wait(child))
		return 1;
	bounded_fini(&buffer);
	return puts("bounded") < 0;
}
