/* barrier_turnstiles.pml - the two turnstiles of p11-barrier/sysv_barrier.c:
 * participants that meet, give up and come again, leave their place to another,
 * and die between any two of their semop(2). What the kernel does in one semop,
 * and at an exit, is one step here.
 *
 * Held: nobody passes a round before all have come to it; it has one serial
 * participant; whoever is told of a round is told the same, complete or broken;
 * and everybody comes to an end, with nobody counted inside.
 *
 * also -DN=2 -DLATE=2 -DDEATHS=2
 * also -DN=3 -DROUNDS=1 -DLATE=1
 * mutant NO_UNDO: an exit that takes nothing back
 * mutant OPEN_TURNSTILE: the last of a round leaves the other turnstile open
 * mutant TRUST_TURNSTILE: an open turnstile is believed, and PARITY not asked
 * mutant STAY: who is late stays counted as there
 * mutant CLOSE_TWICE: a handle that leaves twice
 * mutant FORKED: a child that arrives by its parent's handle, too
 */
#ifndef N
#define N 3
#endif
#ifndef ROUNDS
#define ROUNDS 2
#endif
#ifndef DEATHS
#define DEATHS 1
#endif
#ifndef LATE
#ifdef STAY
#define LATE 1
#else
#define LATE 0
#endif
#endif
#define PROCESSES (N + 2) /* two more, for the place of the one who leaves */

/* The set. */
byte seats = N, rest = N - 1, turnstile[2], parity, broken, inside;

/* What really happened. */
byte deaths, late, joined, ended;
byte came[ROUNDS + 1]; /* participants: those who died there included */
byte completed;        /* rounds */
bool is_broken[ROUNDS + 1];

/* At an exit the kernel takes back what was marked, as far as 0 allows. */
inline die() {
	atomic {
		deaths++;
		joined--;
#ifndef NO_UNDO
		broken++;
		turnstile[0] = 0;
		turnstile[1] = 0;
		inside = inside - is_in;
		seats++;
#endif
		goto end
	}
}

inline may_die() {
	if
	:: deaths < DEATHS -> die()
	:: true
	fi
}

inline join() {
	atomic {
		if
		:: broken == 0 && seats > 0 ->
			seats--;
			joined++;
			assert(joined <= N)
		:: else -> goto end
		fi;
		phase = parity;
		round = completed + 1
	}
}

inline arrive() {
	atomic {
		if
		:: rest > 0 ->
			rest--;
			inside++;
			is_in = 1;
			came[round]++;
			is_last = false
		:: else -> is_last = true
		fi
	}
}

/* serial: whether it was done. */
inline release() {
	atomic {
		if
		:: rest == 0 && turnstile[phase] > 0 ->
			rest = rest + N - 1;
			turnstile[phase]--;
#ifndef OPEN_TURNSTILE
			turnstile[1 - phase]++;
#endif
			parity = 1 - parity;
			came[round]++;
			assert(came[round] == N && completed == round - 1);
			assert(!is_broken[round]);
			completed = round;
			serial = true
		:: else -> serial = false
		fi
	}
}

/* Late: out of the round, if it is neither complete nor broken. */
inline withdraw() {
	atomic {
		if
		:: turnstile[phase] > 0 ->
#ifndef STAY
			rest++;
#endif
			came[round]--;
			inside--;
			is_in = 0;
			is_out = true
		:: else -> is_out = false
		fi
	}
}

proctype Participant(bool leaves, has_child) {
	byte phase, round, is_in, seen;
	bool is_last, serial, is_out;

	join();
	do
	:: round > ROUNDS -> break
	:: leaves && round == 2 -> break
	:: else ->
again:
		may_die();
		arrive();
#ifdef FORKED
		/* Of the child nothing is taken back, nor is it joined. */
		if
		:: has_child && !is_last && rest > 0 -> rest--; has_child = false
		:: else
		fi;
#endif
		if
		:: !is_last -> goto pass
		:: else
		fi;
		may_die();
		release();
		if
		:: serial -> goto next
		:: else
		fi;
		if
		:: broken > 0 -> goto told
		:: else -> goto again
		fi;
pass:
		may_die();
		if
		:: atomic {
			broken == 0 && turnstile[phase] == 0 ->
			inside--;
			is_in = 0
		}
			goto next
		:: broken > 0
		:: late < LATE ->
			late++;
			may_die();
			withdraw();
			if
			:: is_out -> goto again
			:: else
			fi
		fi;
		if
		:: broken > 0
		:: else -> goto pass
		fi;
		seen = parity;
		may_die();
		atomic {
			inside--;
			is_in = 0
		}
#ifndef TRUST_TURNSTILE
		if
		:: seen != phase -> goto next
		:: else
		fi;
#endif
told:
		assert(deaths > 0 && completed < round);
		is_broken[round] = true;
		goto leave;
next:
		assert(completed >= round);
		phase = 1 - phase;
		round++
	od;
leave:
	may_die();
	atomic {
		seats++;
		joined--
	}
#ifdef CLOSE_TWICE
	seats++;
#endif
end:
	ended++
}

/* Who takes the place of the one who leaves: when there is one. */
init {
	byte i;

	turnstile[0] = 1;
	atomic {
		run Participant(ROUNDS > 1, true);
		i = 1;
		do
		:: i < N -> run Participant(false, false); i++
		:: else -> break
		od
	}
	/* So that all have joined who meet in the first round. */
	(joined + deaths >= N || broken > 0 || ended > 0);
	if
	:: ROUNDS > 1 ->
		(seats > 0 || broken > 0);
		atomic {
			run Participant(false, false);
			run Participant(false, false)
		}
	:: else -> ended = ended + 2
	fi;
	(ended == PROCESSES);
	assert(inside == 0 && (deaths > 0 || broken == 0));
	assert(deaths > 0 || completed == ROUNDS)
}
