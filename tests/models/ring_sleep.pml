/* ring_sleep.pml - P12's receiver sleeps, and is woken, or told of the end
 * (p12-shm-ring/ring_wait.c). A sender that waits for room is the same with
 * other names.
 *
 * The sender publishes MESSAGES. What it stores stays in its
 * processor's store buffer until a system call, a locked instruction, or chance
 * takes it to memory, in order; its look at `asleep` passes those stores. The
 * receiver pays for both: it sets `asleep`, has membarrier(2) empty the sender's
 * buffer, looks once more, and sleeps if `asleep` is still set.
 *
 * The sender is killed between any two steps, after it may have zeroed its word
 * of state, as if it had never come. Whether it is there the kernel says, by the
 * lock of its seat; the receiver has met it, and knows that. Or it closes, or
 * stays and publishes no more. A sleep is a slice; one slice ends here, and
 * only when the sender was killed, and so every other sleep that nobody ends,
 * before all has come from a sender that stays, is a fault: it is found as an
 * invalid end state. At the end the receiver has got all that was published.
 *
 * also -DFENCED
 * also -DMESSAGES=4
 * mutant NO_MEMBARRIER: the sender's look passes what it has published
 * mutant NO_LAST_LOOK: what a killed sender published before is not there
 * mutant TRUST_STATE: who hid and was killed is waited for
 * mutant NO_COMPARE: it sleeps although it was woken right before
 * mutant WAKE_BEFORE_LEAVING: the sender wakes, and says then that it closes
 */
#ifndef MESSAGES
#define MESSAGES 2
#endif

/* The sender's word of state. */
#define VACANT 0
#define TAKEN 1
#define CLOSED 2

byte published, tail;      /* as the sender has it; in memory */
byte said = TAKEN, state = TAKEN; /* the same */
bit asleep, sleeps;        /* the receiver's word; in the kernel's queue */
bit has_lock = 1, is_killed, stays;

#define MAY_DIE :: atomic { !is_killed -> goto killed }

inline empty_buffer()
{
	d_step { tail = published; state = said }
}

/* Chance: one store at a time, in order. */
active proctype buffer()
{
end:
	do
	:: atomic { tail < published -> tail++ }
	:: atomic { tail == published && state != said -> state = said }
	od
}

/* ring_told() and ring_wake_other(). */
inline tell()
{
#ifdef FENCED
	empty_buffer();
#endif
	if
	:: asleep ->
		if
		:: true
		MAY_DIE
		fi;
		/* A locked instruction, and a system call. */
		d_step { tail = published; state = said; asleep = 0 };
		if
		:: true
		MAY_DIE
		fi;
		sleeps = 0
	:: else
	fi
}

active proctype sender()
{
	if
	:: said = VACANT; empty_buffer() /* it hides */
	:: true
	fi;
	do
	:: published < MESSAGES ->
		published++;
		if
		:: true
		MAY_DIE
		fi;
		tell();
		if
		:: true
		MAY_DIE
		fi
	:: else -> break
	od;
	if
	:: stays = 1; goto ended
	:: true
	fi;
#ifdef WAKE_BEFORE_LEAVING
	tell();
	said = CLOSED;
	empty_buffer();
	has_lock = 0;
#else
	said = CLOSED;
	if
	:: true
	MAY_DIE
	fi;
	/* Giving the seat up is a system call. */
	d_step { tail = published; state = said; has_lock = 0 };
	tell();
#endif
	goto ended;
killed:
	atomic {
		tail = published;
		state = said;
		has_lock = 0;
		is_killed = 1
	}
ended:
	skip
}

/* doze(): the last look is behind the order. */
inline doze()
{
	asleep = 1;
#ifndef FENCED
#ifndef NO_MEMBARRIER
	empty_buffer();
#endif
#endif
	if
	:: tail == got && state != CLOSED ->
		atomic {
			if
#ifdef NO_COMPARE
			:: true -> sleeps = 1
#else
			:: asleep -> sleeps = 1
			:: else
#endif
			fi
		};
		if
		:: !sleeps
		:: atomic { is_killed && !has_looked ->
			has_looked = 1; sleeps = 0 } /* the slice is over */
		:: stays && got == published -> goto done
		fi
	:: else
	fi;
	asleep = 0
}

active proctype receiver()
{
	byte got;
	bit is_over, has_looked;

	do
	:: tail > got -> got = tail; has_looked = 0
	:: else ->
		doze();
		/* look_after_other(), in this order */
		if
		:: tail > got
		:: else ->
			if
			:: state == CLOSED -> is_over = 1
			:: else ->
#ifdef TRUST_STATE
				is_over = state == TAKEN && !has_lock
#else
				is_over = !has_lock
#endif
			fi
		fi;
		if
		:: is_over -> break
		:: else
		fi
	od;
	/* end_of(): it may have published something, and then gone. */
#ifndef NO_LAST_LOOK
	got = tail;
#endif
	assert(got == published);
done:
	skip
}
