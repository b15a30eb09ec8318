/* Who has a role of a queue: by a word in the memory, or by name, by a lock that
 * the kernel drops. Linked with --wrap for what fails when it is told to:
 * identity_role_give_up for the lock of the name, posix_fallocate; and
 * shmname_remove, before which another may come. */
#include "p15-spsc/spsc.h"

#include "tests/support/support.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/rng.h"
#include "lib/tick.h"
#include "tests/lib/identity_fixture.h"
#include "tests/p15/fixture.h"
#include "tests/support/leftover.h"

#define NAME "/p15-life-test"

enum { LONG_MS = 20000, CAPACITY = 8 };

static int64_t soon(void)
{
	return tick_after(LONG_MS * TICK_MS);
}

/* What users are promised. */
static int64_t second(void)
{
	return tick_after(TICK_S);
}

static int64_t a_while(void)
{
	return tick_after(250 * TICK_MS);
}

static int produce(struct spsc_producer *p)
{
	return spsc_open_producer(p, NAME, 8, CAPACITY, soon());
}

static int consume(struct spsc_consumer *c)
{
	return spsc_open_consumer(c, NAME, 8, CAPACITY, soon());
}

/* ---- by word --------------------------------------------------------------------- */

struct child {
	struct fixture *f;
	bool zeroes, adopts, forgets, names;
	int ready;
};

/* Attach, push one, and zero the words of all owners. */
static int attach_and_stay(void *arg)
{
	struct child *child = arg;
	struct spsc_producer p;
	uint64_t item = 1;

	EXPECT(spsc_producer_attach(&p, child->f->memory, child->f->bytes, 8) ==
	       0);
	EXPECT(spsc_try_push(&p, &item, 8) == 0);
	EXPECT(write(child->ready, "", 1) == 1);
	sleep_until_killed();
	return 1;
}

static void owner_whose_word_is_zeroed_is_missed_when_it_dies(void **state)
{
	struct child child = {0};
	struct fixture f;
	struct spsc *shared;
	uint64_t item;
	pid_t pid;

	(void)state;
	make(&f, 8, CAPACITY);
	child.f = &f;
	shared = f.memory;
	assert_int_equal(spsc_consumer_attach(&f.c, f.memory, f.bytes, 8), 0);
	pid = support_start(attach_and_stay, &child, &child.ready, LONG_MS);
	assert_int_equal(spsc_pop_until(&f.c, &item, 8, soon()), 0);
	assert_int_equal(spsc_pop_until(&f.c, &item, 8, a_while()), -ETIMEDOUT);
	__atomic_store_n(&shared->owner[SPSC_PRODUCER], 0, __ATOMIC_SEQ_CST);
	assert_int_equal(spsc_pop_until(&f.c, &item, 8, a_while()), -ETIMEDOUT);
	support_kill(&pid);
	assert_int_equal(spsc_pop_until(&f.c, &item, 8, second()), -EOWNERDEAD);
	unmake(&f);
}

static void producer_that_was_closed_is_not_taken_for_dead(void **state)
{
	struct fixture f;
	uint64_t item = 1;

	(void)state;
	make_both(&f, 8, CAPACITY);
	assert_int_equal(spsc_pop_until(&f.c, &item, 8, a_while()), -ETIMEDOUT);
	spsc_producer_close(&f.p);
	assert_int_equal(spsc_producer_attach(&f.p, f.memory, f.bytes, 8), 0);
	assert_int_equal(spsc_pop_until(&f.c, &item, 8, a_while()), -ETIMEDOUT);
	unmake(&f);
}

static int attach_elsewhere(void *arg)
{
	struct fixture *f = arg;
	struct spsc_producer p;

	EXPECT(spsc_producer_attach(&p, f->memory, f->bytes, 8) == -EXDEV);
	/* One that is made there is another matter. */
	EXPECT(spsc_init(f->memory, f->bytes, 8, CAPACITY) == 0);
	EXPECT(spsc_producer_attach(&p, f->memory, f->bytes, 8) == 0);
	return 0;
}

static void words_of_another_pid_namespace_are_refused(void **state)
{
	struct inside inside = {.flags = CLONE_NEWPID | CLONE_NEWNS,
				.body = attach_elsewhere};
	struct fixture f;

	(void)state;
	make(&f, 8, CAPACITY);
	inside.arg = &f;
	assert_int_equal(status_inside(inside), 0);
	/* And the other way round; although its owner has died. */
	assert_int_equal(spsc_producer_attach(&f.p, f.memory, f.bytes, 8),
			 -EXDEV);
	unmake(&f);
}

/* ---- fork -------------------------------------------------------------------------- */

static pid_t child_of(pid_t pid)
{
	char path[64], text[32] = "";
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid,
		 (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(read(fd, text, sizeof(text) - 1) > 0);
	close(fd);
	return (pid_t)strtol(text, NULL, 10);
}

/* Take the role and fork: the child goes on, or it forgets and lives on. */
static int take_and_fork(void *arg)
{
	struct child *child = arg;
	struct spsc_producer p;
	uint64_t item = 1;
	pid_t pid;

	EXPECT((child->names ? produce(&p)
			     : spsc_producer_attach(&p, child->f->memory,
						    child->f->bytes, 8)) == 0);
	EXPECT(spsc_try_push(&p, &item, 8) == 0);
	pid = fork(); /* of its own, to outlive us */
	EXPECT(pid >= 0);
	if (pid == 0) {
		alarm(60); /* should the case fail */
		if ((child->adopts && spsc_producer_adopt(&p)) ||
		    write(child->ready, "", 1) != 1)
			_exit(3);
		if (child->forgets)
			spsc_producer_forget(&p);
	}
	sleep_until_killed();
	return 1;
}

static void assert_child_goes_on(struct child *child, struct spsc_consumer *c,
				 int (*take_another)(struct child *))
{
	pid_t pid = support_start(take_and_fork, child, &child->ready, LONG_MS);
	pid_t heir = child_of(pid);
	uint64_t item;

	assert_int_equal(spsc_pop_until(c, &item, 8, soon()), 0);
	support_kill(&pid);
	if (child->forgets) {
		assert_int_equal(spsc_pop_until(c, &item, 8, second()),
				 -EOWNERDEAD);
		kill_and_reap(heir);
		return;
	}
	assert_int_equal(spsc_pop_until(c, &item, 8, a_while()), -ETIMEDOUT);
	assert_int_equal(take_another(child), -EBUSY);
	kill_and_reap(heir);
	assert_int_equal(spsc_pop_until(c, &item, 8, second()), -EOWNERDEAD);
	assert_int_equal(take_another(child), 0);
}

static int attach_another(struct child *child)
{
	return spsc_producer_attach(&child->f->p, child->f->memory,
				    child->f->bytes, 8);
}

static void child_that_adopted_the_role_has_it_after_its_parent(void **state)
{
	struct child child = {.adopts = true};
	struct fixture f;

	(void)state;
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
	make(&f, 8, CAPACITY);
	child.f = &f;
	assert_int_equal(spsc_consumer_attach(&f.c, f.memory, f.bytes, 8), 0);
	assert_child_goes_on(&child, &f.c, attach_another);
	/* We have it now: there is nothing to adopt. */
	f.p.owner++;
	assert_int_equal(spsc_producer_adopt(&f.p), -EBUSY);
	unmake(&f);
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0), 0);
}

static int open_another(struct child *child)
{
	struct spsc_producer p;
	int error = produce(&p);

	(void)child;
	if (!error)
		spsc_producer_close(&p);
	return error;
}

static void child_has_the_role_after_its_parent_by_name(void **state)
{
	(void)state;
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
	for (int forgets = 0; forgets < 2; forgets++) {
		struct child child = {.names = true, .forgets = forgets};
		struct spsc_consumer c;

		assert_int_equal(consume(&c), 0);
		assert_child_goes_on(&child, &c, open_another);
		spsc_consumer_close(&c);
		assert_int_equal(spsc_remove(NAME), 0);
	}
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0), 0);
}

/* ---- by name ----------------------------------------------------------------------- */

static void queue_by_name_is_made_once_and_removed_when_nobody_is_in(
	void **state)
{
	struct spsc_producer p, second_one;
	struct spsc_consumer c;
	uint64_t item = 7;

	(void)state;
	assert_int_equal(spsc_open_producer(&p, "x", 8, CAPACITY, 0), -EINVAL);
	assert_int_equal(spsc_open_producer(&p, NAME, 8, 3, 0), -EINVAL);
	assert_int_equal(spsc_open_producer(&p, NAME, 8, 0, 0), -ENOENT);
	assert_int_equal(spsc_remove(NAME), -ENOENT);
	assert_int_equal(produce(&p), 0);
	assert_int_equal(produce(&second_one), -EBUSY);
	assert_int_equal(spsc_open_consumer(&c, NAME, 16, 0, 0), -EMSGSIZE);
	assert_int_equal(spsc_open_consumer(&c, NAME, 8, 1024, 0), 0);
	for (int i = 0; i < 3 * CAPACITY; i++) {
		assert_int_equal(spsc_push(&p, &item, 8), 0);
		assert_int_equal(spsc_pop(&c, &item, 8), 0);
		assert_int_equal(item, 7);
	}
	assert_int_equal(spsc_remove(NAME), -EBUSY);
	spsc_producer_close(&p);
	assert_int_equal(spsc_pop(&c, &item, 8), -EPIPE);
	assert_int_equal(spsc_remove(NAME), -EBUSY);
	/* By its memory alone nobody gets in beside. */
	assert_int_equal(
		spsc_producer_attach(&p, c.shared, spsc_bytes(8, CAPACITY), 8),
		-EACCES);
	spsc_consumer_close(&c);
	assert_int_equal(spsc_remove(NAME), 0);
}

/* Who publishes and dies between our looks at the index and at its life. */
static struct spsc_producer *dies;

int __real_spsc_role_look(struct spsc *shared, enum spsc_role other,
			  uint64_t seen, struct spsc_seat *seat,
			  uint64_t *peer);
int __wrap_spsc_role_look(struct spsc *shared, enum spsc_role other,
			  uint64_t seen, struct spsc_seat *seat,
			  uint64_t *peer);
int __wrap_spsc_role_look(struct spsc *shared, enum spsc_role other,
			  uint64_t seen, struct spsc_seat *seat, uint64_t *peer)
{
	const uint64_t item = 42;

	if (!dies)
		return __real_spsc_role_look(shared, other, seen, seat, peer);
	assert_int_equal(spsc_try_push(dies, &item, 8), 0);
	return -EOWNERDEAD;
}

static void what_is_published_right_before_a_death_is_not_missed(void **state)
{
	struct fixture f;
	uint64_t item = 0;

	(void)state;
	make_both(&f, 8, CAPACITY);
	dies = &f.p;
	assert_int_equal(spsc_pop_until(&f.c, &item, 8, second()), 0);
	dies = NULL;
	assert_int_equal(item, 42);
	unmake(&f);
}

static bool is_hidden;

enum identity_life __real_identity_word_judge(uint64_t word, unsigned int bits);
enum identity_life __wrap_identity_word_judge(uint64_t word, unsigned int bits);
enum identity_life __wrap_identity_word_judge(uint64_t word, unsigned int bits)
{
	return is_hidden ? IDENTITY_UNKNOWN
			 : __real_identity_word_judge(word, bits);
}

static void owner_that_cannot_be_judged_keeps_the_role(void **state)
{
	struct spsc_producer p;
	struct fixture f;
	uint64_t item;

	(void)state;
	make_both(&f, 8, CAPACITY);
	is_hidden = true;
	assert_int_equal(spsc_producer_attach(&p, f.memory, f.bytes, 8),
			 -EBUSY);
	assert_int_equal(spsc_pop_until(&f.c, &item, 8, a_while()), -ETIMEDOUT);
	is_hidden = false;
	unmake(&f);
}

static bool name_stays_locked;

int __real_identity_role_give_up(const struct identity_role *role,
				 int64_t byte);
int __wrap_identity_role_give_up(const struct identity_role *role,
				 int64_t byte);
int __wrap_identity_role_give_up(const struct identity_role *role, int64_t byte)
{
	if (name_stays_locked && byte == SPSC_BYTE + SPSC_BYTE_NAME)
		return -ENOLCK;
	return __real_identity_role_give_up(role, byte);
}

static void who_cannot_unlock_the_name_has_no_role(void **state)
{
	struct spsc_producer p;
	struct spsc_consumer c;

	(void)state;
	name_stays_locked = true;
	assert_int_equal(produce(&p), -ENOLCK);
	assert_int_equal(consume(&c), -ENOLCK);
	name_stays_locked = false;
	assert_int_equal(produce(&p), 0);
	assert_int_equal(consume(&c), 0);
	spsc_producer_close(&p);
	spsc_consumer_close(&c);
	assert_int_equal(spsc_remove(NAME), 0);
}

static bool is_disk_full;

int __real_posix_fallocate(int fd, off_t at, off_t len);
int __wrap_posix_fallocate(int fd, off_t at, off_t len);
int __wrap_posix_fallocate(int fd, off_t at, off_t len)
{
	return is_disk_full ? ENOSPC : __real_posix_fallocate(fd, at, len);
}

static void queue_that_has_no_room_leaves_no_name(void **state)
{
	struct spsc_producer p;

	(void)state;
	is_disk_full = true;
	assert_int_equal(produce(&p), -ENOSPC);
	is_disk_full = false;
	assert_int_equal(spsc_remove(NAME), -ENOENT);
}

static void put_file(const void *bytes, size_t len, mode_t mode)
{
	int fd = shm_open(NAME, O_RDWR | O_CREAT | O_EXCL, mode);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), len);
	close(fd);
}

static void what_is_no_queue_is_left_alone_and_half_a_one_replaced(void **state)
{
	static const char zeros[4096];
	uint32_t making = SPSC_MAKING;
	struct spsc_producer p;

	(void)state;
	for (int i = 0; i < 3; i++) {
		put_file(i == 0 ? "garbage" : zeros, i == 1 ? 100 : 7,
			 i == 2 ? 0644 : 0600);
		assert_int_equal(produce(&p), -EBADMSG);
		assert_int_equal(spsc_remove(NAME), -EBADMSG);
		assert_int_equal(shm_unlink(NAME), 0);
	}
	put_file(&making, sizeof(making), 0600);
	assert_int_equal(produce(&p), 0);
	spsc_producer_close(&p);
	/* One that is too short for what it says. */
	assert_int_equal(truncate("/dev/shm" NAME, 700), 0);
	assert_int_equal(produce(&p), -EBADMSG);
	assert_int_equal(shm_unlink(NAME), 0);
	assert_int_equal(mkdir("/dev/shm" NAME, 0700), 0);
	assert_int_equal(produce(&p), -EBADMSG);
	assert_int_equal(rmdir("/dev/shm" NAME), 0);
}

static bool comes_another;

int __real_shmname_remove(const struct identity_role *role, const char *name);
int __wrap_shmname_remove(const struct identity_role *role, const char *name);
int __wrap_shmname_remove(const struct identity_role *role, const char *name)
{
	if (comes_another)
		shm_unlink(name);
	comes_another = false;
	return __real_shmname_remove(role, name);
}

static void half_a_queue_that_somebody_else_removes_is_made_anew(void **state)
{
	const uint32_t making = SPSC_MAKING;
	struct spsc_producer p;

	(void)state;
	put_file(&making, sizeof(making), 0600);
	comes_another = true;
	assert_int_equal(produce(&p), 0);
	assert_false(comes_another);
	spsc_producer_close(&p);
	assert_int_equal(spsc_remove(NAME), 0);
}

/* Write a word into the file. */
static void put_word(size_t at, uint64_t word)
{
	int fd = shm_open(NAME, O_RDWR, 0);

	assert_int_equal(pwrite(fd, &word, sizeof(word), (off_t)at),
			 sizeof(word));
	close(fd);
}

/* And nobody has a role then, or a descriptor. */
static void indices_that_cannot_be_are_refused_by_name_too(void **state)
{
	struct spsc_producer p;
	struct spsc_consumer c;

	(void)state;
	assert_int_equal(produce(&p), 0);
	spsc_producer_close(&p);
	put_word(offsetof(struct spsc, tail), CAPACITY + 1);
	assert_int_equal(produce(&p), -EBADMSG);
	assert_int_equal(consume(&c), -EBADMSG);
	put_word(offsetof(struct spsc, tail), CAPACITY);
	assert_int_equal(produce(&p), 0);
	assert_int_equal(consume(&c), 0);
	spsc_producer_close(&p);
	spsc_consumer_close(&c);
	assert_int_equal(spsc_remove(NAME), 0);
}

static int enter_error;

int __real_shmname_enter(struct identity_role *role, const char *name,
			 mode_t mode, bool is_anybodys, int64_t byte,
			 int64_t deadline);
int __wrap_shmname_enter(struct identity_role *role, const char *name,
			 mode_t mode, bool is_anybodys, int64_t byte,
			 int64_t deadline);
int __wrap_shmname_enter(struct identity_role *role, const char *name,
			 mode_t mode, bool is_anybodys, int64_t byte,
			 int64_t deadline)
{
	return enter_error ? enter_error
			   : __real_shmname_enter(role, name, mode, is_anybodys,
						  byte, deadline);
}

static void what_is_not_removed_is_told(void **state)
{
	struct spsc_producer p;

	(void)state;
	enter_error = -ETIMEDOUT; /* somebody has the name locked */
	assert_int_equal(spsc_remove(NAME), -EBUSY);
	enter_error = 0;
	assert_int_equal(produce(&p), 0);
	spsc_producer_close(&p);
	comes_another = true; /* whose the name is then */
	assert_int_equal(spsc_remove(NAME), -ENOENT);
	assert_false(comes_another);
}

static void queue_of_another_user_is_refused(void **state)
{
	struct spsc_producer p;

	(void)state;
	support_need_second_user();
	assert_int_equal(produce(&p), 0);
	spsc_producer_close(&p);
	assert_int_equal(chown("/dev/shm" NAME, 65534, (gid_t)-1), 0);
	assert_int_equal(produce(&p), -EACCES);
	assert_int_equal(spsc_remove(NAME), 0);
}

static int produce_as_nobody(void *arg)
{
	struct spsc_producer p;

	(void)arg;
	EXPECT(setgid(65534) == 0 && setuid(65534) == 0);
	EXPECT(produce(&p) == -EACCES);
	return 0;
}

static void what_root_left_empty_is_not_filled_by_others(void **state)
{
	mode_t old;

	(void)state;
	support_need_second_user();
	old = umask(0);
	put_file("", 0, 0666);
	umask(old);
	assert_int_equal(support_child_status(produce_as_nobody, NULL, LONG_MS),
			 0);
	assert_int_equal(shm_unlink(NAME), 0);
}

static int push_one_and_die(void *arg)
{
	struct spsc_producer p;
	const uint64_t item = 3;

	(void)arg;
	EXPECT(produce(&p) == 0);
	EXPECT(spsc_push(&p, &item, 8) == 0);
	raise(SIGKILL);
	return 1;
}

static void who_comes_after_a_death_is_told(void **state)
{
	struct spsc_consumer c;
	uint64_t item = 0;

	(void)state;
	assert_int_equal(support_child_status(push_one_and_die, NULL, LONG_MS),
			 128 + SIGKILL);
	assert_int_equal(consume(&c), 0);
	assert_int_equal(spsc_pop_until(&c, &item, 8, second()), 0);
	assert_int_equal(item, 3);
	assert_int_equal(spsc_pop_until(&c, &item, 8, second()), -EOWNERDEAD);
	spsc_consumer_close(&c);
	assert_int_equal(spsc_remove(NAME), 0);
}

static void who_waits_under_a_name_that_is_gone_is_told(void **state)
{
	struct spsc_producer p;
	struct spsc_consumer c;
	uint64_t item = 1;

	(void)state;
	assert_int_equal(consume(&c), 0);
	assert_int_equal(spsc_pop_until(&c, &item, 8, a_while()), -ETIMEDOUT);
	assert_int_equal(shm_unlink(NAME), 0);
	assert_int_equal(spsc_pop_until(&c, &item, 8, second()), -EIDRM);
	/* Another queue of that name is no reason to wait, either. */
	assert_int_equal(produce(&p), 0);
	assert_int_equal(spsc_pop_until(&c, &item, 8, second()), -EIDRM);
	spsc_producer_close(&p);
	spsc_consumer_close(&c);
	assert_int_equal(spsc_remove(NAME), 0);
	/* Two that are in go on. */
	assert_int_equal(consume(&c), 0);
	assert_int_equal(produce(&p), 0);
	assert_int_equal(shm_unlink(NAME), 0);
	assert_int_equal(spsc_pop_until(&c, &item, 8, a_while()), -ETIMEDOUT);
	assert_int_equal(spsc_push(&p, &item, 8), 0);
	assert_int_equal(spsc_pop(&c, &item, 8), 0);
	spsc_producer_close(&p);
	spsc_consumer_close(&c);
}

static int produce_elsewhere(void *arg)
{
	struct child *child = arg;
	struct spsc_producer p;
	uint64_t item = 5;

	EXPECT(produce(&p) == 0);
	EXPECT(spsc_push(&p, &item, 8) == 0);
	EXPECT(write(child->ready, "", 1) == 1);
	sleep_until_killed();
	return 1;
}

static int in_another_pid_namespace(void *arg)
{
	struct inside inside = {.flags = CLONE_NEWPID | CLONE_NEWNS,
				.body = produce_elsewhere,
				.arg = arg};
	struct child *child = arg;
	int status = make_namespaces(&inside);

	return write(child->ready, "", 1) == 1 ? status : 1;
}

static void roles_by_name_hold_across_pid_namespaces(void **state)
{
	struct child child = {0};
	struct spsc_producer p;
	struct spsc_consumer c;
	uint64_t item = 0;
	pid_t pid;

	(void)state;
	assert_int_equal(consume(&c), 0);
	pid = support_start(in_another_pid_namespace, &child, &child.ready,
			    LONG_MS);
	if (spsc_pop_until(&c, &item, 8, a_while()) == -ETIMEDOUT) {
		support_kill(&pid);
		spsc_consumer_close(&c);
		assert_int_equal(spsc_remove(NAME), 0);
		print_message("namespaces are not permitted here\n");
		skip();
	}
	assert_int_equal(item, 5);
	assert_int_equal(spsc_pop_until(&c, &item, 8, a_while()), -ETIMEDOUT);
	assert_int_equal(produce(&p), -EBUSY);
	support_kill(&pid);
	assert_int_equal(spsc_pop_until(&c, &item, 8, second()), -EOWNERDEAD);
	assert_int_equal(produce(&p), 0);
	spsc_producer_close(&p);
	spsc_consumer_close(&c);
	assert_int_equal(spsc_remove(NAME), 0);
}

static int lose_descriptors(void *arg)
{
	struct spsc_producer p;
	struct spsc_consumer c;
	uint64_t item;

	(void)arg;
	EXPECT(consume(&c) == 0);
	EXPECT(produce(&p) == 0);
	close_range(3, ~0U, 0);
	EXPECT(spsc_pop_until(&c, &item, 8, second()) == -EBADF);
	for (int i = 0; i < 8; i++)
		EXPECT(open("/dev/null", O_RDONLY) >= 0);
	EXPECT(spsc_pop_until(&c, &item, 8, second()) == -ESTALE);
	spsc_producer_close(&p);
	EXPECT(spsc_pop_until(&c, &item, 8, second()) == -EPIPE);
	spsc_consumer_close(&c);
	for (int fd = 3; fd < 11; fd++)
		EXPECT(close(fd) == 0); /* nobody else has */
	EXPECT(produce(&p) == 0);
	spsc_producer_close(&p);
	return spsc_remove(NAME) != 0;
}

static void lost_descriptor_is_told_and_says_nothing_of_the_peer(void **state)
{
	(void)state;
	assert_int_equal(support_child_status(lose_descriptors, NULL, LONG_MS),
			 0);
}

/* Writes over everything, again and again, until it is killed. */
static int scribble(void *arg)
{
	struct child *child = arg;
	struct spsc_producer p;
	const size_t bytes = spsc_bytes(8, CAPACITY);
	struct rng rng;
	uint64_t *words, item = 1;
	int fd;

	EXPECT(produce(&p) == 0);
	EXPECT(spsc_push_until(&p, &item, 8, second()) == 0);
	fd = shm_open(NAME, O_RDWR | O_CLOEXEC, 0);
	words = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	EXPECT(words != MAP_FAILED);
	EXPECT(write(child->ready, "", 1) == 1);
	/* Not before the consumer has met us: it has made room for the last. */
	for (int i = 0; i < CAPACITY; i++)
		EXPECT(spsc_push_until(&p, &item, 8, second()) == 0);
	rng_seed(&rng, 1);
	for (;;) {
		const uint64_t few[] = {0,        1,          2,
					CAPACITY, UINT64_MAX, rng_next(&rng)};

		__atomic_store_n(&words[rng_below(&rng, bytes / 8)],
				 few[rng_below(&rng, 6)], __ATOMIC_RELAXED);
	}
}

static void scribbler_holds_nobody_up(void **state)
{
	(void)state;
	for (int i = 0; i < (support_is_stress() ? 400 : 4); i++) {
		struct child child = {0};
		struct spsc_consumer c;
		uint64_t item;
		int64_t until;
		int error = 0;
		pid_t pid;

		assert_int_equal(consume(&c), 0);
		pid = support_start(scribble, &child, &child.ready, LONG_MS);
		assert_int_equal(spsc_pop_until(&c, &item, 8, soon()), 0);
		until = tick_after(20 * TICK_MS);
		while (!tick_is_over(until))
			spsc_pop_until(&c, &item, 8, until);
		support_kill(&pid);
		until = second();
		while (error == 0 && !tick_is_over(until))
			error = spsc_pop_until(&c, &item, 8, until);
		assert_true(error == -EOWNERDEAD || error == -EPIPE ||
			    error == -EBADMSG);
		spsc_consumer_close(&c);
		assert_int_equal(shm_unlink(NAME), 0);
	}
}

static struct leftover before;

static int note(void **state)
{
	(void)state;
	before = leftover_count();
	return 0;
}

static int compare(void **state)
{
	(void)state;
	leftover_assert_same(&before);
	return 0;
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, note, compare)
	const struct CMUnitTest tests[] = {
		CASE(owner_whose_word_is_zeroed_is_missed_when_it_dies),
		CASE(owner_that_cannot_be_judged_keeps_the_role),
		CASE(what_is_published_right_before_a_death_is_not_missed),
		CASE(producer_that_was_closed_is_not_taken_for_dead),
		CASE(words_of_another_pid_namespace_are_refused),
		CASE(child_that_adopted_the_role_has_it_after_its_parent),
		CASE(child_has_the_role_after_its_parent_by_name),
		CASE(queue_by_name_is_made_once_and_removed_when_nobody_is_in),
		CASE(who_cannot_unlock_the_name_has_no_role),
		CASE(queue_that_has_no_room_leaves_no_name),
		CASE(half_a_queue_that_somebody_else_removes_is_made_anew),
		CASE(what_is_no_queue_is_left_alone_and_half_a_one_replaced),
		CASE(indices_that_cannot_be_are_refused_by_name_too),
		CASE(what_is_not_removed_is_told),
		CASE(queue_of_another_user_is_refused),
		CASE(what_root_left_empty_is_not_filled_by_others),
		CASE(who_comes_after_a_death_is_told),
		CASE(who_waits_under_a_name_that_is_gone_is_told),
		CASE(roles_by_name_hold_across_pid_namespaces),
		CASE(lost_descriptor_is_told_and_says_nothing_of_the_peer),
		CASE(scribbler_holds_nobody_up),
	};

	return SUPPORT_MAIN(tests);
}
