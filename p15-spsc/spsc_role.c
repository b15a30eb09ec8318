/* spsc_role.c - who has a role: by a word in the memory, or by a lock of the
 * file. What is looked at here lies in the first line of the header. */
#include "p15-spsc/internal.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "lib/identity.h"
#include "lib/shmname.h"

/* As many as there is room for in a word: tens of thousands of years. */
#define START_BITS 42

static_assert(sizeof(struct identity_place) ==
		      sizeof(((struct spsc *)0)->place),
	      "the layout");

/* ---- by word ------------------------------------------------------------------- */

void spsc_role_note_place(struct spsc *shared)
{
	struct identity_place place;

	/* Where that cannot be known nobody can attach. */
	identity_place_here(&place);
	memcpy(shared->place, &place, sizeof(place));
}

/* The word of this process, where it means something. */
static int own_word(const struct spsc *shared, uint64_t *word)
{
	struct identity_process self;
	struct identity_place made;
	int error;

	memcpy(&made, shared->place, sizeof(made));
	error = identity_place_check(&made);
	if (!error)
		error = identity_self(&self);
	if (!error)
		*word = identity_word(&self, START_BITS);
	return error;
}

static bool swap(struct spsc *shared, enum spsc_role role, uint64_t *found,
		 uint64_t word)
{
	/* Acquire: what the last owner did is behind us; release: what we did is
	 * before. A dead one's writes are behind its death. */
	return __atomic_compare_exchange_n(&shared->owner[role], found, word,
					   false, __ATOMIC_ACQ_REL,
					   __ATOMIC_ACQUIRE);
}

int spsc_role_claim(struct spsc *shared, enum spsc_role role, uint64_t *owner)
{
	uint64_t found = 0;
	int error = own_word(shared, owner);

	while (!error && !swap(shared, role, &found, *owner))
		if (identity_word_judge(found, START_BITS) != IDENTITY_DEAD)
			error = -EBUSY;
	return error;
}

int spsc_role_adopt(struct spsc *shared, enum spsc_role role, uint64_t *owner)
{
	uint64_t found = *owner, word = 0;
	int error = own_word(shared, &word);

	if (error)
		return error;
	if (!swap(shared, role, &found, word))
		return -EBUSY;
	*owner = word;
	return 0;
}

/* The word that is there now, or the last that was: who wrote over it may have
 * died since. */
static int look_by_word(const struct spsc *shared, enum spsc_role other,
			uint64_t *peer)
{
	/* Relaxed: a stale answer is as good as one of a moment ago. */
	uint64_t now = __atomic_load_n(&shared->owner[other], __ATOMIC_RELAXED);

	if (now != 0)
		*peer = now;
	return *peer != 0 && identity_word_judge(*peer, START_BITS) ==
				       IDENTITY_DEAD
		       ? -EOWNERDEAD
		       : 0;
}

/* ---- by lock ------------------------------------------------------------------- */

static int look_by_lock(enum spsc_role other, uint64_t seen,
			struct spsc_seat *seat)
{
	int peer;

	/* Nobody else moves it. */
	if (seen != seat->first)
		seat->has_met = true;
	peer = identity_role_look(&seat->role, SPSC_BYTE + other,
				  &seat->has_met);
	if (peer == IDENTITY_PEER_GONE)
		return -EOWNERDEAD;
	if (peer == IDENTITY_PEER_ABSENT &&
	    shmname_is_lost(&seat->role, seat->name))
		return -EIDRM;
	return peer < 0 ? peer : 0;
}

/* ---- either --------------------------------------------------------------------- */

void spsc_role_give_up(struct spsc *shared, enum spsc_role role, uint64_t owner,
		       struct spsc_seat *seat)
{
	if (seat)
		identity_role_give_up(&seat->role, SPSC_BYTE + role);
	else
		swap(shared, role, &owner, 0);
}

void spsc_role_forget(struct spsc *shared, struct spsc_seat *seat)
{
	if (!seat)
		return;
	identity_role_close(&seat->role);
	munmap(shared, seat->bytes);
	free(seat);
}

int spsc_role_look(struct spsc *shared, enum spsc_role other, uint64_t seen,
		   struct spsc_seat *seat, uint64_t *peer)
{
	return seat ? look_by_lock(other, seen, seat)
		    : look_by_word(shared, other, peer);
}
