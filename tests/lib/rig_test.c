/* lib/measure/rig: sides that meet, one that dies, one that hangs, a stop, and
 * what is left of them. */
#include "lib/measure/rig.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "lib/tick.h"
#include "tests/support/support.h"

enum { SIDES = 4, MS = 30000 };

/* What all sides of a case share. */
struct ground {
	uint32_t over;
	atomic_uint ready, begun, asked, answered, seen[SIDES];
	atomic_bool is_served;
	int64_t finished_ns;
	int pipe[2];
};

/* Who a side is. */
struct part {
	struct ground *ground;
	unsigned int number;
};

struct scene {
	struct ground *ground;
	struct part part[SIDES];
	struct rig_side side[SIDES];
	struct rig_result result[SIDES];
	struct rig rig;
	int lowest_fd;
};

static int lowest_fd(void)
{
	int fd = dup(STDERR_FILENO), number = fd;

	close(fd);
	return number;
}

static int set_up(void **state)
{
	static struct scene scene;

	scene = (struct scene){0};
	scene.ground = mmap(NULL, sizeof(*scene.ground), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (scene.ground == MAP_FAILED || fdio_pipe(scene.ground->pipe))
		return -1;
	scene.rig = (struct rig){.side = scene.side,
				 .sides = SIDES,
				 .over = &scene.ground->over,
				 .deadline = tick_after(MS * TICK_MS),
				 .grace_ns = MS * TICK_MS};
	scene.lowest_fd = lowest_fd();
	*state = &scene;
	return 0;
}

static int tear_down(void **state)
{
	struct scene *scene = *state;

	for (int i = 0; i < 2; i++)
		fdio_close(&scene->ground->pipe[i]);
	munmap(scene->ground, sizeof(*scene->ground));
	return 0;
}

static void cast(struct scene *scene, unsigned int number, rig_body *body)
{
	scene->part[number] = (struct part){scene->ground, number};
	scene->side[number] =
		(struct rig_side){.body = body, .arg = &scene->part[number]};
}

static void cast_all(struct scene *scene, rig_body *body)
{
	for (unsigned int i = 0; i < SIDES; i++)
		cast(scene, i, body);
}

/* The run, which leaves nothing behind. */
static int run(struct scene *scene)
{
	int error = rig_run(&scene->rig, scene->result);

	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
	assert_int_equal(lowest_fd(), scene->lowest_fd);
	return error;
}

static int number_of_cause(const struct scene *scene)
{
	int cause = -1;

	for (int i = 0; i < SIDES; i++)
		if (scene->result[i].is_cause) {
			assert_int_equal(cause, -1);
			cause = i;
		}
	return cause;
}

static bool await(const atomic_uint *count, unsigned int wanted)
{
	int64_t give_up = tick_after(MS * TICK_MS);

	while (atomic_load(count) < wanted)
		if (tick_is_over(give_up) ||
		    tick_sleep_until(tick_after(TICK_MS)))
			return false;
	return true;
}

static bool await_over(struct ground *ground)
{
	int64_t give_up = tick_after(MS * TICK_MS);

	while (!__atomic_load_n(&ground->over, __ATOMIC_RELAXED))
		if (tick_is_over(give_up))
			return false;
		else
			tick_sleep_until(tick_after(TICK_MS));
	return true;
}

/* ---- the gate ---- */

/* The last comes when all others are there, and looks whether they went on. */
static int meet_and_count(void *arg, struct rig_gate *gate)
{
	const struct part *part = arg;
	struct ground *ground = part->ground;
	int error;

	if (part->number == SIDES - 1) {
		if (!await(&ground->ready, SIDES - 1))
			return -ETIMEDOUT;
		tick_sleep_until(tick_after(5 * TICK_MS));
		if (atomic_load(&ground->begun))
			return -EBADMSG;
	}
	atomic_fetch_add(&ground->ready, 1);
	error = rig_meet(gate);
	atomic_fetch_add(&ground->begun, 1);
	atomic_store(&ground->seen[part->number], atomic_load(&ground->ready));
	return error;
}

static void check_meeting(struct scene *scene)
{
	int64_t before = tick_now();

	cast_all(scene, meet_and_count);
	assert_int_equal(run(scene), 0);
	assert_int_equal(number_of_cause(scene), -1);
	for (int i = 0; i < SIDES; i++) {
		assert_int_equal(scene->result[i].error, 0);
		assert_int_equal(scene->ground->seen[i], SIDES);
		assert_true(scene->result[i].begun_ns >= before + 5 * TICK_MS);
		assert_true(scene->result[i].ended_ns >=
			    scene->result[i].begun_ns);
	}
	assert_true(rig_elapsed_ns(&scene->rig, scene->result) >= 0);
}

static void processes_begin_when_the_last_is_ready(void **state)
{
	check_meeting(*state);
}

static void threads_begin_when_the_last_is_ready(void **state)
{
	struct scene *scene = *state;

	scene->rig.has_threads = true;
	check_meeting(scene);
}

static int work_until_over(void *arg, struct rig_gate *gate)
{
	const struct part *part = arg;
	int error = rig_meet(gate);

	return error ? error : await_over(part->ground) ? 0 : -ETIMEDOUT;
}

static void sides_are_told_when_the_time_is_over(void **state)
{
	struct scene *scene = *state;

	for (int threads = 0; threads < 2; threads++) {
		int64_t end = tick_after(20 * TICK_MS);

		scene->rig.has_threads = threads;
		scene->rig.run_ns = 20 * TICK_MS;
		cast_all(scene, work_until_over);
		assert_int_equal(run(scene), 0);
		for (int i = 0; i < SIDES; i++)
			assert_true(scene->result[i].ended_ns >= end);
	}
}

static int finish_early(void *arg, struct rig_gate *gate)
{
	struct ground *ground = ((const struct part *)arg)->ground;

	rig_finish(gate);
	ground->finished_ns = tick_now();
	tick_sleep_until(tick_after(TICK_MS));
	return 0;
}

static void clock_of_a_side_stops_when_it_says_so(void **state)
{
	struct scene *scene = *state;

	cast(scene, 0, finish_early);
	scene->rig.sides = 1;
	assert_int_equal(run(scene), 0);
	assert_true(scene->result[0].ended_ns > 0);
	assert_true(scene->result[0].ended_ns <= scene->ground->finished_ns);
}

static int look_at_cpus(void *arg, struct rig_gate *gate)
{
	cpu_set_t set;

	(void)arg, (void)gate;
	return sched_getaffinity(0, sizeof(set), &set) == 0 &&
			       CPU_COUNT(&set) == 1
		       ? 0
		       : -EBADMSG;
}

static int any_cpu(void)
{
	cpu_set_t set;
	int cpu = 0;

	sched_getaffinity(0, sizeof(set), &set);
	while (!CPU_ISSET((size_t)cpu, &set))
		cpu++;
	return cpu;
}

static void sides_are_pinned(void **state)
{
	struct scene *scene = *state;
	int cpus[SIDES] = {any_cpu()};

	scene->rig.cpus = cpus;
	scene->rig.sides = 1;
	cast(scene, 0, look_at_cpus);
	assert_int_equal(run(scene), 0);
	cpus[0] = CPU_SETSIZE;
	assert_int_equal(run(scene), -EINVAL);
}

/* ---- who serves ---- */

static int serve(void *arg, struct rig_gate *gate)
{
	struct ground *ground = ((const struct part *)arg)->ground;

	tick_sleep_until(tick_after(5 * TICK_MS));
	atomic_store(&ground->is_served, true);
	if (rig_serve(gate))
		return -EPIPE;
	if (!await(&ground->asked, SIDES - 1))
		return -ETIMEDOUT;
	atomic_fetch_add(&ground->answered, 1);
	await_over(ground); /* of a process: the end is SIGKILL */
	return 0;
}

static int use(void *arg, struct rig_gate *gate)
{
	struct ground *ground = ((const struct part *)arg)->ground;
	int error;

	if (!atomic_load(&ground->is_served))
		return -EBADMSG;
	error = rig_meet(gate);
	atomic_fetch_add(&ground->asked, 1);
	if (!error && !await(&ground->answered, 1))
		error = -ETIMEDOUT;
	return error;
}

static void server_is_ready_first_and_ended_last(void **state)
{
	struct scene *scene = *state;

	for (int threads = 0; threads < 2; threads++) {
		scene->ground->is_served = false;
		scene->ground->asked = scene->ground->answered = 0;
		scene->rig.has_threads = threads;
		cast_all(scene, use);
		cast(scene, 1, serve);
		scene->side[1].serves = true;
		assert_int_equal(run(scene), 0);
		assert_int_equal(scene->result[1].error,
				 threads ? 0 : -ECANCELED);
		assert_int_equal(scene->result[0].error, 0);
	}
}

static int lose_partner(void *arg, struct rig_gate *gate)
{
	(void)arg, (void)gate;
	return -EPIPE;
}

static int serve_clients(void *arg, struct rig_gate *gate)
{
	struct ground *ground = arg;

	atomic_store(&ground->is_served, true);
	if (rig_serve(gate))
		return -EPIPE;
	return await_over(ground) ? 0 : -ETIMEDOUT;
}

static int be_client(void *arg, struct rig_gate *gate)
{
	struct ground *ground = arg;

	if (!atomic_load(&ground->is_served))
		return -EBADMSG;
	atomic_fetch_add(&ground->seen[rig_number(gate)], 1);
	return rig_meet(gate);
}

static void clients_have_numbers_and_one_server(void **state)
{
	struct ground *ground = ((struct scene *)*state)->ground;

	assert_true(rig_run_clients(serve_clients, be_client, SIDES, ground,
				    tick_after(MS * TICK_MS)) >= 0);
	for (int i = 0; i < SIDES; i++)
		assert_int_equal(ground->seen[i], 1);
	assert_int_equal(rig_run_clients(serve_clients, be_client,
					 RIG_CLIENTS_MAX + 1, ground, 0),
			 -EINVAL);
	assert_int_equal(rig_run_clients(serve_clients, lose_partner, SIDES,
					 ground, tick_after(MS * TICK_MS)),
			 -EPIPE);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static int fail_at_once(void *arg, struct rig_gate *gate)
{
	(void)arg, (void)gate;
	return -EADDRINUSE;
}

static void server_that_fails_starts_nobody(void **state)
{
	struct scene *scene = *state;

	cast_all(scene, meet_and_count);
	cast(scene, 0, fail_at_once);
	scene->side[0].serves = true;
	assert_int_equal(run(scene), -EADDRINUSE);
	assert_int_equal(number_of_cause(scene), 0);
	assert_int_equal(scene->ground->ready, 0);
	assert_int_equal(scene->result[1].error, -ECANCELED);
}

/* ---- who fails ---- */

static int die(void *arg, struct rig_gate *gate)
{
	struct ground *ground = ((const struct part *)arg)->ground;

	(void)gate;
	if (!await(&ground->ready, SIDES - 1))
		return -ETIMEDOUT;
	raise(SIGKILL);
	return 0;
}

static int exit_without_a_word(void *arg, struct rig_gate *gate)
{
	(void)arg, (void)gate;
	_exit(0);
}

static int wait_at_the_gate(void *arg, struct rig_gate *gate)
{
	struct ground *ground = ((const struct part *)arg)->ground;
	int error;

	atomic_fetch_add(&ground->ready, 1);
	error = rig_meet(gate);
	atomic_fetch_add(&ground->begun, !error);
	return error;
}

static void death_of_a_side_ends_the_others_at_the_gate(void **state)
{
	struct scene *scene = *state;

	cast_all(scene, wait_at_the_gate);
	cast(scene, 2, die);
	assert_int_equal(run(scene), -ECHILD);
	assert_int_equal(number_of_cause(scene), 2);
	assert_true(WIFSIGNALED(scene->result[2].status));
	assert_int_equal(WTERMSIG(scene->result[2].status), SIGKILL);
	assert_int_equal(scene->result[0].error, -ECANCELED);
	assert_int_equal(scene->ground->begun, 0);
}

static void side_that_exits_by_itself_has_failed(void **state)
{
	struct scene *scene = *state;

	cast_all(scene, wait_at_the_gate);
	cast(scene, 1, exit_without_a_word);
	assert_int_equal(run(scene), -ECHILD);
	assert_int_equal(number_of_cause(scene), 1);
}

static int fail_after_others(void *arg, struct rig_gate *gate)
{
	(void)gate;
	return await_over(((const struct part *)arg)->ground) ? -EBADMSG
							      : -ETIMEDOUT;
}

static int die_after_others(void *arg, struct rig_gate *gate)
{
	(void)gate;
	if (await_over(((const struct part *)arg)->ground))
		raise(SIGKILL);
	return -ETIMEDOUT;
}

static void reason_counts_before_what_it_led_to(void **state)
{
	struct scene *scene = *state;

	scene->rig.sides = 2;
	cast(scene, 0, lose_partner);
	cast(scene, 1, fail_after_others);
	assert_int_equal(run(scene), -EBADMSG);
	assert_int_equal(number_of_cause(scene), 1);
	assert_int_equal(scene->result[0].error, -EPIPE);

	cast(scene, 1, die_after_others);
	assert_int_equal(run(scene), -ECHILD);
	assert_int_equal(number_of_cause(scene), 1);
}

static int hang(void *arg, struct rig_gate *gate)
{
	struct ground *ground = ((const struct part *)arg)->ground;

	atomic_fetch_add(&ground->ready, 1);
	rig_meet(gate);
	while (pause() < 0)
		;
	return 0;
}

static int serve_badly(void *arg, struct rig_gate *gate)
{
	if (rig_serve(gate))
		return -EPIPE;
	return fail_after_others(arg, gate);
}

static void server_has_a_grace_to_say_why_it_left_its_clients(void **state)
{
	struct scene *scene = *state;

	for (int threads = 0; threads < 2; threads++) {
		scene->rig.has_threads = threads;
		scene->rig.sides = 2;
		cast(scene, 0, lose_partner);
		cast(scene, 1, serve_badly);
		scene->side[1].serves = true;
		assert_int_equal(run(scene), -EBADMSG);
		assert_int_equal(number_of_cause(scene), 1);
		assert_int_equal(scene->result[0].error, -EPIPE);
	}
}

static void others_of_one_that_was_left_have_a_grace(void **state)
{
	struct scene *scene = *state;
	int64_t start = tick_now();

	scene->rig.grace_ns = 20 * TICK_MS;
	scene->rig.sides = 2;
	cast(scene, 0, hang);
	cast(scene, 1, lose_partner);
	assert_int_equal(run(scene), -EPIPE);
	assert_true(tick_now() - start >= 20 * TICK_MS);
	assert_int_equal(number_of_cause(scene), 1);
	assert_int_equal(scene->result[0].error, -ECANCELED);
}

/* The grace is half a minute, and the deadline too. */
static void others_of_one_with_a_reason_are_ended_at_once(void **state)
{
	struct scene *scene = *state;

	cast_all(scene, hang);
	cast(scene, 1, fail_at_once);
	assert_int_equal(run(scene), -EADDRINUSE);
	assert_false(tick_is_over(scene->rig.deadline));
	assert_int_equal(number_of_cause(scene), 1);
	assert_int_equal(scene->result[0].error, -ECANCELED);
}

static void side_that_hangs_is_killed_at_the_deadline(void **state)
{
	struct scene *scene = *state;

	scene->rig.deadline = tick_after(50 * TICK_MS);
	cast_all(scene, wait_at_the_gate);
	cast(scene, 3, hang);
	assert_int_equal(run(scene), -ETIMEDOUT);
	assert_int_equal(number_of_cause(scene), -1);
	assert_int_equal(scene->result[3].error, -ECANCELED);
	assert_true(tick_is_over(scene->rig.deadline));
}

static int work_after_over(void *arg, struct rig_gate *gate)
{
	const struct part *part = arg;

	return await_over(part->ground) ? rig_meet(gate) : -ETIMEDOUT;
}

static int hang_before_the_gate(void *arg, struct rig_gate *gate)
{
	(void)arg, (void)gate;
	while (pause() < 0)
		;
	return 0;
}

/* They wake at the deadline too, and may be the first to say so. */
static void sides_at_the_gate_are_not_the_cause_of_the_deadline(void **state)
{
	struct scene *scene = *state;

	for (int threads = 0; threads < 2; threads++) {
		scene->rig.deadline = tick_after(20 * TICK_MS);
		scene->rig.has_threads = threads;
		cast_all(scene, wait_at_the_gate);
		cast(scene, 3,
		     threads ? work_after_over : hang_before_the_gate);
		assert_int_equal(run(scene), -ETIMEDOUT);
		assert_int_equal(number_of_cause(scene), -1);
		assert_int_equal(scene->result[0].error, -ECANCELED);
		assert_int_equal(scene->ground->begun, 0);
	}
}

/* ---- a stop ---- */

static int ask_for_a_stop(void *arg, struct rig_gate *gate)
{
	struct ground *ground = ((const struct part *)arg)->ground;
	int error = rig_meet(gate);

	if (!error)
		error = fdio_write_full(ground->pipe[1], "", 1);
	if (!error && !await_over(ground))
		error = -ETIMEDOUT;
	return error ? error : -EBADMSG; /* which is not the reason */
}

static void stop_ends_processes_at_once(void **state)
{
	struct scene *scene = *state;

	scene->rig.stop_fd = scene->ground->pipe[0];
	cast_all(scene, hang);
	cast(scene, 1, ask_for_a_stop);
	assert_int_equal(run(scene), -EINTR);
	assert_int_equal(number_of_cause(scene), -1);
	assert_int_equal(scene->result[0].error, -ECANCELED);
}

static void stop_asks_threads_and_waits_for_them(void **state)
{
	struct scene *scene = *state;

	scene->rig.has_threads = true;
	scene->rig.stop_fd = scene->ground->pipe[0];
	cast_all(scene, work_until_over);
	cast(scene, 1, ask_for_a_stop);
	assert_int_equal(run(scene), -EINTR);
	assert_int_equal(number_of_cause(scene), -1);
	assert_int_equal(scene->result[0].error, 0);
}

static int look_at_signals(void *arg, struct rig_gate *gate)
{
	struct sigaction interrupt, terminate;

	(void)arg, (void)gate;
	sigaction(SIGINT, NULL, &interrupt);
	sigaction(SIGTERM, NULL, &terminate);
	return interrupt.sa_handler == SIG_IGN &&
			       terminate.sa_handler == SIG_DFL
		       ? 0
		       : -EBADMSG;
}

static void process_leaves_signals_of_the_group_to_its_parent(void **state)
{
	struct scene *scene = *state;
	void (*before)(int) = signal(SIGTERM, SIG_IGN);

	cast_all(scene, look_at_signals);
	assert_int_equal(run(scene), 0);
	signal(SIGTERM, before);
}

/* ---- what the rig cannot do ---- */

static int run_deaf_thread(void *arg)
{
	struct scene *scene = arg;

	scene->rig.has_threads = true;
	scene->rig.grace_ns = 20 * TICK_MS;
	scene->rig.deadline = tick_after(TICK_MS);
	cast_all(scene, work_until_over);
	cast(scene, 0, hang);
	return rig_run(&scene->rig, scene->result) == -EDEADLK ? 0 : 1;
}

static void thread_that_does_not_end_is_told(void **state)
{
	support_need_no_valgrind(
		"memory of a thread that runs at exit is lost");
	assert_int_equal(support_child_status(run_deaf_thread, *state, MS), 0);
}

static int run_without_descriptors(void *arg)
{
	struct scene *scene = arg;
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = (rlim_t)scene->lowest_fd + 3;
	setrlimit(RLIMIT_NOFILE, &limit);
	cast_all(scene, wait_at_the_gate);
	return rig_run(&scene->rig, scene->result) == -EMFILE &&
			       waitpid(-1, NULL, WNOHANG) == -1 &&
			       lowest_fd() == scene->lowest_fd
		       ? 0
		       : 1;
}

static void start_that_fails_halfway_leaves_nobody(void **state)
{
	assert_int_equal(
		support_child_status(run_without_descriptors, *state, MS), 0);
}

/* Of the parent, which has started all, and has more to poll than that. */
static int take_descriptors_away(void *arg, struct rig_gate *gate)
{
	const struct rlimit none = {0};
	struct ground *ground = ((const struct part *)arg)->ground;

	if (!await(&ground->ready, SIDES - 1))
		return -ETIMEDOUT;
	if (prlimit(getppid(), RLIMIT_NOFILE, &none, NULL))
		return -errno;
	return wait_at_the_gate(arg, gate);
}

static int run_without_poll(void *arg)
{
	struct scene *scene = arg;

	cast_all(scene, hang);
	cast(scene, SIDES - 1, take_descriptors_away);
	return rig_run(&scene->rig, scene->result) == -EINVAL &&
			       waitpid(-1, NULL, WNOHANG) == -1
		       ? 0
		       : 1;
}

static void run_that_cannot_be_watched_fails_at_once(void **state)
{
	struct scene *scene = *state;

	scene->rig.deadline = tick_after(5 * TICK_S);
	assert_int_equal(support_child_status(run_without_poll, scene, MS), 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(processes_begin_when_the_last_is_ready),
		CASE(threads_begin_when_the_last_is_ready),
		CASE(sides_are_told_when_the_time_is_over),
		CASE(clock_of_a_side_stops_when_it_says_so),
		CASE(sides_are_pinned),
		CASE(server_is_ready_first_and_ended_last),
		CASE(clients_have_numbers_and_one_server),
		CASE(server_that_fails_starts_nobody),
		CASE(death_of_a_side_ends_the_others_at_the_gate),
		CASE(side_that_exits_by_itself_has_failed),
		CASE(reason_counts_before_what_it_led_to),
		CASE(server_has_a_grace_to_say_why_it_left_its_clients),
		CASE(others_of_one_that_was_left_have_a_grace),
		CASE(others_of_one_with_a_reason_are_ended_at_once),
		CASE(side_that_hangs_is_killed_at_the_deadline),
		CASE(sides_at_the_gate_are_not_the_cause_of_the_deadline),
		CASE(stop_ends_processes_at_once),
		CASE(stop_asks_threads_and_waits_for_them),
		CASE(process_leaves_signals_of_the_group_to_its_parent),
		CASE(thread_that_does_not_end_is_told),
		CASE(start_that_fails_halfway_leaves_nobody),
		CASE(run_that_cannot_be_watched_fails_at_once),
	};

	return SUPPORT_MAIN(tests);
}
