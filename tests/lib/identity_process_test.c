/* Processes: who lives, whoever has the number by now. Linked with --wrap=open
 * and --wrap=syscall: /proc and pidfds can be made to vanish. */
#include "tests/lib/identity_fixture.h"

#include <grp.h>
#include <pthread.h>
#include <sys/prctl.h>

static bool has_no_proc;
static int pidfd_error; /* what pidfd_open fails with; 0: it works */

/* Who had the number that the next pidfd is asked for, until right after that;
 * 0: whoever has it. */
static pid_t had_it_before;

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);

int __wrap_open(const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list ap;

	if (has_no_proc && strncmp(path, "/proc/", 6) == 0) {
		errno = ENOENT;
		return -1;
	}
	va_start(ap, flags);
	if (flags & O_CREAT)
		mode = va_arg(ap, mode_t);
	va_end(ap);
	return __real_open(path, flags, mode);
}

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);

long __wrap_syscall(long number, ...)
{
	long a[4];
	va_list ap;

	if (pidfd_error && number == SYS_pidfd_open) {
		errno = pidfd_error;
		return -1;
	}
	va_start(ap, number);
	for (int i = 0; i < 4; i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	if (number == SYS_pidfd_open && had_it_before) {
		a[0] = had_it_before;
		had_it_before = 0;
	}
	return __real_syscall(number, a[0], a[1], a[2], a[3]);
}

static int tear_down(void **state)
{
	(void)state;
	has_no_proc = false;
	pidfd_error = 0;
	return 0;
}

static struct identity_process note(pid_t pid)
{
	struct identity_process process;

	assert_int_equal(identity_of(pid, &process), 0);
	assert_int_equal(process.pid, pid);
	assert_true(process.start > 0);
	return process;
}

/* As a kernel without pidfs would have noted it. */
static struct identity_process by_start(struct identity_process process)
{
	process.pidfs = 0;
	return process;
}

static void assert_life(struct identity_process process,
			enum identity_life life)
{
	struct identity_process other = by_start(process);

	assert_int_equal(identity_judge(&process), life);
	assert_int_equal(identity_judge(&other), life);
}

/* ---- one life ---- */

static void process_lives_until_it_is_a_zombie(void **state)
{
	pid_t pid = start_sleeper(0);
	struct identity_process process = note(pid);

	(void)state;
	assert_life(process, IDENTITY_ALIVE);
	assert_true(identity_is_alive(pid, process.start));
	assert_false(identity_is_alive(pid, process.start + 1));
	assert_false(identity_is_stopped(pid));
	assert_int_equal(identity_signal(&process, SIGSTOP), 0);
	assert_int_equal(waitpid(pid, NULL, WUNTRACED), pid);
	assert_life(process, IDENTITY_ALIVE);
	assert_true(identity_is_stopped(pid));

	make_zombie(pid);
	assert_life(process, IDENTITY_DEAD);
	assert_false(identity_is_alive(pid, process.start));
	assert_int_equal(identity_signal(&process, 0), -ESRCH);
	kill_and_reap(pid);
	assert_life(process, IDENTITY_DEAD);
	assert_false(identity_is_stopped(pid));
	assert_false(identity_is_alive(pid, process.start));
	assert_int_equal(identity_start_time(pid), 0);
	assert_int_equal(identity_processor(pid), -1);
	assert_int_equal(identity_open(&process), -ESRCH);
	assert_int_equal(identity_of(pid, &process), -ESRCH);
}

static void nobody_is_dead(void **state)
{
	struct identity_process nobody = {0};

	(void)state;
	assert_int_equal(identity_judge(&nobody), IDENTITY_DEAD);
	assert_int_equal(identity_signal(&nobody, SIGKILL), -ESRCH);
	nobody = note(getpid());
	nobody.pid = -1;
	assert_int_equal(identity_judge(&nobody), IDENTITY_DEAD);
	assert_int_equal(identity_signal(&nobody, SIGKILL), -ESRCH);
	assert_int_equal(identity_of(0, &nobody), -ESRCH);
	assert_int_equal(identity_of(-1, &nobody), -ESRCH);
	assert_false(identity_is_alive(0, 0));
	assert_false(identity_is_alive(-1, 0));
}

/* As where /proc told nothing when it was noted. */
static void process_without_a_start_cannot_be_judged(void **state)
{
	struct identity_process self = by_start(note(getpid()));

	(void)state;
	self.start = 0;
	assert_int_equal(identity_judge(&self), IDENTITY_UNKNOWN);
	assert_int_equal(identity_signal(&self, 0), -EXDEV);
}

static int take_a_misleading_name(void *arg)
{
	uint64_t before = identity_start_time(getpid());

	(void)arg;
	prctl(PR_SET_NAME, ") Z 1 (9 9 9)");
	EXPECT(identity_start_time(getpid()) == before);
	EXPECT(identity_is_alive(getpid(), before));
	return 0;
}

static void name_with_brackets_misleads_nobody(void **state)
{
	(void)state;
	assert_int_equal(
		support_child_status(take_a_misleading_name, NULL, CHILD_MS),
		0);
}

static void *sleep_in_thread(void *arg)
{
	(void)arg;
	sleep_until_killed();
	return NULL;
}

static int leave_the_first_thread(void *arg)
{
	pthread_t thread;

	(void)arg;
	if (pthread_create(&thread, NULL, sleep_in_thread, NULL))
		return 1;
	pthread_exit(NULL);
}

static bool is_first_thread_gone(void *arg)
{
	struct identity_proc proc;

	return identity_proc_read(*(pid_t *)arg, &proc) == 0 &&
	       proc.state == 'Z';
}

static void process_outlives_its_first_thread(void **state)
{
	struct identity_process process;
	pid_t pid;

	(void)state;
	assert_int_equal(child_fork(leave_the_first_thread, NULL, &pid), 0);
	process = note(pid);
	assert_true(support_wait_until(is_first_thread_gone, &pid, CHILD_MS));
	assert_life(process, IDENTITY_ALIVE);
	assert_true(identity_is_alive(pid, process.start));
	kill_and_reap(pid);
	assert_life(process, IDENTITY_DEAD);
}

static void *name_a_thread(void *arg)
{
	*(pid_t *)arg = gettid();
	sleep_until_killed();
	return NULL;
}

static bool is_named(void *arg)
{
	return __atomic_load_n((pid_t *)arg, __ATOMIC_SEQ_CST) != 0;
}

static int look_for_a_thread(void *arg)
{
	static pid_t thread;
	struct identity_process process;
	pthread_t id;

	(void)arg;
	EXPECT(pthread_create(&id, NULL, name_a_thread, &thread) == 0);
	EXPECT(support_wait_until(is_named, &thread, CHILD_MS));
	EXPECT(identity_of(thread, &process) == -ESRCH);
	EXPECT(identity_start_time(thread) > 0);
	EXPECT(identity_is_alive(thread, identity_start_time(thread)));
	return 0;
}

static void thread_is_no_process_but_has_a_start(void **state)
{
	(void)state;
	assert_int_equal(
		support_child_status(look_for_a_thread, NULL, CHILD_MS), 0);
}

static int be_another(void *arg)
{
	const struct identity_process *parent = arg;
	struct identity_process self;

	EXPECT(identity_self(&self) == 0);
	EXPECT(!identity_is_same(parent, &self));
	EXPECT(identity_judge(parent) == IDENTITY_ALIVE);
	return 0;
}

static void forked_child_is_another_process(void **state)
{
	struct identity_process self = note(getpid()), again = note(getpid());

	(void)state;
	assert_true(identity_is_same(&self, &again));
	assert_int_equal(support_child_status(be_another, &self, CHILD_MS), 0);
}

static bool runs_sleep(void *arg)
{
	char path[32], name[16] = "";
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/comm", *(pid_t *)arg);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, name, sizeof(name) - 1) < 0)
		name[0] = '\0';
	close(fd);
	return strcmp(name, "sleep\n") == 0;
}

static void exec_changes_nothing(void **state)
{
	struct identity_process process;
	int gate[2];
	char byte;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(gate), 0);
	pid = fork();
	if (pid == 0) {
		if (read(gate[0], &byte, 1) == 1)
			execlp("sleep", "sleep", "1000", (char *)NULL);
		_exit(1);
	}
	process = note(pid);
	assert_int_equal(write(gate[1], "", 1), 1);
	assert_true(support_wait_until(runs_sleep, &pid, CHILD_MS));
	assert_life(process, IDENTITY_ALIVE);
	process = note(pid);
	kill_and_reap(pid);
	close(gate[0]);
	close(gate[1]);
	assert_life(process, IDENTITY_DEAD);
}

/* ---- pids that come again ---- */

static int give_the_pid_to_another(void *arg)
{
	struct identity_process first, second;
	pid_t pid = start_sleeper(300);

	(void)arg;
	if (pid < 0)
		return NOT_PERMITTED;
	EXPECT(identity_of(pid, &first) == 0);
	EXPECT(identity_judge(&first) == IDENTITY_ALIVE);
	kill_and_reap(pid);
	wait_for_next_tick(first.start);
	EXPECT(start_sleeper(300) == pid);
	EXPECT(identity_of(pid, &second) == 0);
	EXPECT(!identity_is_same(&first, &second));
	EXPECT(identity_judge(&first) == IDENTITY_DEAD);
	EXPECT(identity_signal(&first, SIGKILL) == -ESRCH);
	EXPECT(identity_open(&first) == -ESRCH);
	EXPECT(!identity_is_alive(pid, first.start));
	first.pidfs = 0;
	EXPECT(identity_judge(&first) == IDENTITY_DEAD);
	EXPECT(identity_signal(&first, SIGKILL) == -ESRCH);
	EXPECT(identity_open(&first) == -ESRCH);
	EXPECT(identity_word_judge(identity_word(&first, 34), 34) ==
	       IDENTITY_DEAD);
	EXPECT(identity_judge(&second) == IDENTITY_ALIVE);
	return 0;
}

static void pid_that_another_has_is_dead_and_not_signalled(void **state)
{
	(void)state;
	assert_int_equal(status_inside((struct inside){
				 .flags = CLONE_NEWPID | CLONE_NEWNS,
				 .body = give_the_pid_to_another}),
			 0);
}

/* The start tells ticks of 10 ms: pidfs knows them apart even then. */
static int give_the_pid_away_at_once(void *arg)
{
	struct identity_process first, second;

	(void)arg;
	for (int i = 0; i < 1000; i++) {
		pid_t pid = start_sleeper(300);

		if (pid < 0)
			return NOT_PERMITTED;
		EXPECT(identity_of(pid, &first) == 0);
		if (!first.pidfs)
			return NOT_PERMITTED;
		kill_and_reap(pid);
		EXPECT(start_sleeper(300) == pid);
		EXPECT(identity_of(pid, &second) == 0);
		EXPECT(identity_judge(&first) == IDENTITY_DEAD);
		EXPECT(identity_signal(&first, SIGKILL) == -ESRCH);
		EXPECT(identity_judge(&second) == IDENTITY_ALIVE);
		kill_and_reap(pid);
		if (first.start == second.start)
			return 0;
	}
	return 1;
}

static void pid_that_comes_again_in_the_same_tick_is_told_apart(void **state)
{
	(void)state;
	assert_int_equal(status_inside((struct inside){
				 .flags = CLONE_NEWPID | CLONE_NEWNS,
				 .body = give_the_pid_away_at_once}),
			 0);
}

/* ---- namespaces ---- */

static int judge_from_inside(void *arg)
{
	const struct identity_process *outer = arg;
	struct identity_process self;

	EXPECT(identity_judge(outer) == IDENTITY_UNKNOWN);
	EXPECT(identity_signal(outer, SIGKILL) == -EXDEV);
	EXPECT(identity_open(outer) == -EXDEV);
	EXPECT(identity_place_check(&outer->place) == -EXDEV);
	EXPECT(identity_self(&self) == 0);
	EXPECT(self.pid == getpid());
	EXPECT(identity_place_check(&self.place) == 0);
	EXPECT(identity_judge(&self) == IDENTITY_ALIVE);
	return 0;
}

static void another_pid_namespace_cannot_be_judged(void **state)
{
	pid_t pid = start_sleeper(0);
	struct identity_process process = note(pid);

	(void)state;
	assert_int_equal(status_inside((struct inside){
				 .flags = CLONE_NEWPID | CLONE_NEWNS,
				 .body = judge_from_inside,
				 .arg = &process}),
			 0);
	kill_and_reap(pid);
	/* Nor when it is dead. */
	assert_int_equal(status_inside((struct inside){
				 .flags = CLONE_NEWPID | CLONE_NEWNS,
				 .body = judge_from_inside,
				 .arg = &process}),
			 0);
}

static int note_self(void *arg)
{
	return identity_self(arg) ? 1 : 0;
}

static void who_was_inside_cannot_be_judged_from_outside(void **state)
{
	struct identity_process *found = shared_memory(sizeof(*found));
	struct inside inside = {.flags = CLONE_NEWPID | CLONE_NEWNS,
				.body = note_self,
				.arg = found};
	struct identity_process first;

	(void)state;
	assert_int_equal(status_inside(inside), 0);
	first = *found;
	assert_int_equal(first.pid, 1);
	assert_int_equal(identity_judge(&first), IDENTITY_UNKNOWN);
	assert_int_equal(identity_place_check(&first.place), -EXDEV);
	/* The next one has pid 1 too, and often the inode. */
	for (int i = 0; i < 20; i++) {
		assert_int_equal(status_inside(inside), 0);
		assert_int_equal(found->pid, 1);
		assert_false(identity_proc_is_same_namespace(
			&first.place.pid, &found->place.pid));
		assert_false(identity_is_same(&first, found));
	}
	munmap(found, sizeof(*found));
}

static int look_with_the_outer_proc(void *arg)
{
	struct identity_process self;
	struct identity_place place;

	(void)arg;
	EXPECT(identity_place_here(&place) == -ENOSYS);
	EXPECT(identity_place_check(&place) == -ENOSYS);
	EXPECT(identity_self(&self) == -ENOSYS);
	return 0;
}

static void proc_of_another_pid_namespace_is_none(void **state)
{
	(void)state;
	assert_int_equal(status_inside((struct inside){
				 .flags = CLONE_NEWPID,
				 .keeps_proc = true,
				 .body = look_with_the_outer_proc}),
			 0);
}

/* Its /proc is that of its parent's namespace, where it has the same pid. */
static int look_with_the_same_pid_in_both(void *arg)
{
	pid_t pids[] = {300, 300};
	struct clone_args args = {
		.exit_signal = SIGCHLD,
		.set_tid = (uint64_t)(uintptr_t)pids,
		.set_tid_size = 2,
	};
	pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	int status;

	if (pid < 0)
		return NOT_PERMITTED;
	if (pid == 0) {
		char link[16] = "";

		/* It is what one could be misled by. */
		_exit(readlink("/proc/self", link, sizeof(link) - 1) != 3 ||
		      strcmp(link, "300") != 0 ||
		      look_with_the_outer_proc(arg) != 0);
	}
	EXPECT(waitpid(pid, &status, 0) == pid);
	return WEXITSTATUS(status);
}

static int enter_once_more(void *arg)
{
	struct inside inside = {.flags = CLONE_NEWPID,
				.keeps_proc = true,
				.body = look_with_the_same_pid_in_both,
				.arg = arg};

	return make_namespaces(&inside);
}

static void equal_pid_in_the_proc_of_another_namespace_misleads_nobody(
	void **state)
{
	(void)state;
	assert_int_equal(status_inside((struct inside){
				 .flags = CLONE_NEWPID | CLONE_NEWNS,
				 .body = enter_once_more}),
			 0);
}

/* A namespace is proven by its id, or by an inode that only the first one has. */
static void equal_inode_of_a_namespace_proves_nothing(void **state)
{
	const struct identity_namespace first = {.inode = 0xeffffffc},
					a = {.inode = 4026532181, .id = 7},
					b = {.inode = 4026532181, .id = 8},
					c = {.inode = 4026532181}, none = {0};

	(void)state;
	assert_true(identity_proc_is_same_namespace(&first, &first));
	assert_true(identity_proc_is_same_namespace(&a, &a));
	assert_false(identity_proc_is_same_namespace(&a, &b));
	assert_false(identity_proc_is_same_namespace(&a, &c));
	assert_false(identity_proc_is_same_namespace(&c, &c));
	assert_false(identity_proc_is_same_namespace(&none, &none));
}

/* Sees its parents' process started 1000 s earlier. */
static int judge_with_another_clock(void *arg)
{
	const struct identity_process *process = arg;
	struct identity_process other = *process;

	EXPECT(identity_start_time(process->pid) != process->start);
	EXPECT(identity_judge(process) ==
	       (process->pidfs ? IDENTITY_ALIVE : IDENTITY_UNKNOWN));
	EXPECT(identity_place_check(&process->place) == -EXDEV);
	other.pidfs = 0;
	EXPECT(identity_judge(&other) == IDENTITY_UNKNOWN);
	EXPECT(identity_signal(&other, SIGKILL) == -EXDEV);
	return 0;
}

static void clock_set_back_kills_nobody(void **state)
{
	pid_t pid = start_sleeper(0);
	struct identity_process process = note(pid);
	struct inside inside = {.flags = CLONE_NEWTIME,
				.time_offset = "boottime 1000 0\n",
				.body = judge_with_another_clock,
				.arg = &process};

	(void)state;
	assert_int_equal(status_inside(inside), 0);
	assert_life(process, IDENTITY_ALIVE);
	kill_and_reap(pid);
	assert_life(process, IDENTITY_DEAD);
}

/* ---- boots ---- */

static void another_boot_is_known_only_in_the_first_namespace(void **state)
{
	const struct identity_namespace first = {.inode = 0xeffffffc},
					other = {.inode = 4026532181, .id = 7};
	const uint8_t none[16] = {0}, a[16] = {1}, b[16] = {2};
	struct identity_process self = note(getpid());

	(void)state;
	assert_true(identity_proc_is_another_boot(a, &first, b, &first));
	assert_false(identity_proc_is_another_boot(a, &first, a, &first));
	assert_false(identity_proc_is_another_boot(a, &first, none, &first));
	assert_false(identity_proc_is_another_boot(a, &other, b, &first));
	assert_false(identity_proc_is_another_boot(a, &first, b, &other));

	self.place.boot[3] ^= 1;
	assert_int_equal(identity_place_check(&self.place), -EXDEV);
	if (self.place.pid.inode == first.inode)
		assert_life(self, IDENTITY_DEAD);
	else
		assert_life(self, IDENTITY_UNKNOWN);
}

/* ---- without /proc, without pidfds ---- */

static void without_proc_nobody_is_judged(void **state)
{
	pid_t pid = start_sleeper(0);
	struct identity_process process = note(pid), other;
	struct identity_place place;

	(void)state;
	has_no_proc = true;
	assert_int_equal(identity_place_here(&place), -ENOSYS);
	assert_int_equal(identity_place_check(&process.place), -ENOSYS);
	assert_int_equal(identity_of(pid, &other), -ENOSYS);
	assert_life(process, IDENTITY_UNKNOWN);
	assert_int_equal(identity_signal(&process, SIGKILL), -EXDEV);
	assert_int_equal(identity_start_time(pid), 0);
	assert_true(identity_is_alive(pid, process.start));
	kill_and_reap(pid);
	/* Who has passed the door knows where it is. */
	assert_false(identity_is_alive(pid, process.start));
	has_no_proc = false;
	assert_life(process, IDENTITY_DEAD);
}

static int cover_proc(void *arg)
{
	const struct identity_process *process = arg;

	if (mount("none", "/proc", "tmpfs", 0, "") < 0)
		return NOT_PERMITTED;
	EXPECT(identity_judge(process) == IDENTITY_UNKNOWN);
	EXPECT(identity_open(process) == -EXDEV);
	return 0;
}

static void mount_over_proc_makes_all_unknown(void **state)
{
	struct identity_process process = note(getpid());

	(void)state;
	assert_int_equal(status_inside((struct inside){.flags = CLONE_NEWNS,
						       .body = cover_proc,
						       .arg = &process}),
			 0);
}

/* As another user, to whom /proc shows no process but its own. */
static int look_past_hidepid(void *arg)
{
	struct identity_process root = {0};

	(void)arg;
	EXPECT(identity_of(1, &root) == 0);
	if (mount("proc", "/proc", "proc", 0, "hidepid=2") < 0)
		return NOT_PERMITTED;
	/* Group 0 may see all. */
	EXPECT(setgroups(0, NULL) == 0);
	EXPECT(setresgid(65534, 65534, 65534) == 0);
	EXPECT(setresuid(65534, 65534, 65534) == 0);
	EXPECT(identity_start_time(1) == 0);
	EXPECT(identity_is_alive(1, root.start));
	EXPECT(!root.pidfs || identity_judge(&root) == IDENTITY_ALIVE);
	root.pidfs = 0;
	EXPECT(identity_judge(&root) == IDENTITY_UNKNOWN);
	root.pid = 4000000;
	EXPECT(identity_judge(&root) == IDENTITY_DEAD);
	EXPECT(identity_of(1, &root) == -ENOSYS);
	return 0;
}

static int start_another_user(void *arg)
{
	return support_child_status(look_past_hidepid, arg, CHILD_MS);
}

static void what_hidepid_hides_is_not_dead(void **state)
{
	(void)state;
	support_need_second_user();
	assert_int_equal(status_inside((struct inside){
				 .flags = CLONE_NEWPID | CLONE_NEWNS,
				 .body = start_another_user}),
			 0);
}

static void without_pidfds_the_start_decides(void **state)
{
	pid_t pid = start_sleeper(0);
	struct identity_process with = note(pid), without, wrong;

	(void)state;
	pidfd_error = ENOSYS;
	without = note(pid);
	assert_int_equal(without.pidfs, 0);
	assert_life(with, IDENTITY_ALIVE);
	assert_life(without, IDENTITY_ALIVE);
	assert_int_equal(identity_open(&without), -ENOSYS);
	/* Refused by a filter of system calls, it is not there either. */
	pidfd_error = EPERM;
	assert_int_equal(identity_open(&without), -ENOSYS);
	assert_int_equal(identity_signal(&without, 0), 0);
	pidfd_error = ENOSYS;
	wrong = without;
	wrong.start++;
	assert_life(wrong, IDENTITY_DEAD);
	assert_int_equal(identity_signal(&wrong, SIGKILL), -ESRCH);
	assert_int_equal(identity_signal(&without, SIGKILL), 0);
	waitpid(pid, NULL, 0);
	assert_int_equal(identity_signal(&without, SIGKILL), -ESRCH);
	assert_life(with, IDENTITY_DEAD);
}

static void number_that_changes_hands_meanwhile_is_of_nobody(void **state)
{
	pid_t before = start_sleeper(0), pid = start_sleeper(0);
	struct identity_process process = note(pid), other;

	(void)state;
	if (process.pidfs) {
		had_it_before = before;
		assert_int_equal(identity_of(pid, &other), -ESRCH);
		had_it_before = before;
		assert_int_equal(identity_open(&process), -ESRCH);
		had_it_before = before;
		assert_int_equal(identity_signal(&process, SIGKILL), -ESRCH);
		assert_int_equal(had_it_before, 0);
		assert_life(note(before), IDENTITY_ALIVE);
		assert_life(process, IDENTITY_ALIVE);
	}
	kill_and_reap(before);
	kill_and_reap(pid);
	if (!process.pidfs)
		skip(); /* before Linux 6.9 nothing tells */
}

static void pidfd_is_of_the_process_and_close_on_exec(void **state)
{
	pid_t pid = start_sleeper(0);
	struct identity_process process = note(pid);
	struct pollfd wait = {.events = POLLIN};

	(void)state;
	wait.fd = identity_open(&process);
	if (wait.fd == -ENOSYS) {
		kill_and_reap(pid);
		skip();
	}
	assert_true(wait.fd >= 0);
	assert_true(fcntl(wait.fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(poll(&wait, 1, 0), 0);
	assert_int_equal(identity_signal(&process, SIGKILL), 0);
	assert_int_equal(poll(&wait, 1, CHILD_MS), 1);
	waitpid(pid, NULL, 0);
	close(wait.fd);
}

/* ---- text and words ---- */

static void text_comes_back_as_it_was(void **state)
{
	struct identity_process process = note(getpid()), again;
	const struct identity_process most = {
		.place = {.pid = {UINT64_MAX, UINT64_MAX},
			  .time = {UINT64_MAX, UINT64_MAX}},
		.start = UINT64_MAX,
		.pidfs = UINT64_MAX,
		.pid = INT32_MAX};
	char text[IDENTITY_PROCESS_TEXT];

	(void)state;
	identity_format(&process, text);
	assert_int_equal(identity_parse(text, &again), 0);
	assert_true(identity_is_same(&process, &again));
	assert_null(strpbrk(text, " \n"));
	identity_format(&most, text);
	assert_int_equal(identity_parse(text, &again), 0);
	assert_true(identity_is_same(&most, &again));
}

static void other_text_is_refused(void **state)
{
	static const char good[] =
		"1:2:3:4/5:6/7:00112233-4455-6677-8899-aabbccddeeff";
	static const char *const bad[] = {
		"",
		":",
		" 1:2:3:4/5:6/7:00112233-4455-6677-8899-aabbccddeeff",
		"+1:2:3:4/5:6/7:00112233-4455-6677-8899-aabbccddeeff",
		"-1:2:3:4/5:6/7:00112233-4455-6677-8899-aabbccddeeff",
		"01:2:3:4/5:6/7:00112233-4455-6677-8899-aabbccddeeff",
		"1:2:3:4/5:6/7:00112233-4455-6677-8899-AABBCCDDEEFF",
		"1:2:3:4/5:6/7:0112233-4455-6677-8899-aabbccddeeff0",
		"1:2:3:4/5:6/7:00112233-4455-6677-8899-aabbccddeeff ",
		"1:2:3:4/5:6/7:00112233445566778899aabbccddeeff",
		"4294967297:2:3:4/5:6/7:00112233-4455-6677-8899-aabbccddeeff",
		"1:18446744073709551616:3:4/5:6/7:00112233-4455-6677-8899-aabbccddeeff",
		"1:-2:3:4/5:6/7:00112233-4455-6677-8899-aabbccddeeff",
	};
	struct identity_process process, kept;
	char text[sizeof(good)];

	(void)state;
	assert_int_equal(identity_parse(good, &process), 0);
	assert_int_equal(process.pid, 1);
	assert_int_equal(process.start, 2);
	assert_int_equal(process.pidfs, 3);
	assert_int_equal(process.place.time.id, 7);
	assert_int_equal(process.place.boot[15], 0xff);
	kept = process;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(identity_parse(bad[i], &process), -EBADMSG);
	for (size_t n = 0; n < sizeof(good) - 1; n++) {
		snprintf(text, sizeof(text), "%.*s", (int)n, good);
		assert_int_equal(identity_parse(text, &process), -EBADMSG);
	}
	assert_true(identity_is_same(&process, &kept));
}

static void word_names_a_process_as_long_as_it_lives(void **state)
{
	pid_t pid = start_sleeper(0);
	struct identity_process process = note(pid);
	uint64_t word = identity_word(&process, 34),
		 long_word = identity_word(&process, 42);

	(void)state;
	assert_int_equal(word >> 56, 0);
	assert_int_equal(identity_word_pid(word), pid);
	assert_int_equal(identity_word_judge(word, 34), IDENTITY_ALIVE);
	assert_int_equal(identity_word_judge(long_word, 42), IDENTITY_ALIVE);
	/* What lies above is the caller's. */
	assert_int_equal(identity_word_judge(word | UINT64_C(0xab) << 56, 34),
			 IDENTITY_ALIVE);
	assert_int_equal(identity_word_judge(
				 word ^ UINT64_C(1) << IDENTITY_PID_BITS, 34),
			 IDENTITY_DEAD);
	assert_false(identity_word_is_gone(word));
	has_no_proc = true;
	assert_int_equal(identity_word_judge(word, 34), IDENTITY_UNKNOWN);
	has_no_proc = false;
	make_zombie(pid);
	assert_int_equal(identity_word_judge(word, 34), IDENTITY_DEAD);
	assert_false(identity_word_is_gone(word));
	kill_and_reap(pid);
	assert_true(identity_word_is_gone(word));
	assert_int_equal(identity_word_judge(word, 34), IDENTITY_DEAD);
	assert_int_equal(identity_word_judge(0, 34), IDENTITY_DEAD);
	assert_false(identity_word_is_gone(0));
	process.start = 0;
	assert_int_equal(identity_word(&process, 34), 0);
}

#define CASE(test) cmocka_unit_test_teardown(test, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(process_lives_until_it_is_a_zombie),
		CASE(nobody_is_dead),
		CASE(process_without_a_start_cannot_be_judged),
		CASE(name_with_brackets_misleads_nobody),
		CASE(process_outlives_its_first_thread),
		CASE(thread_is_no_process_but_has_a_start),
		CASE(forked_child_is_another_process),
		CASE(exec_changes_nothing),
		CASE(pid_that_another_has_is_dead_and_not_signalled),
		CASE(pid_that_comes_again_in_the_same_tick_is_told_apart),
		CASE(another_pid_namespace_cannot_be_judged),
		CASE(who_was_inside_cannot_be_judged_from_outside),
		CASE(proc_of_another_pid_namespace_is_none),
		CASE(equal_pid_in_the_proc_of_another_namespace_misleads_nobody),
		CASE(equal_inode_of_a_namespace_proves_nothing),
		CASE(clock_set_back_kills_nobody),
		CASE(another_boot_is_known_only_in_the_first_namespace),
		CASE(without_proc_nobody_is_judged),
		CASE(mount_over_proc_makes_all_unknown),
		CASE(what_hidepid_hides_is_not_dead),
		CASE(without_pidfds_the_start_decides),
		CASE(number_that_changes_hands_meanwhile_is_of_nobody),
		CASE(pidfd_is_of_the_process_and_close_on_exec),
		CASE(text_comes_back_as_it_was),
		CASE(other_text_is_refused),
		CASE(word_names_a_process_as_long_as_it_lives),
	};

	return SUPPORT_MAIN(tests);
}
