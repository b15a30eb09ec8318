/* park_cond.pml - struct park of lib/park.h: a condition variable that survives
 * the death of any who use it.
 *
 * WAITERS want an item each, and MAKERS bring one each, under a lock. Who waits
 * announces that it goes to sleep, and notes the number of wake-ups; it sleeps,
 * without the lock, if that is still so. Who makes claims the wake-up, if
 * somebody is awaited: it clears that bit and changes the number. The system
 * call comes after the lock is free. Who was woken says that others may be
 * asleep, and who takes an item and leaves some passes the call on.
 *
 * Up to DEATHS of them are killed between any two steps, or with the lock, when
 * the next one is told so and takes it that somebody is awaited. A sleep is a
 * slice where somebody was killed, and ends only by a call where nobody was: that
 * one sleeps beside an item is found when nothing moves any more.
 *
 * also -DDEATHS=1
 * also -DDEATHS=2
 * mutant NO_COMPARE: it sleeps whatever the number is
 * mutant NO_NUMBER: a claim does not change the number
 * mutant NO_AWAKE: who wakes up does not say that others may be asleep
 * mutant NO_PASS_ON: who takes one does not call for what is left
 * mutant NO_SLICE: a sleep has no end, and somebody is killed
 */
#ifdef NO_SLICE
#define DEATHS 1
#endif
#ifndef WAITERS
#define WAITERS 2
#endif
#ifndef MAKERS
#define MAKERS 2
#endif
#ifndef DEATHS
#define DEATHS 0
#endif

byte wakeups, items, deaths;
bit awaited;
bit owner_died;      /* with the lock */
bit asleep[WAITERS]; /* in the kernel's queue */

#define MAY_DIE :: deaths < DEATHS -> atomic { deaths++; goto dead }

inline lock()
{
	if
	:: owner_died -> owner_died = 0; awaited = 1
	:: else
	fi
}

inline claim()
{
	if
	:: awaited ->
		awaited = 0;
		calls = 1;
#ifndef NO_NUMBER
		wakeups++
#endif
	:: else
	fi
}

/* FUTEX_WAKE, 1: any of them. */
inline wake()
{
	atomic {
		if
		:: asleep[0] -> asleep[0] = 0
		:: WAITERS > 1 && asleep[1 % WAITERS] -> asleep[1 % WAITERS] = 0
		:: else
		fi;
		calls = 0
	}
}

proctype waiter(byte me)
{
	byte ticket;
	bit calls, has, is_back;

	do
	:: has -> break
	:: else ->
		atomic {
			lock();
#ifndef NO_AWAKE
			awaited = awaited || is_back;
#endif
			if
			:: items > 0 ->
				items--;
				has = 1;
#ifndef NO_PASS_ON
				if
				:: items > 0 -> claim()
				:: else
				fi
#endif
			:: else ->
				awaited = 1;
				ticket = wakeups
			fi
		};
		if
		:: true
		MAY_DIE
		fi;
		if
		:: has -> break
		:: else
		fi;
		atomic {
			if
#ifndef NO_COMPARE
			:: wakeups != ticket
			:: else ->
#else
			:: true ->
#endif
				asleep[me] = 1
			fi
		};
end_asleep:
		if
		:: !asleep[me]
#ifndef NO_SLICE
		:: deaths > 0 -> asleep[me] = 0
#endif
		:: deaths < DEATHS ->
			atomic { deaths++; asleep[me] = 0; goto dead }
		fi;
		is_back = 1
	od;
	if
	:: calls -> wake()
	:: else
	fi;
dead:
	skip
}

proctype maker()
{
	bit calls;

	if
	:: true
	MAY_DIE
	fi;
	atomic {
		lock();
		items++;
		if
		:: true -> claim()
		:: deaths < DEATHS -> deaths++; owner_died = 1; goto dead
		fi
	};
	if
	:: true
	MAY_DIE
	fi;
	if
	:: calls -> wake()
	:: else
	fi;
dead:
	skip
}

init
{
	byte i, n;

	atomic {
		do
		:: i < WAITERS -> run waiter(i); i++
		:: else -> break
		od;
		do
		:: n < MAKERS -> run maker(); n++
		:: else -> break
		od;
		i = 0;
		n = 0
	};
	/* Nothing moves any more. */
	timeout;
	do
	:: i < WAITERS -> n = n + asleep[i]; i++
	:: else -> break
	od;
	assert(n == 0 || items == 0)
}
