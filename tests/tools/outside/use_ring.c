/* Numbers from a parent to its child through a ring without a name. */
#include "p12-shm-ring/ring.h"
#include "uses.h"

static int add_up(int fd)
{
	struct ring *ring;
	uint64_t sum = 0, number;

	if (ring_attach(&ring, fd, RING_RECEIVER, NULL))
		return 1;
	while (ring_recv(ring, &number, sizeof(number), uses_deadline()) ==
	       (ssize_t)sizeof(number))
		sum += number;
	ring_close(ring);
	return sum == SUM ? 0 : 1;
}

int main(void)
{
	int fd = ring_memfd(RING_CAPACITY_MIN);
	struct ring *ring;
	pid_t child;

	if (fd < 0 || ring_attach(&ring, fd, RING_SENDER, NULL))
		return 1;
	child = fork();
	if (child == 0) {
		ring_forget(ring);
		_exit(add_up(fd));
	}
	for (uint64_t i = 0; i < ITEMS; i++)
		if (ring_send(ring, &i, sizeof(i), uses_deadline()))
			return 1;
	ring_close(ring);
	return uses_wait(child) || puts("ring") < 0;
}
