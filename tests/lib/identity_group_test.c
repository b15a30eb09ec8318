/* Process groups: whom a saved number may reach, and when all have ended. Linked
 * with --wrap=identity_proc_see, as only a boot makes a process of another, and
 * with --wrap=readdir. */
#include "tests/lib/identity_fixture.h"

#include <dirent.h>

static bool is_of_another_boot;

enum identity_sight __real_identity_proc_see(const struct identity_process *p);
enum identity_sight __wrap_identity_proc_see(const struct identity_process *p);

enum identity_sight __wrap_identity_proc_see(const struct identity_process *p)
{
	return is_of_another_boot ? IDENTITY_SIGHT_ELSEWHERE
				  : __real_identity_proc_see(p);
}

static bool is_proc_cut; /* it cannot be read to its end */

struct dirent *__real_readdir(DIR *dir);
struct dirent *__wrap_readdir(DIR *dir);

struct dirent *__wrap_readdir(DIR *dir)
{
	if (!is_proc_cut)
		return __real_readdir(dir);
	errno = ENOMEM;
	return NULL;
}

struct group {
	pid_t leader, member;
	struct identity_process identity;
	int pidfd; /* -1: not to be had */
};

static pid_t start_in_group(pid_t group, pid_t as)
{
	pid_t pid = as ? fork_as(as) : fork();

	if (pid == 0) {
		setpgid(0, group);
		sleep_until_killed();
	}
	setpgid(pid, group ? group : pid);
	return pid;
}

/* A leader and a member, both children of ours; as: the leader's pid. */
static int start_group(struct group *group, pid_t as)
{
	*group = (struct group){.pidfd = -1};
	group->leader = start_in_group(0, as);
	if (group->leader < 0)
		return NOT_PERMITTED;
	if (identity_of(group->leader, &group->identity))
		return 1;
	group->pidfd = identity_open(&group->identity);
	group->member = start_in_group(group->leader, 0);
	return 0;
}

static enum identity_life judge(const struct group *group)
{
	return identity_judge_group(&group->identity, -1);
}

/* Whether the kernel can reach a group by its leader's pidfd. */
static bool has_group_signals(const struct group *group)
{
	return group->pidfd >= 0 &&
	       syscall(SYS_pidfd_send_signal, group->pidfd, 0, NULL, 4) == 0;
}

static enum identity_life judge_by_pidfd(const struct group *group)
{
	return identity_judge_group(&group->identity, group->pidfd);
}

static void end(struct group *group)
{
	kill_and_reap(group->leader);
	kill_and_reap(group->member);
	if (group->pidfd >= 0)
		close(group->pidfd);
}

static bool is_alive(pid_t pid)
{
	struct identity_proc proc;

	return identity_proc_read(pid, &proc) == 0 &&
	       identity_proc_is_alive(&proc);
}

/* ---- while its leader is there ---- */

static void group_lives_until_its_last_member_is_a_zombie(void **state)
{
	struct group group = {.pidfd = -1};

	(void)state;
	assert_int_equal(start_group(&group, 0), 0);
	assert_int_equal(judge(&group), IDENTITY_ALIVE);
	make_zombie(group.leader);
	assert_int_equal(judge(&group), IDENTITY_ALIVE);
	assert_int_equal(judge_by_pidfd(&group), IDENTITY_ALIVE);
	make_zombie(group.member);
	assert_int_equal(kill(-group.leader, 0),
			 0); /* it still has the number */
	assert_int_equal(judge(&group), IDENTITY_DEAD);
	assert_int_equal(judge_by_pidfd(&group), IDENTITY_DEAD);
	end(&group);
	assert_int_equal(judge(&group), IDENTITY_DEAD);
}

static void group_whose_members_cannot_be_looked_for_is_unknown(void **state)
{
	struct group group = {.pidfd = -1};

	(void)state;
	assert_int_equal(start_group(&group, 0), 0);
	make_zombie(group.leader);
	is_proc_cut = true;
	assert_int_equal(judge(&group), IDENTITY_UNKNOWN);
	is_proc_cut = false;
	assert_int_equal(judge(&group), IDENTITY_ALIVE);
	end(&group);
}

static void signal_reaches_all_while_the_leader_is_a_zombie(void **state)
{
	struct group group = {.pidfd = -1};
	int status;

	(void)state;
	assert_int_equal(start_group(&group, 0), 0);
	make_zombie(group.leader);
	assert_int_equal(identity_signal_group(&group.identity, -1, SIGTERM),
			 0);
	assert_int_equal(waitpid(group.member, &status, 0), group.member);
	assert_int_equal(WTERMSIG(status), SIGTERM);
	end(&group);
	assert_int_equal(identity_signal_group(&group.identity, -1, SIGTERM),
			 -ESRCH);
}

static void number_of_nobody_is_never_signalled(void **state)
{
	struct identity_process leader;

	(void)state;
	assert_int_equal(identity_self(&leader), 0);
	for (leader.pid = -1; leader.pid <= 1; leader.pid++) {
		assert_int_equal(identity_signal_group(&leader, -1, 0),
				 -EINVAL);
		assert_int_equal(identity_judge_group(&leader, -1),
				 IDENTITY_DEAD);
	}
}

/* ---- when its leader is gone ---- */

static void orphaned_group_is_reached_by_a_pidfd_only(void **state)
{
	struct group group = {.pidfd = -1};
	int status;

	(void)state;
	assert_int_equal(start_group(&group, 0), 0);
	kill_and_reap(group.leader);
	assert_int_equal(judge(&group), IDENTITY_UNKNOWN);
	assert_int_equal(identity_signal_group(&group.identity, -1, SIGKILL),
			 -EOWNERDEAD);
	assert_true(is_alive(group.member));
	if (has_group_signals(&group)) {
		assert_int_equal(judge_by_pidfd(&group), IDENTITY_ALIVE);
		assert_int_equal(identity_signal_group(&group.identity,
						       group.pidfd, SIGTERM),
				 0);
		assert_int_equal(waitpid(group.member, &status, 0),
				 group.member);
		assert_int_equal(WTERMSIG(status), SIGTERM);
		assert_int_equal(judge_by_pidfd(&group), IDENTITY_DEAD);
		assert_int_equal(identity_signal_group(&group.identity,
						       group.pidfd, SIGTERM),
				 -ESRCH);
	}
	end(&group);
	assert_int_equal(judge(&group), IDENTITY_DEAD);
}

static void zombies_of_an_orphaned_group_do_not_count(void **state)
{
	struct group group = {.pidfd = -1};

	(void)state;
	assert_int_equal(start_group(&group, 0), 0);
	kill_and_reap(group.leader);
	make_zombie(group.member);
	assert_int_equal(kill(-group.leader, 0), 0);
	assert_int_equal(judge(&group), IDENTITY_DEAD);
	end(&group);
}

static int lead_the_same_number(void *arg)
{
	struct group old = {.pidfd = -1}, new = {.pidfd = -1};

	(void)arg;
	if (start_group(&old, 300))
		return NOT_PERMITTED;
	kill_and_reap(old.leader);
	kill_and_reap(old.member);
	wait_for_next_tick(old.identity.start);
	EXPECT(start_group(&new, 300) == 0);
	EXPECT(new.leader == old.leader);
	for (int i = 0; i < 2; i++) {
		EXPECT(judge(&old) == IDENTITY_DEAD);
		EXPECT(judge_by_pidfd(&old) == IDENTITY_DEAD);
		EXPECT(identity_wait_group(&old.identity, -1, 0) == 0);
		EXPECT(identity_signal_group(&old.identity, -1, SIGKILL) ==
		       -ESRCH);
		EXPECT(identity_signal_group(&old.identity, old.pidfd,
					     SIGKILL) == -ESRCH);
		old.identity.pidfs = 0;
	}
	EXPECT(is_alive(new.leader) && is_alive(new.member));
	/* And when that leader is gone as well. */
	kill_and_reap(new.leader);
	EXPECT(judge(&old) == IDENTITY_UNKNOWN);
	EXPECT(identity_signal_group(&old.identity, -1, SIGKILL) ==
	       -EOWNERDEAD);
	if (has_group_signals(&new)) {
		EXPECT(judge_by_pidfd(&old) == IDENTITY_DEAD);
		EXPECT(identity_signal_group(&old.identity, old.pidfd,
					     SIGKILL) == -ESRCH);
	}
	EXPECT(is_alive(new.member));
	return 0;
}

static void group_that_another_leads_now_is_not_touched(void **state)
{
	(void)state;
	assert_int_equal(status_inside((struct inside){
				 .flags = CLONE_NEWPID | CLONE_NEWNS,
				 .body = lead_the_same_number}),
			 0);
}

static int look_from_inside(void *arg)
{
	const struct identity_process *leader = arg;

	EXPECT(identity_judge_group(leader, -1) == IDENTITY_UNKNOWN);
	EXPECT(identity_signal_group(leader, -1, SIGKILL) == -EXDEV);
	EXPECT(identity_wait_group(leader, -1, tick_after(20 * TICK_MS)) ==
	       -ETIMEDOUT);
	return 0;
}

static void group_of_another_pid_namespace_cannot_be_judged(void **state)
{
	struct group group = {.pidfd = -1};

	(void)state;
	assert_int_equal(start_group(&group, 0), 0);
	assert_int_equal(status_inside((struct inside){.flags = CLONE_NEWPID |
								CLONE_NEWNS,
						       .body = look_from_inside,
						       .arg = &group.identity}),
			 0);
	assert_true(is_alive(group.member));
	end(&group);
}

static void group_of_another_boot_is_dead_and_not_signalled(void **state)
{
	struct group group = {.pidfd = -1};
	enum identity_life life;
	int error;

	(void)state;
	assert_int_equal(start_group(&group, 0), 0);
	is_of_another_boot = true;
	life = judge(&group);
	error = identity_signal_group(&group.identity, -1, SIGKILL);
	is_of_another_boot = false;
	assert_int_equal(life, IDENTITY_DEAD);
	assert_int_equal(error, -ESRCH);
	assert_true(is_alive(group.leader) && is_alive(group.member));
	end(&group);
}

static int reach_as_another_user(void *arg)
{
	const struct group *group = arg;

	EXPECT(setuid(65534) == 0);
	EXPECT(judge_by_pidfd(group) == IDENTITY_ALIVE);
	EXPECT(identity_signal_group(&group->identity, group->pidfd, SIGKILL) ==
	       -EPERM);
	return 0;
}

/* The kernel's no is an answer, too, and proves that the group is there. */
static void group_of_another_user_is_alive_and_may_not_be_signalled(
	void **state)
{
	struct group group = {.pidfd = -1};

	(void)state;
	support_need_second_user();
	assert_int_equal(start_group(&group, 0), 0);
	kill_and_reap(group.leader);
	if (has_group_signals(&group))
		assert_int_equal(support_child_status(reach_as_another_user,
						      &group, CHILD_MS),
				 0);
	assert_true(is_alive(group.member));
	end(&group);
}

/* ---- waiting ---- */

static void wait_is_bounded_by_its_deadline(void **state)
{
	struct group group = {.pidfd = -1};
	int64_t deadline;

	(void)state;
	assert_int_equal(start_group(&group, 0), 0);
	make_zombie(group.leader);
	deadline = tick_after(50 * TICK_MS);
	assert_int_equal(identity_wait_group(&group.identity, -1, deadline),
			 -ETIMEDOUT);
	assert_true(tick_now() >= deadline);
	end(&group);
}

/* In the wait: between two looks. */
static bool is_parent_asleep(void *arg)
{
	struct identity_proc proc;

	(void)arg;
	return identity_proc_read(getppid(), &proc) == 0 && proc.state == 'S';
}

static void wait_ends_with_the_last_member(void **state)
{
	struct group group = {.pidfd = -1};
	pid_t killer;
	int status;

	(void)state;
	assert_int_equal(start_group(&group, 0), 0);
	make_zombie(group.leader);
	killer = fork();
	if (killer == 0) {
		bool is_asleep =
			support_wait_until(is_parent_asleep, NULL, 10000);

		_exit(kill(group.member, SIGKILL) < 0 || !is_asleep);
	}
	assert_int_equal(identity_wait_group(&group.identity, -1,
					     tick_after(20 * TICK_S)),
			 0);
	assert_false(is_alive(group.member));
	assert_int_equal(waitpid(killer, &status, 0), killer);
	assert_int_equal(status, 0);
	end(&group);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(group_lives_until_its_last_member_is_a_zombie),
		cmocka_unit_test(
			group_whose_members_cannot_be_looked_for_is_unknown),
		cmocka_unit_test(
			signal_reaches_all_while_the_leader_is_a_zombie),
		cmocka_unit_test(number_of_nobody_is_never_signalled),
		cmocka_unit_test(orphaned_group_is_reached_by_a_pidfd_only),
		cmocka_unit_test(zombies_of_an_orphaned_group_do_not_count),
		cmocka_unit_test(group_that_another_leads_now_is_not_touched),
		cmocka_unit_test(
			group_of_another_pid_namespace_cannot_be_judged),
		cmocka_unit_test(
			group_of_another_boot_is_dead_and_not_signalled),
		cmocka_unit_test(
			group_of_another_user_is_alive_and_may_not_be_signalled),
		cmocka_unit_test(wait_is_bounded_by_its_deadline),
		cmocka_unit_test(wait_ends_with_the_last_member),
	};

	return SUPPORT_MAIN(tests);
}
