/* p08_queue.pml - the queue of P08's reader-writer lock under the fair policy:
 * queue.c, with the fast path past it (fastpath.h), or, with SHARED, with the table of
 * who is there (roster.h), deaths, and those who wait and do not look.
 *
 * READERS and WRITERS come VISITS times each. What is done with the mutex is one
 * step; calls are made after it. Who sleeps loses patience once; with LATE it may
 * come to its deadline then. Only where somebody is killed or absent do sleeps
 * end by themselves: that somebody sleeps for ever is found as an invalid end
 * state. In the end nothing may be left.
 *
 * also -DREADERS=1 -DVISITS=2
 * also -DREADERS=1 -DWRITERS=2 -DLATE
 * also -DLATE
 * also -DSHARED -DDEATHS=1
 * also -DSHARED -DDEATHS=1 -DREADERS=1 -DWRITERS=2
 * also -DSHARED -DABSENTS=1
 * mutant NOT_COUNTED: who came by the short way is not counted when it is shut
 * mutant LEFT_OPEN: who comes does not shut the short way
 * mutant NO_CALL: the last reader to leave calls nobody
 * mutant STAYS_IN_LINE: who gives up stays in line
 * mutant NO_REJOIN: who was taken for absent does not join anew
 */
#ifdef NO_REJOIN
#define SHARED
#define ABSENTS 1
#endif
#ifdef STAYS_IN_LINE
#define LATE
#endif
#ifndef READERS
#define READERS 2
#endif
#ifndef WRITERS
#define WRITERS 1
#endif
#ifndef VISITS
#define VISITS 1
#endif
#ifndef DEATHS
#define DEATHS 0
#endif
#ifndef ABSENTS
#define ABSENTS 0
#endif
#define N (READERS + WRITERS)

/* roster_state; and of short_door. */
#define OUT 0
#define READS 1
#define LET_IN 2
#define WRITES 3
#define ABSENT 4
#define WAITS 5 /* in line 0, of readers; 1 and 2, of writers */
#define SHUT 0
#define OPEN 1
#define BY_READER 2
#define BY_WRITER 3

byte door = OPEN;
byte readers, writers, served;
bit called;
byte waiting[3], arrived[3], arrivals;
bit is_due[3], awaited[3];

byte state[N];           /* the table; and who was let in */
byte at[N];              /* announced, at this line + 1 */
bit told[N];             /* its number changed since */
bit asleep[N];           /* in the kernel's queue */
bit dead[N];
byte deaths, absents;
bit owner_died;          /* with the mutex */
byte in_r, in_w;         /* who are inside indeed */

#define SERVED (1 + served)
#define OTHER (2 - served)
#define ANY_DUE (is_due[0] || is_due[1] || is_due[2])
#define MAY_READ (!writers && !ANY_DUE)
#define MAY_WRITE (!writers && !readers && !ANY_DUE)
#define READERS_NEXT \
	(waiting[SERVED] == 0 || arrived[0] < arrived[SERVED])
#define MY_TURN(line) \
	(!writers && !readers && (line == SERVED || !ANY_DUE))
#define MAY_DIE :: deaths < DEATHS -> atomic { deaths++; goto die }

/* park_claim(), and what is to be woken: 1 readers, 2 and 4 a writer. */
inline claim(line)
{
	if
	:: awaited[line] ->
		awaited[line] = 0;
		calls = calls | (1 << line);
		k = 0;
		do
		:: k < N ->
			if
			:: at[k] == line + 1 -> told[k] = 1
			:: else
			fi;
			k++
		:: else -> break
		od;
		k = 0
	:: else
	fi
}

inline announce(line)
{
	awaited[line] = 1;
	at[me] = line + 1;
	told[me] = 0
}

inline join(line)
{
	if
	:: waiting[line] == 0 -> arrived[line] = arrivals; arrivals++
	:: else
	fi;
	waiting[line]++;
	state[me] = WAITS + line
}

inline leave_line(line)
{
	waiting[line]--;
	if
	:: waiting[line] == 0 ->
		is_due[line] = 0;
		if
		:: line == SERVED -> served = 1 - served; called = 0
		:: else
		fi
	:: else
	fi
}

inline let_in()
{
	k = 0;
	do
	:: k < N ->
		if
		:: state[k] == WAITS -> state[k] = LET_IN
		:: else
		fi;
		k++
	:: else -> break
	od;
	k = 0;
	readers = readers + waiting[0];
	waiting[0] = 0;
	is_due[0] = 0;
	claim(0)
}

inline pass_on()
{
	if
	:: !writers && waiting[0] > 0 && READERS_NEXT ->
		if
		:: is_due[0] -> let_in()
		:: else -> claim(0)
		fi
	:: !writers && !(waiting[0] > 0 && READERS_NEXT) && !readers &&
			waiting[SERVED] > 0 && !called ->
		called = 1;
		claim(SERVED)
	:: else
	fi;
#ifndef SHARED
	if
	:: !readers && !writers && !ANY_DUE -> door = OPEN
	:: else
	fi
#endif
}

/* The counts follow from the table. */
inline count_anew()
{
	readers = 0;
	writers = 0;
	waiting[0] = 0;
	waiting[1] = 0;
	waiting[2] = 0;
	k = 0;
	do
	:: k < N ->
		if
		:: dead[k] -> state[k] = OUT
		:: else
		fi;
		if
		:: state[k] == READS || state[k] == LET_IN -> readers++
		:: state[k] == WRITES -> writers = 1
		:: state[k] >= WAITS ->
			waiting[state[k] - WAITS] = waiting[state[k] - WAITS] + 1
		:: else
		fi;
		k++
	:: else -> break
	od;
	k = 0;
	is_due[0] = is_due[0] && waiting[0];
	is_due[1] = is_due[1] && waiting[1];
	is_due[2] = is_due[2] && waiting[2];
	if
	:: waiting[SERVED] == 0 -> served = 1 - served
	:: else
	fi;
	called = 0
}

/* Of those who sleep in line any may not have looked for long. */
inline may_be_absent(p)
{
	if
	:: p < N && absents < ABSENTS && asleep[p % N] &&
			(state[p % N] >= WAITS || state[p % N] == LET_IN) ->
		absents++;
		state[p % N] = ABSENT
	:: true
	fi
}

inline patrol()
{
	skip;
#ifdef SHARED
	may_be_absent(0);
	may_be_absent(1);
	may_be_absent(2);
	if
	:: deaths > 0 || absents > 0 -> count_anew()
	:: else
	fi
#endif
}

/* The mutex, and the short way is shut. */
inline take()
{
	if
	:: owner_died ->
		owner_died = 0;
		count_anew();
		awaited[0] = 1;
		awaited[1] = 1;
		awaited[2] = 1;
		claim(0);
		claim(1);
		claim(2);
		calls = 8
	:: else
	fi;
#ifndef LEFT_OPEN
	if
#ifndef NOT_COUNTED
	:: door == BY_READER -> readers++
	:: door == BY_WRITER -> writers++
#endif
	:: else
	fi;
	door = SHUT
#endif
}

#define IS_CALLED(p, line) (p < N && asleep[p % N] && at[p % N] == line + 1)

inline wake_one(line)
{
	if
	:: IS_CALLED(0, line) -> asleep[0] = 0
	:: IS_CALLED(1, line) -> asleep[1 % N] = 0
	:: IS_CALLED(2, line) -> asleep[2 % N] = 0
	:: else
	fi
}

inline wake()
{
	if
	:: calls ->
		if
		:: true
		MAY_DIE
		fi;
		atomic {
			k = 0;
			do
			:: k < N ->
				if
				:: calls == 8 || ((calls & 1) && at[k] == 1) ->
					asleep[k] = 0
				:: else
				fi;
				k++
			:: else -> break
			od;
			k = 0;
			if
			:: calls & 2 -> wake_one(1)
			:: else
			fi;
			if
			:: calls & 4 -> wake_one(2)
			:: else
			fi;
			calls = 0
		}
	:: else
	fi
}

/* park_sleep(); timer: out of patience. */
inline sleep()
{
	if
	:: true
	MAY_DIE
	fi;
	atomic {
		if
		:: !told[me] -> asleep[me] = 1
		:: else
		fi;
		timer = 0
	};
	if
	:: atomic { !asleep[me] }
	:: atomic { asleep[me] && !due -> asleep[me] = 0; timer = 1 }
#ifdef LATE
	:: atomic { asleep[me] && due -> asleep[me] = 0; late = 1 }
#endif
	:: atomic { asleep[me] && deaths + absents > 0 -> asleep[me] = 0 }
	:: deaths < DEATHS -> atomic { deaths++; goto die }
	fi
}

/* After it, with the mutex; whether we were let in: it is state[me]. */
inline awake(line)
{
	at[me] = 0;
	awaited[line] = 1;
	due = due || timer;
	if
#ifndef NO_REJOIN
	:: state[me] == ABSENT -> join(line)
#endif
	:: else
	fi
}

proctype reader(byte me)
{
	byte k, visits, calls;
	bit has, left, due, late, timer;

	do
	:: visits == VISITS -> break
	:: else ->
		visits++;
		has = 0;
		left = 0;
		due = 0;
		late = 0;
#ifndef SHARED
		atomic {
			if
			:: door == OPEN -> door = BY_READER; has = 1; in_r++
			:: else
			fi
		};
#endif
		if
		:: has
		:: else ->
			atomic {
				take();
				if
				:: !MAY_READ -> patrol()
				:: else
				fi;
				if
				:: MAY_READ ->
					readers++;
					state[me] = READS;
					has = 1;
					in_r++
				:: else ->
					join(0);
					if
					:: !writers && READERS_NEXT ->
						let_in();
						state[me] = READS;
						has = 1;
						in_r++
					:: else -> announce(0)
					fi
				fi
			};
			wake()
		fi;
		do
		:: has || late -> break
		:: else ->
			sleep();
			atomic {
				take();
				awake(0);
				if
				:: state[me] == LET_IN ->
					state[me] = READS;
					has = 1;
					in_r++
				:: else ->
					is_due[0] = is_due[0] || due;
					patrol();
					if
					:: MAY_READ ->
						leave_line(0);
						readers++;
						state[me] = READS;
						has = 1;
						in_r++
					:: !MAY_READ && !writers && READERS_NEXT ->
						let_in();
						state[me] = READS;
						has = 1;
						in_r++
					:: else ->
						if
						:: late ->
							state[me] = OUT;
#ifndef STAYS_IN_LINE
							leave_line(0);
#endif
							pass_on()
						:: else -> announce(0)
						fi
					fi
				fi
			};
			wake()
		od;
		if
		:: !has
		:: else ->
			assert(in_w == 0);
			if
			:: true
			MAY_DIE
			fi;
			atomic {
				assert(in_w == 0);
				in_r--;
				if
				:: door == BY_READER -> door = OPEN; left = 1
				:: else
				fi
			};
			if
			:: left
			:: else ->
				atomic {
					take();
					state[me] = OUT;
					if
					:: true
					:: deaths < DEATHS ->
						/* counted yet */
						deaths++;
						owner_died = 1;
						goto die
					fi;
					readers--;
#ifndef NO_CALL
					if
					:: readers == 0 -> pass_on()
					:: else
					fi
#endif
				};
				wake()
			fi
		fi
	od;
	goto done;
die:
	atomic {
		dead[me] = 1;
		asleep[me] = 0;
		at[me] = 0;
		if
		:: state[me] == READS -> in_r--
		:: else
		fi
	};
done:
	skip
}

proctype writer(byte me)
{
	byte k, visits, calls, line;
	bit has, left, due, late, timer;

	do
	:: visits == VISITS -> break
	:: else ->
		visits++;
		has = 0;
		left = 0;
		due = 0;
		late = 0;
#ifndef SHARED
		atomic {
			if
			:: door == OPEN -> door = BY_WRITER; has = 1; in_w++
			:: else
			fi
		};
#endif
		if
		:: has
		:: else ->
			atomic {
				take();
				if
				:: !MAY_WRITE -> patrol()
				:: else
				fi;
				if
				:: MAY_WRITE ->
					writers = 1;
					state[me] = WRITES;
					has = 1;
					in_w++
				:: else ->
					line = (waiting[SERVED] -> OTHER : SERVED);
					join(line);
					if
					:: MY_TURN(line) ->
						leave_line(line);
						writers = 1;
						state[me] = WRITES;
						has = 1;
						in_w++
					:: else -> announce(line)
					fi
				fi
			};
			wake()
		fi;
		do
		:: has || late -> break
		:: else ->
			sleep();
			atomic {
				take();
				awake(line);
				if
				:: line == SERVED -> called = 0
				:: else
				fi;
				is_due[line] = is_due[line] || due;
				patrol();
				if
				:: MY_TURN(line) ->
					leave_line(line);
					late = 0;
					writers = 1;
					state[me] = WRITES;
					has = 1;
					in_w++
				:: else ->
					if
					:: late ->
						state[me] = OUT;
#ifndef STAYS_IN_LINE
						leave_line(line);
#endif
						pass_on()
					:: else -> announce(line)
					fi
				fi
			};
			wake()
		od;
		if
		:: !has
		:: else ->
			assert(in_w == 1 && in_r == 0);
			if
			:: true
			MAY_DIE
			fi;
			atomic {
				assert(in_w == 1 && in_r == 0);
				in_w--;
				if
				:: door == BY_WRITER -> door = OPEN; left = 1
				:: else
				fi
			};
			if
			:: left
			:: else ->
				atomic {
					take();
					state[me] = OUT;
					writers = 0;
					pass_on()
				};
				wake()
			fi
		fi
	od;
	goto done;
die:
	atomic {
		dead[me] = 1;
		asleep[me] = 0;
		at[me] = 0;
		if
		:: state[me] == WRITES -> in_w--
		:: else
		fi
	};
done:
	skip
}

init
{
	byte i, k, calls, me;

	atomic {
		do
		:: i < READERS -> run reader(i); i++
		:: i >= READERS && i < N -> run writer(i); i++
		:: else -> break
		od
	};
	_nr_pr == 1;
	atomic {
		take();
		if
		:: deaths > 0 -> count_anew()
		:: else
		fi;
		assert(readers == 0 && writers == 0 && waiting[0] == 0 &&
		       waiting[1] == 0 && waiting[2] == 0 && !ANY_DUE)
	}
}
