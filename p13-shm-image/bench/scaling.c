#include "p13-shm-image/bench/scaling.h"

#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/child.h"
#include "lib/fdio.h"
#include "lib/measure/machine.h"
#include "lib/tick.h"
#include "p13-shm-image/image/gauss.h"

enum {
	TWO = 2,
	SUMS = 5000, /* some 5 ms */
	PAIRS = 14,
	SAMPLES = 4 * GAUSS_STEP, /* of a row: 14 rows of pairs are 28 KB */
};

static int to[TWO]; /* a socket of each */

struct server {
	int fd, cpu;
};

static int64_t sum_for_a_while(void)
{
	static int16_t pairs[PAIRS * 2 * SAMPLES], sums[SAMPLES];
	static struct gauss gauss;
	const struct gauss_rows rows = {
		.first = pairs,
		.stride = 2 * SAMPLES,
		.weight = gauss.even,
		.pairs = PAIRS,
	};
	gauss_sum *sum = gauss_sum_best();
	int64_t start;

	gauss_init(&gauss, 4);
	start = tick_now();
	for (int i = 0; i < SUMS; i++)
		sum(&rows, sums, SAMPLES);
	return tick_now() - start;
}

/* Works when it is told to, and says how long it took. */
static int serve(void *arg)
{
	const struct server *server = arg;
	char go;

	if (child_pin(server->cpu))
		return 1;
	while (fdio_read_full(server->fd, &go, sizeof(go)) == sizeof(go)) {
		int64_t ns = sum_for_a_while();

		if (fdio_write_full(server->fd, &ns, sizeof(ns)))
			return 1;
	}
	return 0;
}

int scaling_open(void)
{
	int cpus[TWO], pair[2], error;
	pid_t pid;

	if (machine_cpus(cpus, TWO) < TWO)
		return -ENOTSUP;
	for (int i = 0; i < TWO; i++) {
		struct server server;

		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) <
		    0)
			return -errno;
		server = (struct server){pair[1], cpus[i]};
		to[i] = pair[0];
		error = child_fork(serve, &server, &pid);
		if (error)
			return error;
		close(pair[1]);
	}
	return 0;
}

/* How long the slower of the first n took, all at once; 0 when one is gone. */
static double slowest_of(int n)
{
	int64_t ns;
	double most = 0;

	for (int i = 0; i < n; i++)
		if (fdio_write_full(to[i], "", 1))
			return 0;
	for (int i = 0; i < n; i++) {
		if (fdio_read_full(to[i], &ns, sizeof(ns)) != sizeof(ns))
			return 0;
		most = fmax(most, (double)ns);
	}
	return most;
}

double scaling_of_two(void)
{
	double alone = slowest_of(1), both = slowest_of(TWO);

	return both > 0 ? TWO * alone / both : 0;
}
