/* spsc_sleep.pml - P15's consumer sleeps, and is woken, or told of the end, while
 * the producer comes late, publishes, closes or is killed
 * (p15-spsc/spsc_wait.c, spsc_role.c). A producer that waits for room is the
 * same with other names.
 *
 * What the producer stores stays in its processor's store buffer until a locked
 * instruction, a system call or chance takes it to memory, in order; its look
 * at the consumer's flags passes those stores. The consumer sets SLEEPS by a
 * locked instruction, and if the producer accepts that (is_remote, which it says
 * when it joins) has membarrier(2) empty its buffer; then it looks once more,
 * and sleeps if its flags are still what they were. A producer whose kernel has
 * no membarrier(2) (FENCED) does the fence itself.
 *
 * A producer that joins looks at the flags, behind is_remote: a consumer that
 * fell asleep before had not seen it.
 *
 * The producer is killed between any two steps, after it may have zeroed its
 * word in owner[]. Its role is a lock that the kernel drops. Or it closes, or
 * stays and publishes no more. One slice ends here, and only when it was killed;
 * every other sleep that nobody ends, before all has come from a producer that
 * stays, is a fault, found as an invalid end state. At the end the consumer has
 * all that was published.
 *
 * also -DFENCED
 * also -DITEMS=4
 * mutant NO_MEMBARRIER: the producer's look passes what it has published
 * mutant NO_JOIN_WAKE: who fell asleep before the producer came is not fenced for
 * mutant NO_LAST_LOOK: what a killed producer published before is not there
 * mutant TRUST_WORD: who zeroed its word and was killed is waited for
 * mutant NO_COMPARE: it sleeps although it was woken right before
 * mutant CLOSE_UNSEEN: the producer closes, and does not look at the flags
 */
#ifndef ITEMS
#define ITEMS 2
#endif

byte published, tail;    /* as the producer has it; in memory */
bit said_closed, closed; /* the same */
bit said_remote, is_remote; /* membarrier(2) reaches the producer */
bit flag, sleeps;        /* the consumer's SLEEPS; in the kernel's queue */
bit owner, has_lock;     /* the producer's word; its role */
bit has_come, is_killed, stays;

#define MAY_DIE :: atomic { !is_killed -> goto killed }

inline empty_buffer()
{
	d_step {
		is_remote = said_remote;
		tail = published;
		closed = said_closed
	}
}

/* Chance: one store at a time, in order. */
active proctype buffer()
{
end:
	do
	:: atomic { is_remote != said_remote -> is_remote = said_remote }
	:: atomic { is_remote == said_remote && tail < published -> tail++ }
	:: atomic { tail == published && is_remote == said_remote && closed != said_closed ->
		closed = said_closed }
	od
}

/* spsc_wake(): by locked instructions. */
inline wake()
{
	empty_buffer();
	if
	:: flag ->
		if
		:: true
		MAY_DIE
		fi;
		flag = 0;
		if
		:: true
		MAY_DIE
		fi;
		sleeps = 0
	:: else
	fi
}

/* Behind publishing: a plain look. */
inline tell()
{
#ifdef FENCED
	wake()
#else
	if
	:: flag -> wake()
	:: else
	fi
#endif
}

active proctype producer()
{
	d_step { owner = 1; has_lock = 1; has_come = 1 };
#ifndef FENCED
	said_remote = 1;
#endif
	if
	:: true
	MAY_DIE
	fi;
#ifndef NO_JOIN_WAKE
	wake();
#endif
	if
	:: owner = 0 /* it hides */
	:: true
	fi;
	do
	:: published < ITEMS ->
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
	said_closed = 1;
	empty_buffer(); /* a locked instruction */
	if
	:: true
	MAY_DIE
	fi;
#ifndef CLOSE_UNSEEN
	wake();
#endif
	d_step { owner = 0; has_lock = 0 };
	goto ended;
killed:
	atomic {
		tail = published;
		closed = said_closed;
		has_lock = 0;
		is_killed = 1
	}
ended:
	skip
}

inline sleep_once()
{
	flag = 1;
	if
	:: is_remote ->
#ifndef NO_MEMBARRIER
		empty_buffer()
#else
		skip
#endif
	:: else
	fi;
	if
	:: tail == got && !closed ->
		atomic {
			if
#ifdef NO_COMPARE
			:: true -> sleeps = 1
#else
			:: flag -> sleeps = 1
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
	flag = 0
}

active proctype consumer()
{
	byte got;
	bit is_over, has_looked;

	do
	:: tail > got -> got = tail; has_looked = 0
	:: else ->
		sleep_once();
		if
		:: tail > got
		:: else ->
			if
			:: closed -> is_over = 1
			:: else ->
#ifdef TRUST_WORD
				is_over = has_come && owner && !has_lock
#else
				is_over = has_come && !has_lock
#endif
			fi
		fi;
		if
		:: is_over -> break
		:: else
		fi
	od;
	/* It may have published something, and then gone. */
#ifndef NO_LAST_LOOK
	got = tail;
#endif
	assert(got == published);
done:
	skip
}
