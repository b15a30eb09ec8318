#include "p07-prodcons/cmd/crew.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/child.h"
#include "lib/fdio.h"
#include "lib/tick.h"

#define REAP_WITHIN (10 * TICK_S)

/* ---- making one ---- */

static size_t rounded(size_t bytes)
{
	return (bytes + 63) & ~(size_t)63;
}

/* The mapping: slots, buffer, audit. */
static int share(struct crew *crew, uint32_t buffer_size)
{
	const struct role_plan *plan = &crew->plan;
	size_t slots = rounded(crew->members * sizeof(*crew->slot));
	size_t buffer =
		rounded(bounded_bytes(buffer_size, sizeof(struct audit_item)));
	size_t audit = audit_bytes(plan->members[ROLE_PRODUCER], plan->items);
	char *memory;

	if (buffer == 0 || audit == 0)
		return -EINVAL;
	crew->shared_bytes = slots + buffer + audit;
	memory = mmap(NULL, crew->shared_bytes, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		return -errno;
	crew->shared = memory;
	crew->slot = (struct role_slot *)memory;
	crew->audit = audit_init(memory + slots + buffer,
				 plan->members[ROLE_PRODUCER], plan->items);
	return bounded_init(&crew->buffer, memory + slots, buffer_size,
			    sizeof(struct audit_item), crew->uses_processes);
}

int crew_init(struct crew *crew, const struct role_plan *plan,
	      uint32_t buffer_size, bool uses_processes)
{
	int error;

	if (plan->members[ROLE_PRODUCER] == 0 ||
	    plan->members[ROLE_CONSUMER] == 0 ||
	    plan->members[ROLE_CONSUMER] > AUDIT_MEMBERS_MAX)
		return -EINVAL;
	memset(crew, 0, sizeof(*crew));
	memset(crew->end, -1, sizeof(crew->end));
	crew->plan = *plan;
	crew->uses_processes = uses_processes;
	crew->members =
		plan->members[ROLE_PRODUCER] + plan->members[ROLE_CONSUMER];
	crew->member = calloc(crew->members, sizeof(*crew->member));
	error = crew->member ? share(crew, buffer_size) : -ENOMEM;
	for (int i = 0; !error && i < ROLE_KINDS; i++)
		error = fdio_pipe(crew->end[i]);
	if (error)
		crew_fini(crew);
	return error;
}

void crew_fini(struct crew *crew)
{
	for (int i = 0; i < ROLE_KINDS; i++) {
		fdio_close(&crew->end[i][0]);
		fdio_close(&crew->end[i][1]);
	}
	if (crew->shared) {
		bounded_fini(&crew->buffer);
		munmap(crew->shared, crew->shared_bytes);
	}
	free(crew->member);
	crew->shared = NULL;
	crew->member = NULL;
}

/* ---- starting ---- */

static int be_process(void *arg)
{
	struct crew_member *member = arg;
	struct crew *crew = member->crew;

	/* Of all ends it keeps one, which it lets go by ending. */
	for (int i = 0; i < ROLE_KINDS; i++) {
		close(crew->end[i][0]);
		if (i != (int)member->role.kind)
			close(crew->end[i][1]);
	}
	return role_run(&member->role) ? EXIT_FAILURE : EXIT_SUCCESS;
}

static void *be_thread(void *arg)
{
	struct crew_member *member = arg;
	struct crew *crew = member->crew;
	enum role_kind kind = member->role.kind;

	role_run(&member->role);
	/* The last one out of its kind. */
	if (atomic_fetch_sub(&crew->living[kind], 1) == 1)
		fdio_close(&crew->end[kind][1]);
	return NULL;
}

static int start_thread(struct crew_member *member)
{
	sigset_t all, before;
	int error;

	/* Signals are for the one who watches. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&member->thread, NULL, be_thread, member);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -error;
}

/* End those who were started before one could not be. */
static void call_off(struct crew *crew)
{
	struct audit_deaths deaths;

	if (crew->uses_processes) {
		crew_kill(crew);
		return;
	}
	for (int i = 0; i < ROLE_KINDS; i++) {
		uint32_t unborn = crew->plan.members[i];

		for (uint32_t k = 0; k < crew->started; k++)
			unborn -= (int)crew->member[k].role.kind == i;
		if (atomic_fetch_sub(&crew->living[i], unborn) == unborn)
			fdio_close(&crew->end[i][1]);
	}
	bounded_finish(&crew->buffer, TICK_NEVER);
	crew_reap(crew, &deaths);
}

int crew_start(struct crew *crew)
{
	uint32_t producers = crew->plan.members[ROLE_PRODUCER];
	int error = 0;

	for (int i = 0; i < ROLE_KINDS; i++)
		atomic_store(&crew->living[i], crew->plan.members[i]);
	for (uint32_t i = 0; i < crew->members; i++) {
		struct crew_member *member = &crew->member[i];
		bool is_producer = i < producers;

		member->crew = crew;
		member->role = (struct role){
			.plan = &crew->plan,
			.buffer = &crew->buffer,
			.audit = crew->audit,
			.slot = &crew->slot[i],
			.kind = is_producer ? ROLE_PRODUCER : ROLE_CONSUMER,
			.number = is_producer ? i + 1 : i + 1 - producers,
		};
		error = crew->uses_processes
				? child_fork(be_process, member, &member->pid)
				: start_thread(member);
		if (error)
			break;
		crew->started++;
	}
	if (error)
		call_off(crew);
	else if (crew->uses_processes)
		for (int i = 0; i < ROLE_KINDS; i++)
			fdio_close(&crew->end[i][1]);
	return error;
}

/* ---- watching ---- */

/* Whether anybody has got further since this was last asked, or not long
 * ago. */
struct pulse {
	uint64_t steps;
	int64_t deadline;
};

static bool is_dead(const struct crew *crew, struct pulse *pulse,
		    int64_t quiet_ns)
{
	uint64_t steps = audit_steps(crew->audit);

	if (steps != pulse->steps) {
		pulse->steps = steps;
		pulse->deadline = tick_after(quiet_ns);
	}
	return tick_is_over(pulse->deadline);
}

int crew_watch(struct crew *crew, int64_t quiet_ns, int stop_fd)
{
	struct pollfd fds[] = {
		{.fd = crew->end[ROLE_PRODUCER][0]},
		{.fd = crew->end[ROLE_CONSUMER][0]},
		{.fd = stop_fd, .events = POLLIN},
	};
	struct pulse pulse = {.deadline = tick_after(quiet_ns)};
	int n, error;

	while (fds[ROLE_PRODUCER].fd >= 0 || fds[ROLE_CONSUMER].fd >= 0) {
		n = poll(fds, 3, tick_left_ms(pulse.deadline));
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0 && fds[2].revents)
			return -EINTR;
		for (int i = 0; n > 0 && i < ROLE_KINDS; i++) {
			/* A hang-up: nobody of this kind lives. */
			if (fds[i].fd < 0 || !fds[i].revents)
				continue;
			fds[i].fd = -1;
			error = bounded_finish(&crew->buffer,
					       tick_after(quiet_ns));
			/* Of a damaged buffer each member is told by it. */
			if (error && error != -EBADMSG)
				return error;
		}
		if (n <= 0 && is_dead(crew, &pulse, quiet_ns))
			return -ETIMEDOUT;
	}
	return 0;
}

int crew_reap(struct crew *crew, struct audit_deaths *deaths)
{
	struct bounded_figures figures;
	int error;

	memset(deaths, 0, sizeof(*deaths));
	for (uint32_t i = 0; i < crew->started; i++) {
		struct crew_member *member = &crew->member[i];

		error = crew->uses_processes
				? child_wait(member->pid,
					     tick_after(REAP_WITHIN),
					     &member->status)
				: -pthread_join(member->thread, NULL);
		if (error)
			return error;
		member->pid = 0;
		if (atomic_load(&member->role.slot->doing) == ROLE_ENDED &&
		    atomic_load(&member->role.slot->error) == 0)
			continue;
		if (member->role.kind == ROLE_PRODUCER)
			deaths->producers++;
		else
			deaths->consumers++;
	}
	crew->started = 0;
	error = bounded_look(&crew->buffer, &figures, tick_after(REAP_WITHIN));
	if (!error)
		deaths->left = figures.put - figures.taken;
	return error;
}

void crew_kill(struct crew *crew)
{
	for (uint32_t i = 0; i < crew->started; i++)
		if (crew->member[i].pid)
			child_end(crew->member[i].pid, 0,
				  &crew->member[i].status);
	crew->started = 0;
}
