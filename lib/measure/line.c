#include "lib/measure/line.h"

#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>

#include "lib/child.h"
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
	int cpus[2];
};

static inline void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

/* Spin until the line holds what the partner stores there. Each store
 * releases, each load acquires, and they are each other's partners. */
static void wait_for(struct probe *probe, uint64_t value)
{
	while (atomic_load_explicit(&probe->line, memory_order_acquire) !=
	       value)
		relax();
}

static int serve(void *arg)
{
	struct probe *probe = arg;

	if (child_pin(probe->cpus[0]) < 0)
		return 1;
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

static int answer(void *arg)
{
	struct probe *probe = arg;
	uint64_t seen;

	if (child_pin(probe->cpus[1]) < 0)
		return 1;
	for (;;) {
		seen = atomic_load_explicit(&probe->line, memory_order_acquire);
		if (seen == END)
			return 0;
		if (seen % 2)
			atomic_store_explicit(&probe->line, seen + 1,
					      memory_order_release);
		else
			relax();
	}
}

static bool is_ours(int cpu)
{
	cpu_set_t set;

	return cpu >= 0 && cpu < CPU_SETSIZE &&
	       sched_getaffinity(0, sizeof(set), &set) == 0 &&
	       CPU_ISSET((size_t)cpu, &set);
}

/* Run both to their end; 0 when both ended well. */
static int run(struct probe *probe)
{
	int64_t deadline = tick_after(GIVE_UP_NS);
	pid_t pids[2] = {-1, -1};
	int r = child_fork(serve, probe, &pids[0]);

	if (r == 0)
		r = child_fork(answer, probe, &pids[1]);
	for (int i = 0; i < 2; i++) {
		int status = 0;

		if (r == 0)
			r = child_wait(pids[i], deadline, &status);
		if (r == 0 && status != 0)
			r = -EINVAL;
		else if (r < 0 && pids[i] > 0)
			child_end(pids[i], 0, &status);
	}
	return r;
}

int line_round_trip(const int cpus[2], double *ns)
{
	struct probe *probe;
	int r;

	if (cpus[0] == cpus[1])
		return -ENODEV;
	if (!is_ours(cpus[0]) || !is_ours(cpus[1]))
		return -EINVAL;
	probe = mmap(NULL, sizeof(*probe), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (probe == MAP_FAILED)
		return -errno;
	probe->cpus[0] = cpus[0];
	probe->cpus[1] = cpus[1];
	r = run(probe);
	if (r == 0)
		*ns = stats_median(probe->batch_ns, probe->n);
	munmap(probe, sizeof(*probe));
	return r;
}
