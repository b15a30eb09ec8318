#include "lib/measure/line.h"

#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>

#include "lib/measure/rig.h"
#include "lib/park.h"
#include "lib/stats.h"
#include "lib/tick.h"

#define BATCH 100
#define BATCHES_MAX 5000
#define PROBE_NS (50 * TICK_MS)
#define GIVE_UP_NS (3 * TICK_S)

/* Odd: it is the second child's turn. END: nobody's any more. */
#define END UINT64_MAX

struct probe {
	_Alignas(128) _Atomic uint64_t line;
	_Alignas(128) size_t n;
	double batch_ns[BATCHES_MAX];
};

/* Spin until the line holds what the partner stores there. Each store
 * releases, each load acquires, and they are each other's partners. */
static void wait_for(struct probe *probe, uint64_t value)
{
	while (atomic_load_explicit(&probe->line, memory_order_acquire) !=
	       value)
		park_relax();
}

static int serve(void *arg, struct rig_gate *gate)
{
	struct probe *probe = arg;

	(void)gate;
	int64_t end = tick_after(PROBE_NS);
	for (uint64_t turn = 0; probe->n < BATCHES_MAX; probe->n++) {
		int64_t start = tick_now();

		for (int i = 0; i < BATCH; i++, turn += 2) {
			atomic_store_explicit(&probe->line, turn + 1,
					      memory_order_release);
			wait_for(probe, turn + 2);
		}
		int64_t now = tick_now();
		probe->batch_ns[probe->n] = (double)(now - start) / BATCH;
		if (now > end && probe->n > 0)
			break;
	}
	atomic_store_explicit(&probe->line, END, memory_order_release);
	return 0;
}

static int answer(void *arg, struct rig_gate *gate)
{
	struct probe *probe = arg;
	uint64_t seen;

	(void)gate;
	for (;;) {
		seen = atomic_load_explicit(&probe->line, memory_order_acquire);
		if (seen == END)
			return 0;
		if (seen % 2)
			atomic_store_explicit(&probe->line, seen + 1,
					      memory_order_release);
		else
			park_relax();
	}
}

static bool is_ours(int cpu)
{
	cpu_set_t set;

	return cpu >= 0 && cpu < CPU_SETSIZE &&
	       sched_getaffinity(0, sizeof(set), &set) == 0 &&
	       CPU_ISSET((size_t)cpu, &set);
}

int line_round_trip(const int cpus[2], double *ns)
{
	struct probe *probe;
	struct rig_side side[2] = {{.body = serve}, {.body = answer}};
	const struct rig rig = {.side = side,
				.sides = 2,
				.cpus = cpus,
				.deadline = tick_after(GIVE_UP_NS)};
	struct rig_result result[2];
	int r;

	if (cpus[0] == cpus[1])
		return -ENODEV;
	if (!is_ours(cpus[0]) || !is_ours(cpus[1]))
		return -EINVAL;
	probe = mmap(NULL, sizeof(*probe), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (probe == MAP_FAILED)
		return -errno;
	side[0].arg = side[1].arg = probe;
	r = rig_run(&rig, result);
	if (r == 0)
		*ns = stats_median(probe->batch_ns, probe->n);
	munmap(probe, sizeof(*probe));
	return r;
}
