/* tests/support/survivors: a lock that survives its holders passes, and each of
 * its wrong brothers is found out. */
#include "tests/support/survivors.h"

#include "tests/support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/identity.h"
#include "lib/tick.h"
#include "tests/support/scribbler.h"

#define LOCK_FILE "/dev/shm/survivors-test"

/* ---- a lock that the kernel holds, and its file -------------------------------------- */

struct stage {
	_Atomic int32_t inside;   /* pid of who has it */
	_Atomic int32_t owner;    /* by a note of its pid */
	_Atomic int32_t is_taken; /* of the lock that nobody drops */
};

static int enter_any(struct survivors_actor *self)
{
	static struct identity_role role;
	int fd = open(LOCK_FILE, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	self->own = &role;
	return identity_role_open(&role, fd);
}

/* A pause inside, so that most victims die there. */
static int stay_inside(struct survivors_actor *self)
{
	struct stage *stage = self->stage;
	const int32_t me = (int32_t)self->number + 1;

	atomic_store(&stage->inside, me);
	tick_sleep_until(tick_after(TICK_MS / 5));
	return atomic_load(&stage->inside) == me ? 0 : -EBADE;
}

static int lock_and_unlock(struct survivors_actor *self)
{
	int error =
		identity_role_take_until(self->own, 0, tick_after(10 * TICK_S));

	if (!error)
		error = stay_inside(self);
	if (!error)
		error = identity_role_give_up(self->own, 0);
	return error;
}

static void make_file(void *stage)
{
	int fd = open(LOCK_FILE, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	(void)stage;
	assert_true(fd >= 0);
	close(fd);
}

static void remove_file(void *stage)
{
	(void)stage;
	assert_int_equal(unlink(LOCK_FILE), 0);
}

static const struct survivors_play sound = {
	.name = "lock",
	.role = {{.name = "locker",
		  .count = 3,
		  .enter = enter_any,
		  .step = lock_and_unlock}},
	.stage_bytes = sizeof(struct stage),
	.promise_ns = TICK_S,
	.calls = {SYS_fcntl},
	.prepare = make_file,
	.clear = remove_file,
};

static void lock_that_the_kernel_drops_has_no_fault(void **state)
{
	(void)state;
	survivors_play(&sound);
}

static void assert_found(const struct survivors_play *play, const char *word)
{
	char fault[SURVIVORS_FAULT];

	if (!survivors_find_fault(play, fault))
		fail_msg("no fault was found");
	if (!strstr(fault, word))
		fail_msg("'%s' is not in: %s", word, fault);
}

/* ---- wrong ones ------------------------------------------------------------------------ */

/* Nobody drops it when its holder dies; who waits gives up in the end. */
static int lock_for_ever(struct survivors_actor *self)
{
	struct stage *stage = self->stage;
	const int64_t deadline = tick_after(400 * TICK_MS);
	int32_t free = 0;

	while (!atomic_compare_exchange_strong(&stage->is_taken, &free, 1)) {
		free = 0;
		if (tick_is_over(deadline))
			return 0;
		tick_sleep_until(tick_after(TICK_MS / 10));
	}
	tick_sleep_until(tick_after(TICK_MS));
	atomic_store(&stage->is_taken, 0);
	return 0;
}

static void lock_that_its_dead_holder_keeps_is_found(void **state)
{
	struct survivors_play play = sound;

	(void)state;
	play.role[0].step = lock_for_ever;
	play.promise_ns = 200 * TICK_MS;
	assert_found(&play, "a step took");
}

/* Two at once: after a while anybody comes in. */
static int lock_impatiently(struct survivors_actor *self)
{
	identity_role_take_until(self->own, 0, tick_after(TICK_MS / 10));
	return stay_inside(self);
}

static void lock_that_two_have_is_found(void **state)
{
	struct survivors_play play = sound;

	(void)state;
	play.role[0].step = lock_impatiently;
	assert_found(&play, "ended with 2");
}

static int hold(struct survivors_actor *self)
{
	(void)self;
	return tick_sleep_until(tick_after(TICK_MS / 10));
}

static int enter_as_the_only_one(struct survivors_actor *self)
{
	int error = enter_any(self);

	return error ? error
		     : identity_role_take_until(self->own, 1,
						tick_after(20 * TICK_MS));
}

static void role_that_is_free_when_its_owner_is_dead_has_no_fault(void **state)
{
	struct survivors_play play = sound;

	(void)state;
	play.role[0].count = 1;
	play.role[0].enter = enter_as_the_only_one;
	play.role[0].step = hold;
	play.role[0].refusal = -ETIMEDOUT;
	survivors_play(&play);
}

static void role_that_a_second_one_is_given_is_found(void **state)
{
	struct survivors_play play = sound;

	(void)state;
	play.role[0].count = 1;
	play.role[0].step = hold;
	play.role[0].refusal = -EBUSY;
	assert_found(&play, "is given away while it lives");
}

/* A pid that names the owner, and nobody who asks whether it lives. */
static int enter_by_note(struct survivors_actor *self)
{
	struct stage *stage = self->stage;
	int32_t nobody = 0;

	return atomic_compare_exchange_strong(&stage->owner, &nobody,
					      (int32_t)getpid())
		       ? 0
		       : -EBUSY;
}

static void role_that_is_never_free_again_is_found(void **state)
{
	struct survivors_play play = sound;

	(void)state;
	play.role[0].count = 1;
	play.role[0].enter = enter_by_note;
	play.role[0].step = hold;
	play.role[0].refusal = -EBUSY;
	assert_found(&play, "successor locker 0 ended with 1");
}

static void survivors_that_wait_for_a_stopped_one_are_found(void **state)
{
	struct survivors_play play = sound;

	(void)state;
	play.role[0].is_stopped_harmlessly = true;
	play.promise_ns = 100 * TICK_MS;
	play.rounds = 40;
	assert_found(&play, "waits for a stopped locker");
}

/* Takes a message of whatever queue there is, as one that trusts a name. */
static int use_what_is_there(struct survivors_actor *self)
{
	char name[64], message[64];
	mqd_t queue;

	snprintf(name, sizeof(name), "/foreign.%d.2", (int)getppid());
	queue = mq_open(name, O_RDONLY | O_NONBLOCK);
	if (queue >= 0) {
		mq_receive(queue, message, sizeof(message), NULL);
		mq_close(queue);
	}
	return hold(self);
}

static void use_of_a_foreign_object_is_found(void **state)
{
	struct survivors_play play = sound;

	(void)state;
	play.role[0].step = use_what_is_there;
	assert_found(&play, "the foreign /foreign.");
}

static int end_early(struct survivors_actor *self)
{
	return self->steps > 3 ? -EPIPE : hold(self);
}

static void step_that_fails_is_found_with_its_error(void **state)
{
	struct survivors_play play = sound;

	(void)state;
	play.role[0].step = end_early;
	play.life_ns = 50 * TICK_MS;
	assert_found(&play, strerror(EPIPE));
}

/* ---- a scribbler ----------------------------------------------------------------- */

static bool is_zero(const char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (bytes[i])
			return false;
	return true;
}

static void scribbler_writes_where_it_may_and_its_successor_does_not(
	void **state)
{
	struct survivors_actor actor = {.is_successor = true};
	int fd = shm_open("/survivors-test", O_CREAT | O_EXCL | O_RDWR, 0600);
	static char front[512], behind[64];

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, front, sizeof(front), 0), sizeof(front));
	rng_seed(&actor.rng, 1);
	for (int i = 0; i < 2; i++) {
		actor.is_successor = i == 0;
		assert_int_equal(scribbler_enter(&actor, "/survivors-test"), 0);
		for (int n = 0; n < 10; n++)
			assert_int_equal(scribbler_step(&actor), 0);
		assert_int_equal(pread(fd, front, sizeof(front), 0),
				 sizeof(front));
		assert_int_equal(is_zero(front, sizeof(front)), i == 0);
		assert_int_equal(pread(fd, behind, sizeof(behind), 512), 0);
	}
	memset(front, 0, sizeof(front));
	for (int n = 0; n < 100; n++)
		scribbler_scribble(&actor, front, 256);
	assert_false(is_zero(front, 256));
	assert_true(is_zero(front + 256, 256));
	close(fd);
	assert_int_equal(shm_unlink("/survivors-test"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lock_that_the_kernel_drops_has_no_fault),
		cmocka_unit_test(lock_that_its_dead_holder_keeps_is_found),
		cmocka_unit_test(lock_that_two_have_is_found),
		cmocka_unit_test(
			role_that_is_free_when_its_owner_is_dead_has_no_fault),
		cmocka_unit_test(role_that_a_second_one_is_given_is_found),
		cmocka_unit_test(role_that_is_never_free_again_is_found),
		cmocka_unit_test(
			survivors_that_wait_for_a_stopped_one_are_found),
		cmocka_unit_test(use_of_a_foreign_object_is_found),
		cmocka_unit_test(step_that_fails_is_found_with_its_error),
		cmocka_unit_test(
			scribbler_writes_where_it_may_and_its_successor_does_not),
	};

	return SUPPORT_MAIN(tests);
}
