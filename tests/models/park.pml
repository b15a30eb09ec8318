/* park.pml - sleep on a shared word, and be woken: no wake-up is missed.
 *
 * SLEEPERS want an item each, and WAKERS bring one each. The word has a bit,
 * "somebody may be asleep", and above it a number that changes with every
 * wake-up. A sleeper sets the bit, fences, looks once more, and sleeps if the
 * word is still what it was then (futex(2) compares and sleeps in one step). A
 * waker publishes, fences, and looks at the bit: it clears it, changes the
 * number, and wakes all.
 *
 * What a waker stores stays in its processor's store buffer until a fence, a
 * locked instruction, a system call or chance takes it to memory. A load passes
 * a store of its own processor where no fence is between.
 *
 * Up to DEATHS of them are killed between any two steps. The death of a sleeper
 * costs nobody anything. That of a waker may cost a wake-up, for which a sleep
 * is a slice; so slices end only when a waker was killed, and every other sleep
 * that nobody ends is a fault: it is found as an invalid end state.
 *
 * also -DSLEEPERS=1 -DWAKERS=2 -DDEATHS=2
 * mutant NO_FENCE_SLEEPER: its last look passes its announcement
 * mutant NO_FENCE_WAKER: it looks for sleepers before it is seen to publish
 * mutant NO_COMPARE: it sleeps whatever the word is
 * mutant NO_LAST_LOOK: it takes a killed waker for one that brought nothing
 * mutant NO_SLICE: its sleep has no end
 * mutant WAKES_ONE: one is woken, and the bit is cleared for all
 */
#ifndef SLEEPERS
#define SLEEPERS 2
#endif
#ifndef WAKERS
#define WAKERS 2
#endif
#ifndef DEATHS
#define DEATHS 1
#endif

byte word;    /* 2 * wake-ups + 1 if somebody may be asleep */
byte items;   /* published, and in memory */
byte deaths;
byte wakers = WAKERS; /* that have neither ended nor died */
bit killed_waker;
bit asleep[SLEEPERS]; /* in the kernel's queue */

#define MAY_DIE :: atomic { deaths < DEATHS -> deaths++; goto dead }

/* ---- the kernel ------------------------------------------------------------- */

inline futex_wait(expected)
{
	atomic {
		if
#ifdef NO_COMPARE
		:: true -> asleep[me] = 1
#else
		:: word == expected -> asleep[me] = 1
		:: else
#endif
		fi
	}
}

inline futex_wake()
{
#ifdef WAKES_ONE
	if
	:: asleep[0] -> asleep[0] = 0
#if SLEEPERS > 1
	:: asleep[1] -> asleep[1] = 0
#endif
	:: else
	fi
#else
	i = 0;
	do
	:: i < SLEEPERS -> asleep[i] = 0; i++
	:: else -> break
	od;
	i = 0
#endif
}

/* ---- who waits -------------------------------------------------------------- */

inline take()
{
	atomic {
		if
		:: items > 0 -> items--; has_one = 1
		:: else
		fi
	}
}

inline announce()
{
	atomic { word = word | 1; ticket = word }
}

proctype Sleeper(byte me)
{
	byte ticket;
	bit has_one, is_over;

	do
	:: true ->
#ifdef NO_FENCE_SLEEPER
		if
		:: take(); announce()
		:: announce(); take()
		fi;
#else
		announce();
		if MAY_DIE :: true fi;
		take();
#endif
		if
		:: has_one -> break
		:: else
		fi;
		if MAY_DIE :: true fi;
		futex_wait(ticket);
		if
		:: !asleep[me]
#ifndef NO_SLICE
		:: atomic { killed_waker -> asleep[me] = 0 }
#endif
		MAY_DIE
		fi;
		/* The slice is over: does anybody live who could wake us? */
		is_over = killed_waker && wakers == 0;
#ifdef NO_LAST_LOOK
		if
		:: atomic { is_over -> assert(items == 0) }; break
		:: else
		fi
#else
		if
		:: is_over -> take(); assert(has_one || items == 0); break
		:: else
		fi
#endif
	od;
dead:	asleep[me] = 0 /* the kernel dequeues who is killed */
}

/* ---- who wakes -------------------------------------------------------------- */

inline drain()
{
	items = items + buffered;
	buffered = 0
}

inline drain_perhaps()
{
	atomic {
		if
		:: drain()
		:: true
		fi
	}
}

proctype Waker()
{
	byte buffered, seen, i;

	if MAY_DIE :: true fi;
	buffered = 1;
#ifdef NO_FENCE_WAKER
	drain_perhaps();
#else
	atomic { drain() };
#endif
	if MAY_DIE :: true fi;
	seen = word;
	if
	:: seen & 1 ->
		/* A compare-and-swap, which is a fence, too. */
		atomic {
			drain();
			if
			:: word == seen -> word = (seen + 2) & 254
			:: else /* another waker came first, and wakes */
			fi
		};
		if MAY_DIE :: true fi;
		atomic { futex_wake() }
	:: else
	fi;
	atomic { drain(); wakers-- };
	goto ended;
dead:	atomic { drain(); wakers--; killed_waker = 1 };
ended:	skip
}

init
{
	byte i;

	atomic {
		do
		:: i < SLEEPERS -> run Sleeper(i); i++
		:: else -> break
		od;
		i = 0;
		do
		:: i < WAKERS -> run Waker(); i++
		:: else -> break
		od
	}
	_nr_pr == 1;
	/* Who has published brings it to somebody, if there is somebody. */
	assert(items == 0 || deaths > 0 || WAKERS > SLEEPERS)
}
