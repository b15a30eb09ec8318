/* pool_grant.pml - one slot of p10-sempool, with its unit, and those who want
 * it: sempool.c, grant.c, sempool_reclaim.c. Each step is one access to what is
 * shared. Anybody may die between two steps; a sleep may end at any time, as a
 * nap does; who has slept through one asks for a grant. A reclaim does what it
 * finds to do, whenever it likes: it also believes a shortage of units at once,
 * and passes over waiters that live, as if they were stopped.
 *
 * Held: the slot has one user at a time; in the end it is free and has its unit;
 * and whoever asks is overtaken by those who come later once at most, by a
 * release that was under way.
 *
 * also -DTIMES=3 -DDEATHS=0
 * also -DTIMES=1 -DSTOPS=1 -DLATE=1
 * mutant NO_GRANT: the slot goes to the semaphore, whoever asks
 * mutant CLEAR_BLINDLY: has_askers is cleared without a second look
 * mutant LEAVE_VOID: grants to the dead are left as they are
 * mutant BLIND_RECLAIM: a grant is taken back without comparing it
 * mutant FORGET_THE_UNIT: a shortage is never believed
 */
#if defined(NO_GRANT) || defined(CLEAR_BLINDLY)
/* After a death nobody is said to be overtaken. */
#define TIMES 3
#define DEATHS 0
#endif
#ifndef P
#define P 2
#endif
#ifndef TIMES
#define TIMES 2
#endif
#ifndef DEATHS
#define DEATHS 1
#endif
#ifndef STOPS
#define STOPS 0
#endif
#ifndef LATE
#define LATE 0
#endif

/* The word of the slot. */
#define FREE 0
#define HELD(p) (1 + (p))
#define GRANT(p) (16 + 4 * (p) + generation[p]) /* an entry for each process */
#define IS_GRANT(w) ((w) >= 16)
#define WAITER(w) (((w) - 16) / 4)
#define IS_VOID(w) (!is_waiting[WAITER(w)] || is_dead[WAITER(w)] || (w) != GRANT(WAITER(w)))

byte word, units = 1, returns;
bool has_askers;

/* The waiters. */
bool is_waiting[P], asks[P];
byte generation[P], since[P];

/* What really happened. */
bool is_dead[P], is_asking[P];
byte deaths, stops, late, ended, users, overtaken[P], behind[P];

inline may_die() {
	if
	:: me < P && deaths < DEATHS ->
		atomic {
			deaths++;
			is_dead[me] = true;
			is_asking[me] = false;
			users = users - is_user;
			goto end
		}
	:: true
	fi
}

/* Who has asked first, or P. */
inline find_first() {
	d_step {
		first = P;
		k = 0;
		do
		:: k < P ->
			if
			:: asks[k] && is_waiting[k] && (first == P || since[k] < since[first]) -> first = k
			:: else
			fi;
			k++
		:: else -> break
		od;
		k = 0;
		if
		:: first < P -> name = GRANT(first)
		:: else -> name = 0
		fi
	}
}

/* grant_return(): w is what is thought to be in the slot. */
inline give_back() {
	do
	:: true ->
		first = P;
		name = 0;
#ifndef NO_GRANT
		if
		:: has_askers ->
			find_first();
			if
			:: first == P ->
				may_die();
				has_askers = false;
#ifndef CLEAR_BLINDLY
				find_first();
				if
				:: first < P -> has_askers = true
				:: else
				fi
#endif
			:: else
			fi
		:: else
		fi;
#endif
		may_die();
		if
		:: first == P -> break
		:: else
		fi;
		atomic {
			if
			:: word == w -> word = name; w = name
			:: else -> first = P; w = 255
			fi
		}
		if
		:: w == 255 -> break
		:: else
		fi;
		/* It may wake by itself; what counts is whether it is there. */
		if
		:: is_waiting[first] && name == GRANT(first) -> w = 255; break
		:: else
		fi
	od;
	if
	:: w != 255 ->
		atomic {
			if
			:: word == w -> word = FREE
			:: else -> w = 255
			fi
		}
		if
		:: w != 255 ->
			returns++;
			may_die();
			units++
		:: else
		fi
	:: else
	fi;
	atomic {
		first = 0;
		name = 0;
		w = 0
	}
}

/* Ours: whom have we overtaken? */
inline note_user() {
	is_user = 1;
	users++;
	assert(users == 1);
	is_asking[me] = false;
	k = 0;
	do
	:: k < P ->
		if
		:: is_asking[k] && (behind[me] & (1 << k)) ->
			overtaken[k]++;
			assert(overtaken[k] <= 1 || deaths > 0 || stops > 0)
		:: else
		fi;
		k++
	:: else -> break
	od;
	k = 0
}

inline try_unit() {
	atomic {
		if
		:: units > 0 -> units--; has_unit = true
		:: else -> has_unit = false
		fi
	}
	if
	:: has_unit ->
		do
		:: true ->
			may_die();
			seen = returns;
			atomic {
				if
				:: word == FREE -> word = HELD(me); note_user(); break
				:: else
				fi
			}
			if
			:: returns == seen -> break /* it was one too many */
			:: else
			fi
		od;
		atomic {
			seen = 0;
			has_unit = 0
		}
	:: else
	fi
}

inline take_grant() {
	atomic {
		if
		:: word == name_of_mine -> word = HELD(me); note_user()
		:: else
		fi
	}
}

proctype Process(byte me) {
	byte times, k, first, name, name_of_mine, w, seen;
	bit is_user, has_unit;

	do
	:: times < TIMES ->
		atomic {
			k = 0;
			behind[me] = 0;
			do
			:: k < P ->
				if
				:: is_asking[k] -> behind[me] = behind[me] | (1 << k)
				:: else
				fi;
				k++
			:: else -> break
			od;
			k = 0
		}
		try_unit();
		if
		:: is_user -> goto use
		:: else
		fi;
		may_die();
		atomic {
			generation[me] = (generation[me] + 1) % 4;
			asks[me] = false;
			k = 0;
			do
			:: k < P ->
				if
				:: is_waiting[k] && since[k] >= since[me] -> since[me] = since[k] + 1
				:: else
				fi;
				k++
			:: else -> break
			od;
			k = 0;
			is_waiting[me] = true;
			name_of_mine = GRANT(me)
		}
		do
		:: units > 0 -> /* asleep beside the semaphore */
			try_unit();
			if
			:: is_user -> break
			:: else
			fi
		:: true -> /* it has slept through a nap */
			may_die();
			asks[me] = true;
			atomic {
				has_askers = true;
				if
				:: !is_asking[me] -> is_asking[me] = true; overtaken[me] = 0
				:: else
				fi
			}
			take_grant();
			if
			:: is_user -> break
			:: else
			fi;
			try_unit();
			if
			:: is_user -> break
			:: else
			fi;
			/* Asleep, until there is something to see or to do. */
			if
			:: word == name_of_mine || units > 0 || !asks[me] || !has_askers
			:: late < LATE -> late++; break
			fi;
			take_grant();
			if
			:: is_user -> break
			:: else
			fi
		od;
		may_die();
		asks[me] = false;
		is_asking[me] = false;
		atomic {
			is_waiting[me] = false;
			since[me] = 0;
			overtaken[me] = 0
		}
		if
		:: !is_user -> take_grant()
		:: else
		fi;
		if
		:: !is_user -> goto next
		:: else
		fi;
use:
		may_die();
		assert(word == HELD(me));
		atomic {
			users--;
			is_user = 0
		}
		w = HELD(me);
		give_back();
next:
		atomic {
			name_of_mine = 0;
			behind[me] = 0;
			times++
		}
	:: else -> break
	od;
end:
	ended++
}

/* As if it never died: another would go on. */
active proctype Reclaim() {
	byte me = P, k, first, name, w;
	bit is_user;

	do
	:: atomic {
		word != FREE && !IS_GRANT(word) && is_dead[word - 1] -> w = word
	}
		give_back()
#ifndef LEAVE_VOID
	:: atomic {
		IS_GRANT(word) && IS_VOID(word) -> w = word; asks[WAITER(word)] = false
	}
#ifdef BLIND_RECLAIM
		word = FREE;
		units++
#else
		give_back()
#endif
	:: atomic {
		IS_GRANT(word) && stops < STOPS ->
		stops++;
		w = word;
		asks[WAITER(word)] = false
	}
		give_back()
#endif
	:: atomic { is_dead[0] && is_waiting[0] -> is_waiting[0] = false; since[0] = 0 }
	:: atomic { is_dead[1] && is_waiting[1] -> is_waiting[1] = false; since[1] = 0 }
	:: atomic { is_dead[P - 1] && is_waiting[P - 1] -> is_waiting[P - 1] = false; since[P - 1] = 0 }
#ifndef FORGET_THE_UNIT
	:: atomic { units == 0 && word == FREE -> units++ }
#endif
	:: atomic { units > 0 && word != FREE -> units-- }
	:: atomic { units > 1 -> units-- }
	:: atomic { ended == P && word == FREE && units == 1 -> break }
	od;
end:
	skip
}

init {
	atomic {
		byte i = 0;
		do
		:: i < P -> run Process(i); i++
		:: else -> break
		od
	}
}
